//! Login shells that let a user in and run nothing, or that leave something behind which holds the channel.

use std::path::PathBuf;
use std::time::Duration;

use hfdown::link::{AgentOrigin, AutoTmux, CommandExit, LinkError, LinkSettings, ShellKind};
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox};
use hfdown_tests::ssh_host::{HostOptions, SshHost, SshServerKind};
use tokio::io::AsyncWriteExt as _;

use super::echo::{ECHO, error, go, go_with, images, talk};
use crate::places::HFDOWN;

/// A host whose bash reads this first.
fn bash(bashrc: &str) -> HostOptions {
    let shell = Some(PathBuf::from("/bin/bash"));
    HostOptions { shell, bashrc: Some(bashrc.to_owned()), ..HostOptions::default() }
}

/// Patience that a shell which waits does not outlast.
const SHORT: Duration = Duration::from_secs(2);
/// Patience that no scenario outlasts.
const LONG: Duration = Duration::from_secs(3600);

async fn a_start_up_file_that_waits_is_told_with_what_it_printed(kind: SshServerKind) {
    for (bashrc, printed) in [
        ("read answer", ""),
        ("printf 'Loading \\033[1mmodules\\n'; sleep 1000", "Loading [1mmodules"),
        ("echo mounting /data >&2; exec sleep 1000", "mounting /data"),
        ("exec sh", ""),
    ] {
        let Some(host) = SshHost::start(kind, bash(bashrc)).await else { return };
        let settings = LinkSettings { greeting_timeout: SHORT, ..host.settings() };
        let failed = error(go(&host.command(), &settings).await);
        assert!(!failed.is_of_the_moment(), "it is not asked again for minutes");
        let words = failed.to_string();
        assert!(
            words.contains(" let us in, but its shell runs nothing (we waited for it for 2 s); it printed"),
            "{words}"
        );
        let LinkError::Shell { exit: None, waited: Some(SHORT), said, tmux, .. } = failed else {
            panic!("{bashrc}: {failed:?}")
        };
        assert_eq!((said.as_str(), tmux), (printed, AutoTmux::RuledOut), "{bashrc}");
        assert!(!host.home().join(".no_auto_tmux").exists(), "nothing was placed or typed");
        assert!(!host.home().join(".cache").exists());
    }
}

async fn a_start_up_file_that_asks_or_starts_another_shell_is_called_that(kind: SshServerKind) {
    for (bashrc, expected) in [
        ("printf '1) start\\n2) stop\\nYour choice: '; sleep 1000", ShellKind::Menu),
        ("[ -n \"$ONCE\" ] || { export ONCE=1; exec bash -i; }", ShellKind::AnotherShell),
    ] {
        let Some(host) = SshHost::start(kind, bash(bashrc)).await else { return };
        let settings = LinkSettings { greeting_timeout: SHORT, ..host.settings() };
        let failed = error(go(&host.command(), &settings).await);
        let LinkError::NoShell { kind, said, .. } = &failed else { panic!("{failed:?}") };
        assert_eq!(*kind, expected, "{failed}");
        assert!(!said.is_empty(), "{failed}");
    }
}

async fn a_start_up_file_that_ends_the_session_is_told_with_what_it_printed(kind: SshServerKind) {
    for (bashrc, exit, printed) in [
        ("echo backup of 3 files done; exit 0", 0, "backup of 3 files done"),
        ("exit 3", 3, ""),
        ("echo closed for repairs >&2; exit 1", 1, "closed for repairs"),
    ] {
        let Some(host) = SshHost::start(kind, bash(bashrc)).await else { return };
        let failed = error(go(&host.command(), &host.settings()).await);
        let LinkError::Shell { exit: seen, waited: None, said, .. } = &failed else { panic!("{failed:?}") };
        assert_eq!((seen.as_ref(), said.as_str()), (Some(&CommandExit::Status(exit)), printed), "{failed}");
        assert!(
            failed.to_string().contains(" let us in, but its shell runs nothing (exit status "),
            "{failed}"
        );
        assert!(!host.home().join(".no_auto_tmux").exists(), "what is no help does not stay");
    }
}

/// The command comes with the request, and the agent's file only when the script is there to take it.
async fn what_a_start_up_file_reads_is_not_the_agents_file(kind: SshServerKind) {
    for bashrc in ["read -t 1 answer", "timeout 1 cat >/dev/null", "timeout 1 head -c 100000 >/dev/null"] {
        let Some(host) = SshHost::start(kind, bash(bashrc)).await else { return };
        let images = images(&format!("{ECHO}# {}", "x".repeat(300_000)));
        for is_cached in [false, true] {
            let mut link = go_with(&host.command(), &host.settings(), &images).await.unwrap();
            assert_eq!(link.origin == AgentOrigin::Cached, is_cached, "{bashrc}");
            talk(&mut link).await;
        }
    }
}

/// Nothing waits for the channel: the patience here is longer than the scenario may take, and so is the background job.
async fn goes_on_beside(host: &SshHost) {
    let settings = LinkSettings { greeting_timeout: LONG, ..host.settings() };
    for is_cached in [false, true] {
        let mut link = go(&host.command(), &settings).await.unwrap();
        assert_eq!(link.origin == AgentOrigin::Cached, is_cached);
        assert_eq!(link.tmux_opt_out, None);
        talk(&mut link).await;
        link.writer.shutdown().await.unwrap();
        let ending = link.guard.close(LONG).await;
        assert_eq!((ending.exit, ending.closed), (Some(CommandExit::Status(7)), true));
    }
    // No agent for this box: the script's own end is what is waited for.
    host.put_program("mkdir", "exit 1");
    let failed = error(go_with(&host.command(), &settings, &images("#!/bin/sh\n")).await);
    assert!(matches!(failed, LinkError::NoFolder { .. }), "{failed:?}");
}

async fn a_background_job_that_holds_the_channel_costs_no_waiting(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, bash("sleep 1000 &")).await else { return };
    goes_on_beside(&host).await;
}

/// A channel that is held counts as long as it is not closed.
#[tokio::test]
async fn a_server_of_one_channel_is_not_held_up_by_a_background_job() {
    let options = HostOptions { channels: Some(1), ..bash("sleep 1000 &") };
    let Some(host) = SshHost::start(SshServerKind::Sshd, options).await else { return };
    tokio::time::timeout(Duration::from_secs(200), goes_on_beside(&host)).await.unwrap();
}

async fn a_whole_run_goes_by_a_background_job(place: DestinationKind) {
    let Some(sandbox) = Sandbox::start_with(place, HFDOWN, bash("sleep 1000 &")).await else { return };
    sandbox.hub.model("acme/small").file("config.json", "{}").commit();
    for more in [&["--no-trace"][..], &[]] {
        let Ended { code, stderr, .. } = sandbox.sync("acme/small", more).await;
        assert_eq!(code, 0, "{stderr}");
        assert!(!stderr.contains("could not be removed"), "{stderr}");
    }
    assert_eq!(sandbox.files(), ["config.json"]);
}

async fn a_run_to_a_shell_that_waits_ends_with_what_to_do(place: DestinationKind) {
    let options = bash("echo Loading modules; sleep 1000");
    let Some(sandbox) = Sandbox::start_with(place, HFDOWN, options).await else { return };
    sandbox.hub.model("acme/small").file("config.json", "{}").commit();
    let Ended { code, stderr, .. } = sandbox.sync("acme/small", &[]).await;
    assert_eq!(code, 1, "{stderr}");
    let told =
        "let us in, but its shell runs nothing (we waited for it for 20 s); it printed: Loading modules\n";
    assert!(stderr.contains(told), "{stderr}");
    assert!(stderr.contains("\nhint: a start-up file of that shell"), "{stderr}");
    assert!(!stderr.contains("asking again") && !stderr.contains("reconnecting"), "{stderr}");
}

on_boxes! {
    a_start_up_file_that_waits_is_told_with_what_it_printed,
    a_start_up_file_that_asks_or_starts_another_shell_is_called_that,
    a_start_up_file_that_ends_the_session_is_told_with_what_it_printed,
    what_a_start_up_file_reads_is_not_the_agents_file,
    a_background_job_that_holds_the_channel_costs_no_waiting,
    a_whole_run_goes_by_a_background_job,
    a_run_to_a_shell_that_waits_ends_with_what_to_do,
}
