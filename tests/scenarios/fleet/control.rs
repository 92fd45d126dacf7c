//! What bounds a fleet and what stops it: `--jobs`, `--timeout`, `--fail-fast`, Ctrl-C; and a fleet that is left alone.

use std::time::Duration;

use hfdown_tests::fleet::{FOLDER, Fleet};
use hfdown_tests::hub::{Content, HubOrigin, StallHandle, When};
use hfdown_tests::processes;
use hfdown_tests::proxy::Proxy;
use hfdown_tests::sandbox::{Ended, Sandbox, ended, run};
use hfdown_tests::ssh_host::HostOptions;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

const MODEL: &str = "acme/large";
const FILE: &str = "model.safetensors";
const SIZE: u64 = 20_000_000;
/// Where connections stop, until they are let go on.
const STOP: u64 = 1_000_000;

/// A Hub whose CDN stops in mid-file, and boxes.
struct Halting {
    sandbox: Sandbox,
    fleet: Fleet,
    stall: StallHandle,
}

impl Halting {
    async fn with(boxes: usize) -> Self {
        let sandbox = super::hub_alone().await;
        sandbox.hub.model(MODEL).lfs(FILE, Content::random(7, SIZE)).commit();
        let stall = sandbox.hub.stall(STOP, When::file(FILE).at(HubOrigin::Cdn));
        Self { sandbox, fleet: Fleet::of(boxes).await, stall }
    }

    /// A verb for all boxes.
    fn command(&self, verb: &[&str], more: &[&str]) -> Command {
        let hosts = self.fleet.hosts_file();
        self.sandbox.hfdown([verb, &["--hosts", &hosts, FOLDER, "--json"], more].concat())
    }

    /// One connection for each box, so that what has stopped can be counted.
    fn syncing(&self, more: &[&str]) -> Command {
        self.command(&["rsync-to-vast", MODEL], &[&["--connections", "1"], more].concat())
    }

    fn whole(&self) -> usize {
        let content = Content::random(7, SIZE).to_vec();
        self.fleet
            .boxes()
            .iter()
            .filter(|there| there.read(FILE).is_some_and(|bytes| bytes == content))
            .count()
    }

    fn agents(&self) -> Vec<u32> {
        self.fleet.boxes().iter().flat_map(|there| there.host.agent_pids()).collect()
    }

    async fn until_no_agent_is_left(&self) {
        let left = async {
            while !self.agents().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), left).await.expect("they end");
    }
}

/// Outcomes by box, sorted, and how the fleet ended.
fn outcomes(stdout: &str) -> (Vec<String>, Value) {
    let events: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of =
        |kind: &str| events.iter().filter(move |event| event["type"] == kind).cloned().collect::<Vec<_>>();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut boxes: Vec<_> = of("box_finished")
        .iter()
        .map(|event| format!("{} {}", text(&event["box"]), text(&event["outcome"])))
        .collect();
    boxes.sort();
    let fleet = of("fleet_finished");
    assert_eq!(fleet.len(), 1, "one object for all: {stdout}");
    assert_eq!(events.last(), fleet.first(), "it is the last one");
    (boxes, fleet[0].clone())
}

#[tokio::test]
async fn no_more_boxes_than_jobs_are_worked_on_at_once() {
    let halting = Halting::with(5).await;
    let child = halting.syncing(&["--jobs", "2"]).spawn().unwrap();
    halting.stall.reached_by(2).await;
    let reached = halting.fleet.boxes().iter().filter(|there| there.host.connections() > 0).count();
    assert_eq!(reached, 2);
    halting.stall.release();
    let Ended { code, stdout, stderr } = ended(child).await;
    assert_eq!((code, halting.whole()), (0, 5), "{stderr}");
    assert_eq!(outcomes(&stdout).0.iter().filter(|text| text.ends_with(" done")).count(), 5, "{stdout}");
}

#[tokio::test]
async fn a_box_that_takes_too_long_is_given_up_alone() {
    let mut halting = Halting::with(3).await;
    halting.stall.release();
    let silent = halting.fleet.named_mut("gpu002");
    let proxy = Proxy::to(silent.host.port()).await;
    proxy.go_silent();
    silent.reached_by(proxy);
    let Ended { code, stdout, stderr } = run(halting.syncing(&["--timeout", "8"])).await;
    assert_eq!(code, 3, "{stderr}");
    assert_eq!(outcomes(&stdout).0, ["gpu001 done", "gpu002 timed_out", "gpu003 done"], "{stdout}");
    assert_eq!(halting.whole(), 2);
    assert!(stderr.contains("gpu002") && stderr.contains("given up after 8.0 s"), "{stderr}");
    // All of them for the one reason.
    let hosts = halting.fleet.hosts_file();
    let words = ["rsync-to-vast", MODEL, "--hosts", &hosts, FOLDER, "--select", "gpu002", "--timeout", "2"];
    assert_eq!(run(halting.sandbox.hfdown(words)).await.code, 6);
}

#[tokio::test]
async fn with_fail_fast_one_failure_stops_the_others_and_what_arrived_is_kept() {
    let mut halting = Halting::with(2).await;
    // What it is let in by comes when the others have begun.
    let refusing = halting.fleet.add("stranger", HostOptions::default()).await;
    let (port, key) = (refusing.host.port(), refusing.host.command_without_key());
    let proxy = Proxy::to(port).await;
    proxy.go_silent();
    let list = halting
        .fleet
        .hosts()
        .lines()
        .filter(|line| !line.starts_with("stranger"))
        .fold(String::new(), |list, line| list + line + "\n");
    let stranger = key.replace(&port.to_string(), &proxy.port().to_string());
    let hosts = halting.sandbox.scratch().join("hosts");
    std::fs::write(&hosts, format!("{list}stranger = {stranger}\n")).unwrap();
    let hosts = hosts.to_str().unwrap();
    let words = ["rsync-to-vast", MODEL, "--hosts", hosts, FOLDER, "--json", "--connections", "1"];
    let child = halting.sandbox.hfdown(words.iter().chain(&["--fail-fast", "--wait", "0"])).spawn().unwrap();
    halting.stall.reached_by(2).await;
    proxy.speak_again();
    let Ended { code, stdout, stderr } = ended(child).await;
    assert_eq!(code, 3, "{stderr}");
    let (boxes, _) = outcomes(&stdout);
    assert_eq!(boxes, ["gpu001 stopped", "gpu002 stopped", "stranger failed"], "{stdout}");
    halting.until_no_agent_is_left().await;
    halting.stall.release();
    // The next run goes on, and the good boxes are not kept from it by the bad one.
    let before = halting.sandbox.hub.bytes_sent(HubOrigin::Cdn);
    let again = run(halting.sandbox.hfdown(words.iter().chain(&["--wait", "0"]))).await;
    assert_eq!((again.code, halting.whole()), (3, 2), "{}", again.stderr);
    let sent = halting.sandbox.hub.bytes_sent(HubOrigin::Cdn) - before;
    assert!(sent < 2 * SIZE, "what had arrived was not fetched again: {sent}");
}

#[tokio::test]
async fn with_fail_fast_boxes_whose_turn_has_not_come_are_not_begun() {
    let mut halting = Halting::with(2).await;
    halting.stall.release();
    let first = halting.fleet.named_mut("gpu001").host.command_without_key();
    let second = halting.fleet.named("gpu002").host.command();
    let words = ["rsync-to-vast", MODEL, &first, &second, FOLDER, "--json", "--jobs", "1", "--fail-fast"];
    let Ended { code, stdout, stderr } =
        run(halting.sandbox.hfdown(words.iter().chain(&["--wait", "0"]))).await;
    assert_eq!(code, 3, "{stderr}");
    let (boxes, _) = outcomes(&stdout);
    for end in [" failed", " not_begun"] {
        assert_eq!(boxes.iter().filter(|text| text.ends_with(end)).count(), 1, "{stdout}");
    }
    assert_eq!(halting.fleet.named("gpu002").host.connections(), 0);
}

#[tokio::test]
async fn ctrl_c_stops_all_boxes_in_good_order() {
    let halting = Halting::with(3).await;
    let child = halting.syncing(&[]).spawn().unwrap();
    halting.stall.reached_by(3).await;
    processes::interrupt(child.id().unwrap());
    let Ended { code, stdout, stderr } = ended(child).await;
    assert_eq!(code, 130, "{stderr}");
    let (boxes, fleet) = outcomes(&stdout);
    assert_eq!(boxes, ["gpu001 stopped", "gpu002 stopped", "gpu003 stopped"], "{stdout}");
    assert_eq!(fleet["exit_code"], 130);
    halting.until_no_agent_is_left().await;
    halting.stall.release();
    let again = run(halting.syncing(&[])).await;
    assert_eq!((again.code, halting.whole()), (0, 3), "{}", again.stderr);
}

#[tokio::test]
async fn a_second_ctrl_c_waits_for_no_box() {
    let halting = Halting::with(3).await;
    let mut child = halting.syncing(&[]).spawn().unwrap();
    halting.stall.reached_by(3).await;
    let agents = halting.agents();
    agents.iter().copied().for_each(processes::stop);
    processes::interrupt(child.id().unwrap());
    // Two at once would be one.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !lines.next_line().await.unwrap().expect("it goes on").contains("cancelling") {}
    processes::interrupt(child.id().unwrap());
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    while let Some(line) = lines.next_line().await.unwrap() {
        assert!(!line.contains("fleet_finished"), "nothing was waited for: {line}");
    }
    agents.iter().copied().for_each(processes::kill);
}

#[tokio::test]
async fn a_fleet_is_left_to_itself_and_joined_again() {
    let halting = Halting::with(3).await;
    let Ended { code, stdout, stderr } = run(halting.syncing(&["--detach"])).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(outcomes(&stdout).0, ["gpu001 detached", "gpu002 detached", "gpu003 detached"], "{stdout}");
    assert!(halting.agents().len() >= 3);
    let child = halting.command(&["attach"], &[]).spawn().unwrap();
    halting.stall.reached_by(3).await;
    halting.stall.release();
    let Ended { code, stdout, stderr } = ended(child).await;
    assert_eq!((code, halting.whole()), (0, 3), "{stderr}");
    assert_eq!(outcomes(&stdout).0, ["gpu001 done", "gpu002 done", "gpu003 done"], "{stdout}");
    halting.until_no_agent_is_left().await;
}

#[tokio::test]
async fn what_was_left_alone_is_stopped_on_all_boxes() {
    let halting = Halting::with(2).await;
    assert_eq!(run(halting.syncing(&["--detach"])).await.code, 0);
    halting.stall.reached_by(2).await;
    let Ended { code, stderr, .. } = run(halting.command(&["stop"], &[])).await;
    assert_eq!(code, 0, "{stderr}");
    halting.until_no_agent_is_left().await;
    assert_eq!(halting.whole(), 0);
    halting.stall.release();
    let again = run(halting.syncing(&[])).await;
    assert_eq!((again.code, halting.whole()), (0, 2), "{}", again.stderr);
}
