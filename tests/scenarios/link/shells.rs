//! Login shells of all kinds, and the few programs that a box may have.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use hfdown::link::{AgentOrigin, AutoTmux, CommandExit, LinkError};
use hfdown_tests::counterpart::Counterpart;
use hfdown_tests::mount::Mount;
use hfdown_tests::ssh_host::Programs;
use hfdown_tests::ssh_host::{HostOptions, SshHost, SshServerKind};
use tokio::io::AsyncWriteExt as _;

use super::echo::{ECHO, error, go, go_with, images, talk};

/// Goes there twice, cold and warm, and talks.
async fn cold_and_warm(host: &SshHost, what: &str) {
    let images = images(&format!("{ECHO}# {}", host.home().display()));
    for origin in ["cold", "warm"] {
        let mut link = match go_with(&host.command(), &host.settings(), &images).await {
            Ok(link) => link,
            Err(error) => panic!("{what}, {origin}: {error}"),
        };
        assert_eq!(link.origin == AgentOrigin::Cached, origin == "warm", "{what}");
        assert_eq!(link.platform.system, "Linux", "{what}");
        assert_eq!(link.tmux_opt_out, None, "{what}: its shell runs commands");
        talk(&mut link).await;
        link.writer.shutdown().await.unwrap();
        assert_eq!(
            link.guard.close(Duration::from_secs(5)).await.exit,
            Some(CommandExit::Status(7)),
            "{what}"
        );
    }
}

async fn speaks_to_any_login_shell(kind: SshServerKind) {
    for name in ["bash", "dash", "fish", "tcsh", "zsh", "mksh"] {
        let Some(shell) = Counterpart::Tool(name).require() else { continue };
        let options = HostOptions { shell: Some(shell), ..HostOptions::default() };
        let Some(host) = SshHost::start(kind, options).await else { return };
        // Start-up files that talk, each where its shell looks for them.
        for file in [".cshrc", ".zshenv", ".config/fish/config.fish"] {
            let file = host.home().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "echo this is the shell of a stranger\n").unwrap();
        }
        cold_and_warm(&host, name).await;
        assert!(host.home().join(".cache/hfdown").is_dir(), "{name}");
    }
}

/// A host whose bash reads this first.
async fn with_bashrc(kind: SshServerKind, bashrc: &str) -> Option<SshHost> {
    let shell = Some(PathBuf::from("/bin/bash"));
    SshHost::start(kind, HostOptions { shell, bashrc: Some(bashrc.into()), ..HostOptions::default() }).await
}

async fn waits_for_a_shell_that_takes_its_time(kind: SshServerKind) {
    let Some(host) = with_bashrc(kind, "sleep 3").await else { return };
    cold_and_warm(&host, "3 s of start-up files").await;
}

async fn skips_as_much_noise_as_can_be_noise(kind: SshServerKind) {
    let noise = "yes 'all work and no play' | head -c 61440; yes dull | head -c 100000 >&2";
    let Some(host) = with_bashrc(kind, noise).await else { return };
    cold_and_warm(&host, "60 KiB of noise").await;
}

async fn says_that_a_shell_is_noisy(kind: SshServerKind) {
    let Some(host) = with_bashrc(kind, "exec yes 'all work and no play'").await else { return };
    let failed = error(go(&host.command(), &host.settings()).await);
    let LinkError::Noisy { said, tmux, .. } = failed else { panic!("{failed:?}") };
    // The server in this process has no SFTP to find that out by.
    let reason = if kind == SshServerKind::Sshd { AutoTmux::RuledOut } else { AutoTmux::Possible };
    assert_eq!(tmux, reason);
    assert!(said.starts_with("all work and no play · all work"), "{said}");
    assert!(!host.home().join(".no_auto_tmux").exists(), "what is no help does not stay");
}

async fn goes_elsewhere_without_a_home(kind: SshServerKind) {
    let Some(host) = with_bashrc(kind, "unset HOME; export XDG_RUNTIME_DIR=$PWD/run").await else { return };
    fs::create_dir(host.home().join("run")).unwrap();
    cold_and_warm(&host, "no HOME").await;
    assert!(host.home().join("run/hfdown").is_dir());
    assert!(!host.home().join(".cache").exists() && !PathBuf::from("/.cache/hfdown").exists());
}

async fn goes_elsewhere_when_home_is_read_only(kind: SshServerKind) {
    let options =
        HostOptions { bashrc: Some("export XDG_RUNTIME_DIR=/no/such".into()), ..HostOptions::default() };
    let Some(host) = SshHost::start(kind, options).await else { return };
    // Root may write to whatever has no `w`, but not to a disk that is read-only.
    let Some(_disk) = Mount::memory(host.home(), "ro,mode=700") else { return };
    super::boxes::finds_another_folder(&host).await;
}

async fn needs_few_programs(kind: SshServerKind) {
    // Neither `sha256sum` nor `find`, nor anything else that is not here.
    const FEW: &[&str] =
        &["cat", "chmod", "dd", "head", "id", "ls", "mkdir", "mv", "rm", "rmdir", "touch", "uname", "wc"];
    let options = HostOptions { programs: Programs::Only(FEW), ..HostOptions::default() };
    let Some(host) = SshHost::start(kind, options).await else { return };
    cold_and_warm(&host, "few programs").await;
}

async fn needs_no_head_that_counts(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    host.put_program("head", "echo 'head: invalid option -- c' >&2; exit 1");
    cold_and_warm(&host, "no `head -c`").await;
}

/// The smallest images have nothing but busybox, as `/bin/sh` too.
#[tokio::test]
async fn needs_nothing_but_busybox() {
    let shell = Some(PathBuf::from("/bin/sh"));
    let options = HostOptions { shell, programs: Programs::Busybox, ..HostOptions::default() };
    let Some(host) = SshHost::start(SshServerKind::Sshd, options).await else { return };
    cold_and_warm(&host, "busybox").await;
    // The agent of these scenarios is a script for `/bin/sh`.
    let _link = go(&host.command(), &host.settings()).await.unwrap();
    let runs = fs::metadata(format!("/proc/{}/exe", host.agent_pids()[0])).unwrap();
    let busybox = fs::metadata(Counterpart::Tool("busybox").require().unwrap()).unwrap();
    assert_eq!((runs.dev(), runs.ino()), (busybox.dev(), busybox.ino()), "it is busybox that runs there");
}

on_boxes! {
    speaks_to_any_login_shell,
    waits_for_a_shell_that_takes_its_time,
    skips_as_much_noise_as_can_be_noise,
    says_that_a_shell_is_noisy,
    goes_elsewhere_without_a_home,
    goes_elsewhere_when_home_is_read_only,
    needs_few_programs,
    needs_no_head_that_counts,
}
