//! Agents that a box kills, as it does when its memory runs short: the run goes on with a new one.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use hfdown_tests::processes;
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, ended};
use hfdown_tests::ssh_host::{CommandPolicy, HostOptions};

use super::detached::{detached, gone, is_whole, public, visiting};
use super::lost::{HaltedRun, MODEL, assert_whole, halted, host, until_it_says};
use crate::places::HFDOWN;

const OUT_OF_MEMORY: &str = " was killed (signal 9): out of memory?";

/// Sends each agent a signal and waits until it is gone.
async fn end_by(signal: &str, sandbox: &Sandbox, agents: &[u32]) {
    for pid in agents {
        processes::signal(*pid, signal);
    }
    while host(sandbox).agent_pids().iter().any(|pid| agents.contains(pid)) {
        tokio::task::yield_now().await;
    }
}

/// What each reconnection of a run that printed JSON was for.
fn reasons(stdout: &str) -> Vec<String> {
    let events = stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let reconnecting = events.filter(|event| event["type"] == "reconnecting");
    reconnecting.map(|event| event["why"].as_str().unwrap().to_owned()).collect()
}

async fn an_agent_that_is_killed_in_mid_file_is_followed_by_a_new_one(sandbox: Sandbox) {
    let HaltedRun { proxy: _proxy, stall, child, agents, .. } = halted(&sandbox, &["--json"]).await;
    end_by("KILL", &sandbox, &agents).await;
    stall.release();
    let Ended { code, stdout, stderr } = ended(child).await;
    assert_eq!(code, 0, "{stderr}");
    assert_whole(&sandbox);
    let reasons = reasons(&stdout);
    let [why] = reasons.as_slice() else { panic!("{stdout}") };
    assert!(why.starts_with("the agent on 127.0.0.1:") && why.ends_with(OUT_OF_MEMORY), "{why}");
    assert_eq!(stdout.matches(r#""type":"opened""#).count(), 2, "{stdout}");
}

async fn other_signals_are_called_by_their_names(sandbox: Sandbox) {
    // OpenSSH has no name for the last one.
    for (signal, words) in [
        ("TERM", " was killed (signal 15, SIGTERM): is the box being stopped?"),
        ("HUP", " was killed (signal 1, SIGHUP): is the box being stopped?"),
        ("XCPU", " was killed (by a signal that its SSH server does not name)"),
    ] {
        let HaltedRun { proxy: _proxy, stall, child, agents, .. } = halted(&sandbox, &["--json"]).await;
        end_by(signal, &sandbox, &agents).await;
        stall.release();
        let Ended { code, stdout, stderr } = ended(child).await;
        assert_eq!(code, 0, "{signal}: {stderr}");
        let reasons = reasons(&stdout);
        assert!(reasons.len() == 1 && reasons[0].ends_with(words), "{signal}: {reasons:?}");
        // The next signal is for the agents of the next run alone.
        while !host(&sandbox).agent_pids().is_empty() {
            tokio::task::yield_now().await;
        }
        std::fs::remove_dir_all(sandbox.root()).unwrap();
    }
}

/// Its own doing, as an assertion or an allocation that fails: another one would do the same.
async fn an_agent_that_aborts_is_not_started_again(sandbox: Sandbox) {
    let HaltedRun { proxy: _proxy, child, agents, .. } = halted(&sandbox, &[]).await;
    end_by("ABRT", &sandbox, &agents).await;
    let Ended { code, stderr, .. } = ended(child).await;
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains(" crashed (signal 6, SIGABRT)"), "{stderr}");
    assert!(!stderr.contains("reconnecting"), "{stderr}");
}

async fn a_box_that_kills_every_agent_is_given_up(sandbox: Sandbox) {
    let HaltedRun { proxy: _proxy, stall: _stall, mut child, .. } =
        halted(&sandbox, &["--retries", "2"]).await;
    let said = until_it_says(&mut child, "").await;
    while child.try_wait().unwrap().is_none() {
        host(&sandbox).agent_pids().into_iter().for_each(processes::kill);
        tokio::task::yield_now().await;
    }
    let (code, said) = (ended(child).await.code, said.await.unwrap());
    assert_eq!(code, 1, "{said}");
    assert_eq!(said.matches("reconnecting in").count(), 2, "{said}");
    assert!(said.contains("(signal 9): out of memory?"), "{said}");
    assert!(said.contains("it was started again 2 times"), "{said}");
    assert!(
        said.contains("\nhint: ") && said.contains("give the box, or its container, more memory"),
        "{said}"
    );
    assert!(sandbox.claimed() > 0, "what has arrived is kept");
}

/// A folder that another run holds is waited for; the agent that waits is killed, and the next one waits.
async fn an_agent_that_is_killed_before_it_has_the_folder_is_followed_by_a_new_one(sandbox: Sandbox) {
    let HaltedRun { proxy: _proxy, stall, child: first, agents, .. } = halted(&sandbox, &[]).await;
    let mut second = sandbox.syncing(MODEL, &[]).spawn().unwrap();
    let said = until_it_says(&mut second, "waiting: another run holds the folder").await;
    let waiting: Vec<u32> =
        host(&sandbox).agent_pids().into_iter().filter(|pid| !agents.contains(pid)).collect();
    assert_eq!(waiting.len(), 1);
    end_by("KILL", &sandbox, &waiting).await;
    stall.release();
    assert_eq!(ended(first).await.code, 0);
    let code = ended(second).await.code;
    let said = said.await.unwrap();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(OUT_OF_MEMORY) && said.contains("reconnecting in 0."), "{said}");
    assert_whole(&sandbox);
}

/// Who watches a detached transfer and loses the agent that relays it gets another one; the transfer notices nothing.
async fn a_relay_that_is_killed_is_followed_by_a_new_one(sandbox: Sandbox) {
    let stall = public(&sandbox);
    let transfer = detached(&sandbox, &[]).await;
    stall.reached_by(4).await;
    let mut attach = visiting(&sandbox, "attach", &[]).spawn().unwrap();
    let said = until_it_says(&mut attach, "detached ").await;
    let relays: Vec<u32> =
        host(&sandbox).agent_pids().into_iter().filter(|pid| *pid != transfer.pid).collect();
    assert_eq!(relays.len(), 1);
    end_by("KILL", &sandbox, &relays).await;
    stall.release();
    let (code, said) = (ended(attach).await.code, said.await.unwrap());
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(OUT_OF_MEMORY), "{said}");
    gone(&sandbox).await;
    assert!(is_whole(&sandbox));
}

/// Not every server has a word for it: then it is a link that broke.
#[tokio::test]
async fn a_server_that_says_no_signal_has_lost_the_link() {
    let options = HostOptions { commands: CommandPolicy::RunsWithoutStatus, ..HostOptions::default() };
    let sandbox = Sandbox::start_with(DestinationKind::InProcess, HFDOWN, options).await.unwrap();
    let HaltedRun { proxy: _proxy, stall, child, agents, .. } = halted(&sandbox, &["--json"]).await;
    end_by("KILL", &sandbox, &agents).await;
    stall.release();
    let Ended { code, stdout, stderr } = ended(child).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(reasons(&stdout), ["the link to the agent broke: the box closed it without a word"]);
    assert_whole(&sandbox);
}

/// A box that allows so little that no agent comes up is told at once, with what to look at.
async fn a_box_without_memory_for_an_agent_is_told(place: DestinationKind) {
    let shell = Some("/bin/bash".into());
    let bashrc = Some("ulimit -v 20000".to_owned());
    let options = HostOptions { shell, bashrc, ..HostOptions::default() };
    let Some(sandbox) = Sandbox::start_with(place, HFDOWN, options).await else { return };
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
    let Ended { code, stderr, .. } = sandbox.sync(MODEL, &[]).await;
    assert_eq!(code, 1, "{stderr}");
    let hint = stderr.split_once("\nhint: ").unwrap().1;
    assert!(stderr.contains("the agent on 127.0.0.1:") && hint.contains("memory"), "{stderr}");
    assert!(!stderr.contains("reconnecting"), "{stderr}");
}

/// Some login shells stay beside the command, and report its signal as shells do.
async fn a_shell_that_says_137_has_said_it(kind: DestinationKind) {
    let folder = tempfile::tempdir().unwrap();
    let shell = folder.path().join("shell");
    std::fs::write(&shell, "#!/bin/sh\n/bin/sh \"$@\"\nexit $?\n").unwrap();
    std::fs::set_permissions(&shell, std::fs::Permissions::from_mode(0o755)).unwrap();
    let options = HostOptions { shell: Some(shell), ..HostOptions::default() };
    let Some(sandbox) = Sandbox::start_with(kind, HFDOWN, options).await else { return };
    let HaltedRun { proxy: _proxy, stall, mut child, agents, .. } = halted(&sandbox, &[]).await;
    let said = until_it_says(&mut child, "").await;
    // The agent alone, whose own arguments begin with its file; not the shell that was told to start it.
    let is_agent = |pid: &u32| {
        let words = processes::Process { pid: *pid }.arguments();
        words.first().is_some_and(|word| word.contains("/agent-"))
    };
    let agents: Vec<u32> = agents.into_iter().filter(is_agent).collect();
    end_by("KILL", &sandbox, &agents).await;
    stall.release();
    let code = tokio::time::timeout(Duration::from_secs(60), ended(child)).await.unwrap().code;
    let said = said.await.unwrap();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(OUT_OF_MEMORY), "{said}");
    assert_whole(&sandbox);
}

on_boxes! {
    an_agent_that_is_killed_in_mid_file_is_followed_by_a_new_one,
    other_signals_are_called_by_their_names,
    an_agent_that_aborts_is_not_started_again,
    a_box_that_kills_every_agent_is_given_up,
    an_agent_that_is_killed_before_it_has_the_folder_is_followed_by_a_new_one,
    a_relay_that_is_killed_is_followed_by_a_new_one,
    a_shell_that_says_137_has_said_it,
    a_box_without_memory_for_an_agent_is_told,
}
