//! Agents and runs that are stopped, as by `kill -STOP` or a frozen container, and hold the folder.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use hfdown_tests::counterpart::{Counterpart, require_root};
use hfdown_tests::hub::{Content, HubOrigin, StallHandle, When};
use hfdown_tests::processes;
use hfdown_tests::sandbox::{Ended, Sandbox, ended};
use hfdown_tests::ssh_host::SshHost;
use tokio::process::Child;

use super::detached::{FILE, MODEL, SIZE, TOKEN, detached, gone, host, is_whole, private, public, visiting};
use super::lost::until_it_says;

/// More than it takes to notice, to end what is stopped, and to begin anew.
const BOUND: Duration = Duration::from_secs(60);

/// A run that has come to a halt in mid-file.
async fn halted(sandbox: &Sandbox, more: &[&str]) -> (Child, StallHandle) {
    sandbox.hub.model(MODEL).lfs(FILE, Content::random(7, SIZE)).commit();
    let stall = sandbox.hub.stall(1_000_000, When::file(FILE).at(HubOrigin::Cdn));
    let child = sandbox.syncing(MODEL, more).spawn().unwrap();
    stall.reached().await;
    (child, stall)
}

fn agents(sandbox: &Sandbox) -> Vec<u32> {
    sandbox.host.as_ref().map(SshHost::agent_pids).unwrap_or_default()
}

/// Stops every agent on the box.
fn stop_agents(sandbox: &Sandbox) -> Vec<u32> {
    let agents = agents(sandbox);
    assert!(!agents.is_empty());
    agents.iter().copied().for_each(processes::stop);
    agents
}

async fn in_time(child: Child) -> Ended {
    tokio::time::timeout(BOUND, ended(child)).await.expect("it ends in time")
}

async fn an_agent_that_is_stopped_is_ended_by_the_next_one_and_the_run_goes_on(sandbox: Sandbox) {
    let (mut child, stall) = halted(&sandbox, &["--link-silence", "2"]).await;
    let stopped = stop_agents(&sandbox);
    let said = until_it_says(&mut child, "reconnecting").await;
    stall.release();
    let Ended { code, .. } = in_time(child).await;
    assert_eq!(code, 0, "{}", said.await.unwrap());
    assert!(is_whole(&sandbox));
    assert!(!agents(&sandbox).iter().any(|pid| stopped.contains(pid)), "none is left behind");
}

async fn a_detached_agent_that_is_stopped_before_it_is_left_is_ended_too(sandbox: Sandbox) {
    private(&sandbox).release();
    // The small file's bytes are on their way to the controller, who is to hand them over.
    let asking = sandbox.hub.stall(1, When::file("config.json").at(HubOrigin::Hub).method("GET"));
    let mut command = sandbox.syncing(MODEL, &["--detach", "--link-silence", "2"]);
    let mut child = command.env("HF_TOKEN", TOKEN).spawn().unwrap();
    asking.reached().await;
    let stopped = stop_agents(&sandbox);
    assert_eq!(stopped.len(), 2, "a host and its relay");
    let said = until_it_says(&mut child, "reconnecting").await;
    asking.release();
    let Ended { code, .. } = in_time(child).await;
    assert_eq!(code, 0, "{}", said.await.unwrap());
    gone(&sandbox).await;
    assert!(is_whole(&sandbox));
}

async fn ctrl_c_ends_a_run_and_the_agent_that_is_stopped(sandbox: Sandbox) {
    let (child, _stall) = halted(&sandbox, &[]).await;
    stop_agents(&sandbox);
    processes::interrupt(child.id().unwrap());
    let Ended { code, stderr, .. } = in_time(child).await;
    assert_eq!(code, 130, "{stderr}");
    assert_eq!(agents(&sandbox), [0; 0], "it does not sit there for ever");
}

async fn what_is_not_the_agent_any_more_is_not_run_to_end_one(sandbox: Sandbox) {
    let (child, _stall) = halted(&sandbox, &[]).await;
    stop_agents(&sandbox);
    let folder = host(&sandbox).home().join(".cache/hfdown");
    let mut files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let agent = files.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("agent-")).unwrap();
    let (other, ran) = (folder.join("other"), folder.join("ran"));
    std::fs::write(&other, format!("#!/bin/sh\necho >'{}'\n", ran.display())).unwrap();
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::rename(&other, &agent).unwrap();
    processes::interrupt(child.id().unwrap());
    let Ended { code, stderr, .. } = in_time(child).await;
    assert_eq!(code, 130, "{stderr}");
    assert!(!ran.exists(), "it is not run");
    assert_eq!(agents(&sandbox), [0; 0], "the agent is ended all the same");
}

async fn without_retries_a_stopped_agent_is_not_left_behind(sandbox: Sandbox) {
    let (child, _stall) = halted(&sandbox, &["--link-silence", "2", "--retries", "0"]).await;
    stop_agents(&sandbox);
    let Ended { code, stderr, .. } = in_time(child).await;
    assert_eq!(code, 6, "{stderr}");
    assert_eq!(agents(&sandbox), [0; 0], "it does not sit there for ever");
}

async fn a_folder_that_another_run_holds_is_waited_for_as_long_as_was_asked_for(sandbox: Sandbox) {
    let (first, stall) = halted(&sandbox, &[]).await;
    let holder = agents(&sandbox).first().copied().or(first.id()).unwrap();
    for (seconds, waited) in [("0", ""), ("1", ", and did so for 1 s")] {
        let second = sandbox.syncing(MODEL, &["--lock-timeout", seconds]).spawn().unwrap();
        let Ended { code, stderr, .. } = in_time(second).await;
        assert_eq!(code, 6, "{stderr}");
        let expected = format!("another run holds the folder (process {holder}){waited}\n");
        assert!(stderr.contains(&expected), "{stderr}");
        assert!(stderr.contains("--lock-timeout"), "{stderr}");
    }
    stall.release();
    let Ended { code, stderr, .. } = in_time(first).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(is_whole(&sandbox));
}

async fn a_run_that_is_stopped_holds_the_folder_and_is_named(sandbox: Sandbox) {
    let (mut first, _stall) = halted(&sandbox, &[]).await;
    let holder = first.id().unwrap();
    processes::stop(holder);
    let second = sandbox.syncing(MODEL, &["--lock-timeout", "1"]).spawn().unwrap();
    let Ended { code, stderr, .. } = in_time(second).await;
    assert_eq!(code, 6, "{stderr}");
    assert!(stderr.contains(&format!("(process {holder})")), "{stderr}");
    // Ctrl-C ends the wait for one that is waited for as long as it takes.
    let mut third = sandbox.syncing(MODEL, &[]).spawn().unwrap();
    let said = until_it_says(&mut third, "waiting: another run holds the folder").await;
    processes::interrupt(third.id().unwrap());
    assert_eq!(in_time(third).await.code, 130, "{}", said.await.unwrap());
    first.kill().await.unwrap();
}

async fn a_detached_agent_that_is_stopped_is_said_to_be(sandbox: Sandbox) {
    let _stall = public(&sandbox);
    let host = detached(&sandbox, &[]).await;
    processes::stop(host.pid);
    for verb in ["attach", "stop"] {
        let Ended { code, stderr, .. } = in_time(visiting(&sandbox, verb, &[]).spawn().unwrap()).await;
        assert_eq!(code, 6, "{stderr}");
        assert!(stderr.contains(&format!("process {}, is there and does not answer", host.pid)), "{stderr}");
        assert!(stderr.contains("kill -KILL"), "{stderr}");
    }
}

async fn a_stranger_at_the_socket_of_a_detached_transfer_is_not_spoken_to(sandbox: Sandbox) {
    if Counterpart::Tool("python3").require().is_none() || !require_root() {
        return;
    }
    let stall = public(&sandbox);
    detached(&sandbox, &[]).await;
    let folder = host(&sandbox).home().join(".cache/hfdown");
    let mut files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let socket = files.find(|path| path.extension().is_some_and(|kind| kind == "socket")).unwrap();
    for path in [&folder, &socket] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    // A client that is not spoken to reads the end at once; others read nothing until they have said what they want.
    let script = "import os,socket,sys\nos.chdir(sys.argv[1]); os.setuid(int(sys.argv[3]))\n\
                  s=socket.socket(socket.AF_UNIX); s.settimeout(3); s.connect(sys.argv[2])\n\
                  try: print('end' if s.recv(1)==b'' else 'words')\nexcept TimeoutError: print('open')\n";
    for (user, expected) in [("65534", "end\n"), ("0", "open\n")] {
        let mut command = tokio::process::Command::new("python3");
        command.args(["-c", script]).arg(&folder).arg(socket.file_name().unwrap()).arg(user);
        let output = command.output().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{output:?}");
    }
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    stall.release();
    gone(&sandbox).await;
    assert!(is_whole(&sandbox));
}

on_boxes! {
    a_detached_agent_that_is_stopped_is_said_to_be,
    a_stranger_at_the_socket_of_a_detached_transfer_is_not_spoken_to,
    an_agent_that_is_stopped_is_ended_by_the_next_one_and_the_run_goes_on,
    a_detached_agent_that_is_stopped_before_it_is_left_is_ended_too,
    ctrl_c_ends_a_run_and_the_agent_that_is_stopped,
    what_is_not_the_agent_any_more_is_not_run_to_end_one,
    without_retries_a_stopped_agent_is_not_left_behind,
}

everywhere! {
    a_folder_that_another_run_holds_is_waited_for_as_long_as_was_asked_for,
}

here! {
    a_run_that_is_stopped_holds_the_folder_and_is_named,
}
