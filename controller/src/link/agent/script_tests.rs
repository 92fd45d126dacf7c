//! The scripts' parts, run by the shells of this machine.

use super::*;
use std::process::Command;

/// What `/bin/sh` is on one machine or another.
const SHELLS: [(&str, &[&str]); 5] = [
    ("dash", &[]),
    ("bash", &["--posix"]),
    ("zsh", &["--emulate", "sh"]),
    ("mksh", &[]),
    ("busybox", &["sh"]),
];

#[test]
fn folders_and_files_are_looked_at_alike_by_every_shell() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let ground = tempfile::tempdir().unwrap();
    let ground = ground.path().canonicalize().unwrap();
    let path = |name: &str| ground.join(name).display().to_string();
    let mode = |name: &str, mode| {
        std::fs::set_permissions(ground.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for folder in ["good/own", "open/own", "sticky/own", "group/own", "writable"] {
        std::fs::create_dir_all(ground.join(folder)).unwrap();
    }
    for (name, modes) in [("open", 0o757), ("sticky", 0o1777), ("writable", 0o775), ("good/own", 0o755)] {
        mode(name, modes);
    }
    symlink("good", ground.join("behind a link")).unwrap();
    symlink("good/own", ground.join("link")).unwrap();
    std::fs::write(ground.join("file"), "abc").unwrap();
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let folders =
        ["good/own", "open/own", "sticky/own", "writable", "behind a link/own", "link", "file", "none"];
    let looks: Vec<_> =
        folders.iter().map(|name| format!("sound \"{}\" && echo \"$d\";", path(name))).collect();
    let file = path("file");
    let script = format!(
        "u=$(id -u); {SOUND} {PROVED} {} proved {file} {abc} && echo right $y; proved {file} 0123456789 || echo wrong",
        looks.concat()
    );
    // As in a container whose `/` is open to all: who may write there may replace this shell as well.
    let open_root = r#"ls() { command ls "$@" | sed "s|^d[^ ]*\(.* /\)\$|drwxrwxrwx\1|"; };"#;
    let expected = format!("{0}\n{1}\n{0}\nright\nwrong\n", path("good/own"), path("sticky/own"));
    for ((shell, options), ls) in SHELLS.into_iter().flat_map(|shell| [(shell, ""), (shell, open_root)]) {
        let line = format!("{ls} {script}").replace('\n', " ");
        // What is not on this machine is left out; `sh` is, and is one of them.
        let Ok(output) = Command::new(shell).args(options).args(["-c", &line]).output() else { continue };
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{shell}: {output:?}");
    }
}

#[test]
fn the_command_that_ends_agents_by_the_runs_word_does_not_have_it_and_so_does_not_end_itself() {
    let run = Nonce(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
    let script = dismiss(Nonce(7), run, &AgentImages::default());
    assert!(!script.contains(&run.to_string()), "{script}");
}
