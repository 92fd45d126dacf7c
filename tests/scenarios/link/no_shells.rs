//! Servers and accounts that are for something else than running commands, by the programs that really are their shells where
//! this machine has them, and by what the others print.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use hfdown::link::{CommandExit, LinkError, LinkSettings, ShellKind};
use hfdown_tests::counterpart::Counterpart;
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox};
use hfdown_tests::ssh_host::{CommandPolicy, HostOptions, SshHost, SshServerKind};

use super::echo::{error, go};
use crate::places::HFDOWN;

fn with_shell(shell: PathBuf) -> HostOptions {
    HostOptions { shell: Some(shell), ..HostOptions::default() }
}

/// A login shell that prints this and ends like that, whatever it is told.
fn script(folder: &Path, said: &str, status: u8) -> PathBuf {
    let path = folder.join("shell");
    fs::write(&path, format!("#!/bin/sh\ncat <<'END'\n{said}\nEND\nexit {status}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// What is said of a host, on which nothing is left.
async fn told(host: &SshHost) -> LinkError {
    let failed = error(go(&host.command(), &host.settings()).await);
    assert!(!failed.is_of_the_moment(), "{failed:?}");
    assert!(!host.home().join(".no_auto_tmux").exists() && !host.home().join(".cache").exists());
    failed
}

async fn is(host: &SshHost, expected: ShellKind, printed: &str) {
    let failed = told(host).await;
    let LinkError::NoShell { kind, said, .. } = &failed else { panic!("{failed:?}") };
    assert_eq!(*kind, expected, "{failed}");
    assert!(said.contains(printed), "{failed}");
    assert!(!said.contains("uname"), "our own command says nothing: {failed}");
}

async fn the_shells_of_accounts_that_run_nothing_are_called_what_they_are(kind: SshServerKind) {
    for (program, expected, printed) in [
        ("git-shell", ShellKind::GitServer, "fatal: unrecognized command 'exec …'"),
        ("nologin", ShellKind::NoLogin, "This account is currently not available."),
        ("rbash", ShellKind::Restricted, "exec: restricted"),
    ] {
        let Some(shell) = Counterpart::Tool(program).require() else { continue };
        let Some(host) = SshHost::start(kind, with_shell(shell)).await else { return };
        is(&host, expected, printed).await;
    }
    let Some(host) = SshHost::start(kind, with_shell("/bin/false".into())).await else { return };
    let failed = told(&host).await;
    let LinkError::Shell { exit: Some(CommandExit::Status(1)), said, .. } = &failed else {
        panic!("{failed:?}")
    };
    assert_eq!(said, "", "{failed}");
}

async fn other_systems_are_known_by_what_they_print(kind: SshServerKind) {
    for (printed, status, expected) in [
        (
            "'exec' is not recognized as an internal or external command,\r\noperable program or batch file.",
            1,
            ShellKind::Windows,
        ),
        (
            "exec : The term 'exec' is not recognized as the name of a cmdlet, function, script file",
            1,
            ShellKind::Windows,
        ),
        ("          ^\n% Invalid input detected at '^' marker.", 0, ShellKind::Device),
        ("bad command name exec (line 1 column 1)", 0, ShellKind::Device),
        ("Error: Your SSH client doesn't support PTY", 1, ShellKind::TerminalOnly),
        (
            "Hi acme! You've successfully authenticated, but GitHub does not provide shell access.",
            1,
            ShellKind::GitServer,
        ),
        ("Welcome to GitLab, @acme!", 0, ShellKind::GitServer),
        ("This account is restricted by rssh.\nAllowed commands: scp sftp", 1, ShellKind::FilesOnly),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let shell = script(folder.path(), printed, status);
        let Some(host) = SshHost::start(kind, with_shell(shell)).await else { return };
        is(&host, expected, printed.lines().next().unwrap().trim()).await;
    }
}

/// On standard output as on standard error, however it is quoted.
async fn our_own_command_is_not_quoted_back(kind: SshServerKind) {
    for (quoting, told) in [
        ("printf 'Unknown command: %s\\n' \"$2\"", "Unknown command: exec …"),
        ("printf '%% Invalid input detected at %s\\n' \"$2\" >&2", "% Invalid input detected at exec …"),
        (
            "printf '+ %s\\n+ FullyQualifiedErrorId\\n' \"$2\" | fold -w 60",
            "+ exec … · + FullyQualifiedErrorId",
        ),
        ("printf '%s' \"$2\"", "exec …"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let shell = folder.path().join("shell");
        fs::write(&shell, format!("#!/bin/sh\n{quoting}\nexit 1\n")).unwrap();
        fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).unwrap();
        let Some(host) = SshHost::start(kind, with_shell(shell)).await else { return };
        let failed = self::told(&host).await;
        let (LinkError::NoShell { said, .. } | LinkError::Shell { said, .. }) = &failed else {
            panic!("{failed:?}")
        };
        assert_eq!(said, told, "{failed}");
    }
}

/// By the real server's own configuration.
#[tokio::test]
async fn a_server_that_forces_sftp_or_a_command_is_told() {
    let configured =
        |lines: &str| HostOptions { configuration: Some(lines.to_owned()), ..HostOptions::default() };
    let Some(host) = SshHost::start(SshServerKind::Sshd, configured("ForceCommand internal-sftp")).await
    else {
        return;
    };
    is(&host, ShellKind::FilesOnly, "This service allows sftp connections only.").await;
    let forced = configured("ForceCommand echo hello from cron");
    let Some(host) = SshHost::start(SshServerKind::Sshd, forced).await else { return };
    let failed = told(&host).await;
    let LinkError::Shell { exit: Some(CommandExit::Status(0)), said, .. } = &failed else {
        panic!("{failed:?}")
    };
    assert_eq!(said, "hello from cron");
}

/// A proxy like that of pods, whichever way it does not run a command. A terminal is looked at, and nothing is typed into it.
#[tokio::test]
async fn a_server_that_gives_only_a_terminal_is_said_to() {
    for commands in [CommandPolicy::TerminalOnly, CommandPolicy::Unanswered, CommandPolicy::Closed] {
        let options = HostOptions { commands, ..HostOptions::default() };
        let Some(host) = SshHost::start(SshServerKind::InProcess, options).await else { return };
        let greeting_timeout = std::time::Duration::from_secs(2);
        let settings = LinkSettings { greeting_timeout, ..host.settings() };
        let failed = error(go(&host.command(), &settings).await);
        let LinkError::NoShell { kind: ShellKind::TerminalOnly, said, .. } = &failed else {
            panic!("{commands:?}: {failed:?}")
        };
        assert_eq!(said, "-- RUNPOD.IO -- · Enjoy your Pod · #", "{commands:?}");
        assert_eq!(host.asked_for(), ["shell"], "nothing is typed");
    }
    let options = HostOptions { commands: CommandPolicy::Refuses, ..HostOptions::default() };
    let Some(host) = SshHost::start(SshServerKind::InProcess, options).await else { return };
    let failed = told(&host).await;
    assert!(matches!(failed, LinkError::NoExec { .. }), "{failed:?}");
}

async fn a_run_to_a_terminal_ends_with_the_way_round_it(place: DestinationKind) {
    let folder = tempfile::tempdir().unwrap();
    let options = match place {
        DestinationKind::InProcess => {
            HostOptions { commands: CommandPolicy::TerminalOnly, ..HostOptions::default() }
        }
        _ => with_shell(script(folder.path(), "Error: Your SSH client doesn't support PTY", 1)),
    };
    let Some(sandbox) = Sandbox::start_with(place, HFDOWN, options).await else { return };
    sandbox.hub.model("acme/small").file("config.json", "{}").commit();
    for more in [&[][..], &["--dry-run"], &["--detach"], &["--no-trace"]] {
        let Ended { code, stderr, .. } = sandbox.sync("acme/small", more).await;
        assert_eq!(code, 4, "{more:?}: {stderr}");
        assert!(stderr.contains("gives only a terminal, and runs no commands: "), "{stderr}");
        assert!(stderr.contains("\nhint: take the ") && stderr.contains("SSH over exposed TCP"), "{stderr}");
    }
}

on_boxes! {
    the_shells_of_accounts_that_run_nothing_are_called_what_they_are,
    other_systems_are_known_by_what_they_print,
    our_own_command_is_not_quoted_back,
    a_run_to_a_terminal_ends_with_the_way_round_it,
}
