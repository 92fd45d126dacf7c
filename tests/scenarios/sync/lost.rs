//! Links that break in the middle of things, and boxes that are not ready yet.

use std::time::Duration;

use hfdown_tests::hub::{Content, HubFault, HubOrigin, When};
use hfdown_tests::processes;
use hfdown_tests::proxy::{Proxy, free_port};
use hfdown_tests::sandbox::{Ended, Sandbox, ended, run};
use hfdown_tests::ssh_host::{Keys, SshHost};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Child;
use tokio::task::JoinHandle;

pub(super) const MODEL: &str = "acme/large";
pub(super) const FILE: &str = "model.safetensors";
pub(super) const SIZE: u64 = 40_000_000;
/// Four connections have 3 MB each when they stall, less what waits to be written.
const BEGUN: u64 = 9_000_000;
/// At most this much is fetched twice: what each connection had in its hands.
const IN_HANDS: u64 = 4 * 2_000_000;

pub(super) fn publish(sandbox: &Sandbox) {
    sandbox.hub.model(MODEL).file("config.json", "{}").lfs(FILE, Content::random(7, SIZE)).commit();
}

pub(super) fn host(sandbox: &Sandbox) -> &SshHost {
    sandbox.host.as_ref().unwrap()
}

pub(super) fn assert_whole(sandbox: &Sandbox) {
    assert!(sandbox.read(FILE).is_some_and(|bytes| bytes == Content::random(7, SIZE).to_vec()));
    let sent = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    assert!(sent <= SIZE + IN_HANDS, "{sent} bytes were sent for {SIZE}");
}

/// A run through a wire that has come to a halt in mid-file.
pub(super) struct HaltedRun {
    pub(super) proxy: Proxy,
    pub(super) stall: hfdown_tests::hub::StallHandle,
    pub(super) child: Child,
    pub(super) agents: Vec<u32>,
}

pub(super) async fn halted(sandbox: &Sandbox, more: &[&str]) -> HaltedRun {
    publish(sandbox);
    let proxy = Proxy::to(host(sandbox).port()).await;
    let stall = sandbox.hub.stall(3_000_000, When::file(FILE).at(HubOrigin::Cdn));
    // As many as the stall waits for: each that comes later is sent something in vain when it is over.
    let more = [&["--connections", "4"], more].concat();
    let mut child = sandbox.syncing_via(proxy.port(), MODEL, &more).spawn().unwrap();
    stall.reached_by(4).await;
    while sandbox.claimed() < BEGUN {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be interrupted");
        tokio::task::yield_now().await;
    }
    let agents = host(sandbox).agent_pids();
    assert!(!agents.is_empty());
    HaltedRun { proxy, stall, child, agents }
}

impl HaltedRun {
    /// Waits until the agents of the broken link are gone.
    async fn left_alone(&self, sandbox: &Sandbox) {
        while host(sandbox).agent_pids().iter().any(|pid| self.agents.contains(pid)) {
            tokio::task::yield_now().await;
        }
    }
}

/// Reads what a run says until it says this; the rest is read on behind.
pub(crate) async fn until_it_says(child: &mut Child, words: &str) -> JoinHandle<String> {
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains(words) {
        assert!(lines.read_line(&mut said).await.unwrap() > 0, "it ended without `{words}`: {said}");
    }
    tokio::spawn(async move {
        // What is no text any more fails the assertion that looks for it.
        _ = lines.read_to_string(&mut said).await;
        said
    })
}

async fn a_link_that_is_cut_in_mid_file_is_made_anew(sandbox: Sandbox) {
    let halted = halted(&sandbox, &["--json"]).await;
    halted.proxy.cut();
    halted.left_alone(&sandbox).await;
    halted.stall.release();
    let Ended { code, stdout, stderr } = ended(halted.child).await;
    assert_eq!(code, 0, "{stderr}");
    assert_whole(&sandbox);
    let events: Vec<serde_json::Value> =
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((of("reconnecting"), of("opened"), of("plan"), of("finished")), (1, 2, 1, 1), "{stdout}");
    let after = events.iter().skip_while(|event| event["type"] != "reconnecting");
    for event in after {
        let done = event["done"].as_u64().filter(|_| event["type"] == "progress");
        assert!(done.is_none_or(|done| done >= BEGUN), "progress begins again: {event}");
    }
    let finished = events.last().unwrap();
    assert_eq!(finished["placed"], 2, "{finished}");
    assert!(finished["fetched"].as_u64().unwrap() >= SIZE - IN_HANDS, "{finished}");
}

async fn a_file_that_can_not_be_had_is_told_and_counted_once_though_the_link_breaks(sandbox: Sandbox) {
    publish(&sandbox);
    let gone = sandbox.hub.fault(HubFault::Status(404), When::file("config.json").at(HubOrigin::Hub));
    let proxy = Proxy::to(host(&sandbox).port()).await;
    let stall = sandbox.hub.stall(3_000_000, When::file(FILE).at(HubOrigin::Cdn));
    let mut child = sandbox.syncing_via(proxy.port(), MODEL, &["--json"]).spawn().unwrap();
    stall.reached_by(4).await;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut events = Vec::new();
    let is_of = |event: &serde_json::Value, kind: &str| event["type"] == kind;
    while !events.last().is_some_and(|event| is_of(event, "failed")) {
        events.push(serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap());
    }
    proxy.cut();
    stall.release();
    while let Some(line) = lines.next_line().await.unwrap() {
        events.push(serde_json::from_str(&line).unwrap());
    }
    assert_eq!(ended(child).await.code, 3);
    assert_eq!(gone.times_struck(), 2, "it is asked for again");
    let of = |kind: &str| events.iter().filter(|event| is_of(event, kind)).count();
    assert_eq!((of("reconnecting"), of("failed"), of("placed")), (1, 1, 1), "{events:?}");
    let finished = events.last().unwrap();
    assert_eq!((&finished["failed"], &finished["placed"]), (&1.into(), &1.into()), "{finished}");
}

async fn a_link_that_falls_silent_in_mid_file_is_made_anew(sandbox: Sandbox) {
    let halted = halted(&sandbox, &["--link-silence", "2"]).await;
    halted.proxy.hush();
    // The box has noticed nothing: its agent holds the folder until the next one comes.
    tokio::time::timeout(Duration::from_secs(30), halted.left_alone(&sandbox)).await.unwrap();
    halted.stall.release();
    let ended = ended(halted.child).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("the agent was silent for 2 s; reconnecting in 0."), "{}", ended.stderr);
    assert_whole(&sandbox);
}

async fn a_link_that_stays_away_is_given_up_and_parts_are_kept(sandbox: Sandbox) {
    let HaltedRun { proxy, child, .. } = halted(&sandbox, &["--retries", "1"]).await;
    drop(proxy);
    let ended = ended(child).await;
    assert_eq!(ended.code, 6, "{}", ended.stderr);
    assert!(ended.stderr.contains(" s (attempt 1 of 1)"), "{}", ended.stderr);
    assert!(ended.stderr.contains("it was tried again once"), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("hint: run the same command again: what has arrived is kept\n"));
    assert!(sandbox.claimed() >= BEGUN);
}

async fn without_retries_a_link_is_made_once(sandbox: Sandbox) {
    let HaltedRun { proxy, child, .. } = halted(&sandbox, &["--retries", "0"]).await;
    proxy.cut();
    let ended = ended(child).await;
    assert_eq!(ended.code, 6, "{}", ended.stderr);
    assert!(!ended.stderr.contains("reconnecting"), "{}", ended.stderr);
}

async fn ctrl_c_ends_the_wait_for_a_link(sandbox: Sandbox) {
    let HaltedRun { proxy, mut child, .. } = halted(&sandbox, &["--retries", "100"]).await;
    drop(proxy);
    let said = until_it_says(&mut child, "reconnecting").await;
    processes::interrupt(child.id().unwrap());
    assert_eq!(ended(child).await.code, 130, "{}", said.await.unwrap());
}

async fn another_box_behind_the_same_port_is_not_tried_twice(mut sandbox: Sandbox) {
    let HaltedRun { proxy, child, .. } = halted(&sandbox, &[]).await;
    sandbox.host.as_mut().unwrap().change_host_key().await;
    proxy.cut();
    let ended = ended(child).await;
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    assert!(ended.stderr.contains("the host key has changed"), "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("reconnecting").count(), 1, "{}", ended.stderr);
}

async fn a_port_that_opens_later_is_waited_for(sandbox: Sandbox) {
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
    let port = free_port();
    let mut child = sandbox.syncing_via(port, MODEL, &[]).spawn().unwrap();
    let said = until_it_says(&mut child, "refused the connection; ").await;
    let _proxy = Proxy::at(port, host(&sandbox).port()).await;
    assert_eq!(ended(child).await.code, 0);
    let said = said.await.unwrap();
    assert_eq!(said.matches("refused the connection").count(), 1, "a reason is said once: {said}");
    assert_eq!(sandbox.files(), ["config.json"]);
}

async fn a_key_that_is_authorised_later_is_waited_for(sandbox: Sandbox) {
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
    let host = host(&sandbox);
    let keys = Keys::generate(host.near(), "other", russh::keys::Algorithm::Ed25519);
    let ssh = format!("{} -i {}", host.command_without_key(), keys.private.display());
    let root = sandbox.root();
    let mut child = sandbox.hfdown(["rsync-to-vast", MODEL, &ssh, root.to_str().unwrap()]).spawn().unwrap();
    let said = until_it_says(&mut child, "(rejected)").await;
    host.authorize(&keys);
    assert_eq!(ended(child).await.code, 0, "{}", said.await.unwrap());
    assert_eq!(sandbox.files(), ["config.json"]);
}

/// The 180 s for which a box is asked again are not waited out: the scenario has less.
async fn a_web_server_instead_of_a_box_is_not_waited_for(sandbox: Sandbox) {
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
    let endpoint = sandbox.hub.endpoint();
    let port = endpoint.trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap();
    let ended = run(sandbox.syncing_via(port, MODEL, &[])).await;
    assert_eq!(ended.code, 6, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("is no SSH server: it says `HTTP/1.1 400 Bad Request`"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.ends_with("the box's console shows the one for SSH\n"), "{}", ended.stderr);
}

async fn a_box_that_never_comes_up_is_given_up_with_the_first_reason(sandbox: Sandbox) {
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
    let ended = run(sandbox.syncing_via(free_port(), MODEL, &["--wait", "1"])).await;
    assert_eq!(ended.code, 6, "{}", ended.stderr);
    assert!(ended.stderr.contains("refused the connection (after 1 s)\n"), "{}", ended.stderr);
}

on_boxes! {
    a_link_that_is_cut_in_mid_file_is_made_anew,
    a_file_that_can_not_be_had_is_told_and_counted_once_though_the_link_breaks,
    a_link_that_falls_silent_in_mid_file_is_made_anew,
    a_link_that_stays_away_is_given_up_and_parts_are_kept,
    without_retries_a_link_is_made_once,
    ctrl_c_ends_the_wait_for_a_link,
    another_box_behind_the_same_port_is_not_tried_twice,
    a_port_that_opens_later_is_waited_for,
    a_key_that_is_authorised_later_is_waited_for,
    a_web_server_instead_of_a_box_is_not_waited_for,
    a_box_that_never_comes_up_is_given_up_with_the_first_reason,
}
