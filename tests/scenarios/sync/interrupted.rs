//! What goes wrong on the way, and what it costs.

use hfdown_tests::hub::{Content, Gate, HubFault, HubOrigin, When};
use hfdown_tests::processes;
use hfdown_tests::sandbox::{Sandbox, ended};
use tokio::process::Child;

const MODEL: &str = "acme/large";
const FILE: &str = "model.safetensors";
const SIZE: u64 = 40_000_000;

fn publish(sandbox: &Sandbox) {
    sandbox.hub.model(MODEL).file("config.json", "{}").lfs(FILE, Content::random(7, SIZE)).commit();
}

fn assert_whole(sandbox: &Sandbox) {
    assert!(
        sandbox.read(FILE).is_some_and(|bytes| bytes == Content::random(7, SIZE).to_vec()),
        "the bytes are right"
    );
    let parts = sandbox.root().join(".cache/hfdown/parts");
    assert_eq!(std::fs::read_dir(parts).unwrap().count(), 0, "no part stays behind");
}

async fn a_cut_connection_costs_only_what_was_lost(sandbox: Sandbox) {
    publish(&sandbox);
    let cut = sandbox.hub.fault(HubFault::CutAfter(2_000_000), When::file(FILE).at(HubOrigin::Cdn).first(3));
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(cut.times_struck(), 3);
    assert_whole(&sandbox);
    let sent = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    assert!(sent < SIZE + SIZE / 50, "{sent} bytes were sent for {SIZE}");
}

/// Four connections have 3 MB each when they stall, less what waits to be written.
const BEGUN: u64 = 9_000_000;

/// Waits until so much is on disk.
async fn begun(sandbox: &Sandbox, child: &mut Child) {
    while sandbox.claimed() < BEGUN {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be interrupted");
        tokio::task::yield_now().await;
    }
}

async fn a_killed_run_goes_on_where_it_stopped(sandbox: Sandbox) {
    publish(&sandbox);
    // Each connection comes to a halt in mid-file, so that the kill meets a transfer and not its end.
    let stall = sandbox.hub.stall(3_000_000, When::file(FILE).at(HubOrigin::Cdn));
    let mut child = sandbox.syncing(MODEL, &[]).spawn().unwrap();
    stall.reached_by(4).await;
    begun(&sandbox, &mut child).await;
    child.kill().await.unwrap();
    if let Some(host) = &sandbox.host {
        // Nothing tells the agent but the end of its input.
        while !host.agent_pids().is_empty() {
            tokio::task::yield_now().await;
        }
    }
    assert!(!sandbox.root().join(FILE).exists(), "no final name before the proof");
    stall.release();
    let before = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_whole(&sandbox);
    let again = sandbox.hub.bytes_sent(HubOrigin::Cdn) - before;
    assert!(again <= SIZE - 8_000_000, "{again} bytes were fetched again of {SIZE}");
}

async fn ctrl_c_stops_the_agent_and_keeps_what_arrived(sandbox: Sandbox) {
    publish(&sandbox);
    let stall = sandbox.hub.stall(3_000_000, When::file(FILE).at(HubOrigin::Cdn));
    let mut child = sandbox.syncing(MODEL, &["--json"]).spawn().unwrap();
    stall.reached_by(4).await;
    begun(&sandbox, &mut child).await;
    processes::interrupt(child.id().unwrap());
    let stopped = ended(child).await;
    assert_eq!(stopped.code, 130, "{}", stopped.stderr);
    let finished: serde_json::Value = serde_json::from_str(stopped.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&finished["type"], &finished["end"]),
        (&"finished".into(), &"cancelled".into()),
        "{finished}"
    );
    // A user who pays for bytes wants to know of those as well that make no whole file.
    assert!(finished["fetched"].as_u64().unwrap() >= 8_000_000, "{finished}");
    if let Some(host) = &sandbox.host {
        while !host.agent_pids().is_empty() {
            tokio::task::yield_now().await;
        }
    }
    stall.release();
    let before = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    assert_whole(&sandbox);
    assert!(sandbox.hub.bytes_sent(HubOrigin::Cdn) - before <= SIZE - 8_000_000);
}

async fn an_expired_address_is_asked_for_again(sandbox: Sandbox) {
    publish(&sandbox);
    let expired = sandbox.hub.fault(HubFault::Expired, When::file(FILE).at(HubOrigin::Cdn).after(2).first(2));
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(expired.times_struck() >= 1);
    assert_whole(&sandbox);
}

async fn wrong_bytes_once_are_fetched_again(sandbox: Sandbox) {
    publish(&sandbox);
    let wrong =
        sandbox.hub.fault(HubFault::WrongBytes { at: 5_000 }, When::file(FILE).at(HubOrigin::Cdn).first(1));
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(wrong.times_struck(), 1);
    assert_whole(&sandbox);
}

async fn wrong_bytes_never_get_a_name(sandbox: Sandbox) {
    publish(&sandbox);
    sandbox.hub.fault(HubFault::WrongBytes { at: 5_000 }, When::file(FILE).at(HubOrigin::Cdn));
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 7, "{}", ended.stderr);
    assert!(ended.stderr.contains(FILE), "{}", ended.stderr);
    assert_eq!(sandbox.files(), ["config.json"], "one file's failure does not stop the others");
}

async fn a_server_that_ignores_ranges_is_put_up_with(sandbox: Sandbox) {
    publish(&sandbox);
    let ignores = sandbox.hub.fault(HubFault::IgnoresRange, When::file(FILE).at(HubOrigin::Cdn));
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ignores.times_struck() >= 1);
    assert_whole(&sandbox);
}

async fn a_file_that_the_hub_withholds_is_asked_for_once_and_the_others_arrive(sandbox: Sandbox) {
    const TOKEN: &str = "hf_tokenOfThisTest";
    let hub = &sandbox.hub;
    hub.model(MODEL)
        .file("config.json", "{}")
        .lfs(FILE, Content::random(7, SIZE))
        .gated(Gate::Auto, TOKEN)
        .commit();
    // All connections want a piece of it, and all learn at the same time that there is none to be had.
    let gone = hub.fault(HubFault::Status(404), When::file(FILE).at(HubOrigin::Hub));
    let mut command = sandbox.syncing(MODEL, &[]);
    command.env("HF_TOKEN", TOKEN);
    let ended = ended(command.spawn().unwrap()).await;
    assert_eq!(sandbox.files(), ["config.json"], "{}", ended.stderr);
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains(FILE) && !ended.stderr.contains("protocol"), "{}", ended.stderr);
    // By HEAD, and since its bare 404 may be a server's that knows none, for one byte.
    assert_eq!(gone.times_struck(), 2);
}

async fn a_part_of_a_file_that_is_in_place_is_swept(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let cache = sandbox.root().join(".cache");
    let metadata =
        std::fs::read_to_string(cache.join(format!("huggingface/download/{FILE}.metadata"))).unwrap();
    let digest = metadata.lines().nth(1).unwrap();
    // As when a run was cut off and the file then came another way.
    std::fs::write(cache.join("hfdown/parts").join(digest), "the beginning").unwrap();
    std::fs::write(cache.join("hfdown/parts").join(format!("{digest}.journal")), "").unwrap();
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    assert_whole(&sandbox);
}

everywhere! {
    a_cut_connection_costs_only_what_was_lost,
    a_killed_run_goes_on_where_it_stopped,
    ctrl_c_stops_the_agent_and_keeps_what_arrived,
    an_expired_address_is_asked_for_again,
    wrong_bytes_once_are_fetched_again,
    wrong_bytes_never_get_a_name,
    a_server_that_ignores_ranges_is_put_up_with,
    a_file_that_the_hub_withholds_is_asked_for_once_and_the_others_arrive,
    a_part_of_a_file_that_is_in_place_is_swept,
}
