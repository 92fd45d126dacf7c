//! Boxes whose start-up files take every session over, so that no command runs: what is done about it, on the real
//! sshd.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use hfdown::link::{
    AgentOrigin, AutoTmux, CommandExit, LinkError, LinkSettings, SharedLinks, SshTarget, TmuxOptOut,
    reach_leaving,
};
use hfdown_protocol::Traces;
use hfdown_tests::counterpart::Counterpart;
use hfdown_tests::ssh_host::SftpSubsystem;
use hfdown_tests::ssh_host::{HostOptions, SshHost, SshServerKind};

use super::echo::{ECHO, error, eventually, go, images, talk};

/// Vast's, but for what it does when tmux works.
const HIJACK: &str = "[ -e ~/.no_auto_tmux ] || { echo no sessions; exit 1; }";
/// The same with tmux, whose own shell must not start another one.
const TMUX: &str = "[ -n \"$TMUX\" ] || [ -e ~/.no_auto_tmux ] || \
                    exec tmux -S \"$HOME/tmux\" -f /dev/null new-session -A -s ssh_tmux";

/// A host with bash that reads this in every session.
async fn hijacked(bashrc: &str, sftp: SftpSubsystem) -> Option<SshHost> {
    let shell = Some(PathBuf::from("/bin/bash"));
    let options = HostOptions { shell, bashrc: Some(bashrc.into()), sftp, ..HostOptions::default() };
    let host = SshHost::start(SshServerKind::Sshd, options).await?;
    // As Debian's own has it: a user at a terminal meets the same.
    fs::write(host.home().join(".profile"), ". ~/.bashrc\n").unwrap();
    Some(host)
}

fn file(host: &SshHost) -> PathBuf {
    host.home().join(".no_auto_tmux")
}

/// The first time in, something is placed; the second time nothing need be.
async fn gets_in(host: &SshHost, placed: TmuxOptOut) {
    let mut link = go(&host.command(), &host.settings()).await.unwrap();
    assert_eq!(link.tmux_opt_out, Some(placed));
    talk(&mut link).await;
    assert_eq!(fs::read(file(host)).unwrap(), b"");
    let mut again = go(&host.command(), &host.settings()).await.unwrap();
    assert_eq!((again.tmux_opt_out, again.origin), (None, AgentOrigin::Cached));
    talk(&mut again).await;
}

#[tokio::test]
async fn the_servers_own_sftp_places_a_file() {
    let Some(host) = hijacked(HIJACK, SftpSubsystem::Internal).await else { return };
    gets_in(&host, TmuxOptOut::BySftp).await;
}

#[tokio::test]
async fn a_tmux_is_kept_out_by_the_servers_own_sftp() {
    let Some(_) = Counterpart::Tool("tmux").require() else { return };
    let Some(host) = hijacked(TMUX, SftpSubsystem::Internal).await else { return };
    // Without a terminal it starts, and finds that it has none.
    let _tmux = Tmux(host.home().join("tmux"));
    gets_in(&host, TmuxOptOut::BySftp).await;
}

/// The shell that breaks commands breaks an external sftp-server as well, and a terminal leads to the same shell.
async fn is_told(sftp: SftpSubsystem) {
    let Some(host) = hijacked(HIJACK, sftp).await else { return };
    let failed = error(go(&host.command(), &host.settings()).await);
    let LinkError::Shell { exit, said, tmux, .. } = failed else { panic!("{failed:?}") };
    assert_eq!(
        (exit, said.as_str(), tmux),
        (Some(CommandExit::Status(1)), "no sessions", AutoTmux::Possible)
    );
    assert!(!file(&host).exists());
}

#[tokio::test]
async fn where_sftp_is_broken_and_nothing_can_be_typed_it_is_explained() {
    is_told(SftpSubsystem::External).await;
}

#[tokio::test]
async fn where_there_is_no_sftp_and_nothing_can_be_typed_it_is_explained() {
    is_told(SftpSubsystem::Missing).await;
}

#[tokio::test]
async fn a_terminal_with_another_start_up_file_is_typed_into() {
    let Some(host) = hijacked(HIJACK, SftpSubsystem::External).await else { return };
    fs::write(host.home().join(".profile"), "echo hello\n").unwrap();
    gets_in(&host, TmuxOptOut::ByTerminal).await;
}

#[tokio::test]
async fn a_run_that_gets_in_and_no_further_says_what_was_placed() {
    for (sftp, placed) in
        [(SftpSubsystem::Internal, TmuxOptOut::BySftp), (SftpSubsystem::External, TmuxOptOut::ByTerminal)]
    {
        let Some(host) = hijacked(HIJACK, sftp).await else { return };
        fs::write(host.home().join(".profile"), "echo hello\n").unwrap();
        // Nothing becomes a program anywhere, as where every mount is `noexec`.
        host.put_program("chmod", "exit 0");
        let (target, _) = SshTarget::parse(&host.command()).unwrap();
        let (links, mut left) = (SharedLinks::default(), None);
        let reached = reach_leaving(&target, &host.settings(), &links, &images(ECHO), &mut left).await;
        let failed = error(reached);
        assert!(matches!(failed, LinkError::NoFolder { .. }), "{failed:?}");
        assert_eq!((left, file(&host).exists()), (Some(placed), true));
        // A run that is to leave no traces leaves none, and has nothing to say.
        fs::remove_file(file(&host)).unwrap();
        let (settings, mut left) = (LinkSettings { traces: Traces::Remove, ..host.settings() }, None);
        let failed = error(reach_leaving(&target, &settings, &links, &images(ECHO), &mut left).await);
        assert!(matches!(failed, LinkError::NoFolder { .. }), "{failed:?}");
        assert_eq!((left, file(&host).exists()), (None, false));
    }
}

/// A tmux server of a test, ended with it.
struct Tmux(PathBuf);

impl Tmux {
    fn tell(&self, words: &[&str]) -> String {
        let output = Command::new("tmux").arg("-S").arg(&self.0).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.tell(&["kill-server"]);
    }
}

#[tokio::test]
async fn a_tmux_at_a_terminal_is_typed_into() {
    let Some(_) = Counterpart::Tool("tmux").require() else { return };
    for sftp in [SftpSubsystem::External, SftpSubsystem::Missing] {
        let Some(host) = hijacked(TMUX, sftp).await else { return };
        let tmux = Tmux(host.home().join("tmux"));
        gets_in(&host, TmuxOptOut::ByTerminal).await;
        assert_eq!(tmux.tell(&["list-windows", "-F", "#{window_index}"]), "0\n", "our window is closed");
        assert_eq!(tmux.tell(&["list-clients"]), "", "and the terminal left");
    }
}

#[tokio::test]
async fn what_runs_in_a_tmux_that_was_there_is_not_typed_into() {
    let Some(_) = Counterpart::Tool("tmux").require() else { return };
    let Some(host) = hijacked(TMUX, SftpSubsystem::Missing).await else { return };
    let tmux = Tmux(host.home().join("tmux"));
    let typed = host.home().join("typed");
    // `stty` lets every key through, as an editor would.
    let program = format!("stty raw; echo ready >'{0}.ready'; cat >'{0}'", typed.display());
    let status = Command::new("tmux")
        .arg("-S")
        .arg(&tmux.0)
        .args(["-f", "/dev/null", "new-session", "-d", "-s", "ssh_tmux", &program])
        .env("HOME", host.home())
        .env("SHELL", "/bin/sh")
        .status();
    assert!(status.unwrap().success());
    eventually("the program runs", || host.home().join("typed.ready").exists()).await;
    gets_in(&host, TmuxOptOut::ByTerminal).await;
    assert_eq!(fs::read(&typed).unwrap(), b"", "nothing was typed into it");
    assert_eq!(tmux.tell(&["list-windows", "-F", "#{window_index}"]), "0\n");
    assert_eq!(tmux.tell(&["list-clients"]), "");
}

/// On both kinds of hosts: the one in this process has neither SFTP nor terminals.
async fn says_that_a_shell_ran_nothing(kind: SshServerKind) {
    let shell = Some(PathBuf::from("/bin/bash"));
    let options =
        HostOptions { shell, bashrc: Some("echo no sessions; exit 1".into()), ..HostOptions::default() };
    let Some(host) = SshHost::start(kind, options).await else { return };
    let reason = match kind {
        SshServerKind::InProcess => AutoTmux::Possible,
        SshServerKind::Sshd => AutoTmux::RuledOut,
    };
    let failed = error(go(&host.command(), &host.settings()).await);
    let LinkError::Shell { exit, said, tmux, .. } = failed else { panic!("{failed:?}") };
    assert_eq!((exit, said.as_str(), tmux), (Some(CommandExit::Status(1)), "no sessions", reason));
    assert!(!file(&host).exists(), "what is no help does not stay");
    if kind == SshServerKind::Sshd {
        // A file of the user's own is no help either, and stays.
        fs::write(file(&host), "mine").unwrap();
        let failed = error(go(&host.command(), &host.settings()).await);
        assert!(matches!(failed, LinkError::Shell { tmux: AutoTmux::RuledOut, .. }), "{failed:?}");
        assert_eq!(fs::read_to_string(file(&host)).unwrap(), "mine");
    }
}

on_boxes! {
    says_that_a_shell_ran_nothing,
}
