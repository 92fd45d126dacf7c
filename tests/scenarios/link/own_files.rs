//! What hfdown keeps on this machine: its known hosts, and records of what it detached.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command as Program;
use std::time::Duration;

use hfdown_tests::hub::Content;
use hfdown_tests::sandbox::{Sandbox, ended, run};
use tokio::process::Command;

/// A look into a FIFO would not end.
const BOUND: Duration = Duration::from_secs(60);

/// The same under this umask.
fn under(umask: &str, command: &Command) -> Command {
    let command = command.as_std();
    let mut under = Command::new("/bin/sh");
    under.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]);
    under.arg(command.get_program()).args(command.get_args()).env_clear();
    under.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    under.current_dir(command.get_current_dir().unwrap()).kill_on_drop(true);
    under.stdin(std::process::Stdio::null());
    under.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    under
}

/// Everything in a folder and below, with its mode.
fn modes(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut modes = vec![(folder.to_owned(), fs::metadata(folder).unwrap().mode() & 0o7777)];
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            modes.extend(self::modes(&entry));
        } else {
            modes.push((entry.clone(), fs::metadata(&entry).unwrap().mode() & 0o7777));
        }
    }
    modes
}

fn widen(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

async fn they_are_this_users_alone_whatever_the_umask(sandbox: Sandbox) {
    const TOKEN: &str = "hf_verySecretTokenOfTheTests";
    sandbox.hub.token(TOKEN);
    let home = sandbox.scratch().join("home");
    let folders = [home.join(".config/hfdown"), home.join(".local/state/hfdown")];
    let files = [folders[0].join("known_hosts"), folders[1].join("detached")];
    for round in ["fresh", "there with wider modes"] {
        // What the box can't get by itself, this machine remembers.
        let draft = sandbox.hub.model("acme/tiny").file("config.json", round);
        draft.lfs("model.bin", Content::random(1, 100_000)).private(TOKEN).commit();
        let mut detaching = sandbox.syncing("acme/tiny", &["--detach"]);
        detaching.env("HF_TOKEN", TOKEN);
        let ended = run(under("000", &detaching)).await;
        assert_eq!(ended.code, 0, "{round}: {ended:?}");
        let all: Vec<_> = folders.iter().flat_map(|folder| modes(folder)).collect();
        assert!(all.iter().any(|(path, _)| path.extension().is_some_and(|end| end == "json")), "{all:?}");
        for (path, mode) in all {
            let expected = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, expected, "{round}: {}", path.display());
        }
        for path in folders.iter().chain(&files) {
            widen(path, 0o777);
        }
    }
}

async fn what_is_no_file_there_is_an_error_and_does_not_hang(sandbox: Sandbox) {
    sandbox.hub.model("acme/tiny").file("config.json", "{}").commit();
    let folder = sandbox.scratch().join("home/.config/hfdown");
    fs::create_dir_all(&folder).unwrap();
    let known_hosts = folder.join("known_hosts");
    let other = sandbox.scratch().join("other");
    fs::write(&other, "the user's\n").unwrap();
    let made: [(&str, &dyn Fn()); 3] = [
        ("a FIFO", &|| assert!(Program::new("mkfifo").arg(&known_hosts).status().unwrap().success())),
        ("a device", &|| symlink("/dev/zero", &known_hosts).unwrap()),
        ("a hard link", &|| fs::hard_link(&other, &known_hosts).unwrap()),
    ];
    for (what, make) in made {
        make();
        for command in
            [sandbox.syncing("acme/tiny", &["--wait", "0"]), sandbox.hfdown(["forget-host", "127.0.0.1:1"])]
        {
            let mut command = command;
            let running = ended(command.spawn().unwrap());
            let ended = tokio::time::timeout(BOUND, running).await.expect(what);
            assert!(ended.code > 0 && ended.stderr.contains("known_hosts"), "{what}: {ended:?}");
        }
        fs::remove_file(&known_hosts).unwrap();
    }
    assert_eq!(fs::read_to_string(&other).unwrap(), "the user's\n");
}

async fn a_folder_of_the_users_that_is_a_link_is_followed(sandbox: Sandbox) {
    sandbox.hub.model("acme/tiny").file("config.json", "{}").commit();
    let (home, elsewhere) = (sandbox.scratch().join("home"), sandbox.scratch().join("configuration"));
    fs::create_dir(&elsewhere).unwrap();
    widen(&elsewhere, 0o755);
    symlink(&elsewhere, home.join(".config")).unwrap();
    let ended = sandbox.sync("acme/tiny", &[]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(elsewhere.join("hfdown/known_hosts").exists());
    assert_eq!(fs::metadata(&elsewhere).unwrap().mode() & 0o777, 0o755, "it is not hfdown's own");
}

on_boxes! {
    they_are_this_users_alone_whatever_the_umask,
    what_is_no_file_there_is_an_error_and_does_not_hang,
    a_folder_of_the_users_that_is_a_link_is_followed,
}
