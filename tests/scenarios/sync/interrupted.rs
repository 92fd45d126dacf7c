//! What goes wrong on the way, and what it costs.

use hfdown_tests::hub::{Content, Fault, Gate, Origin, When};
use hfdown_tests::processes;
use hfdown_tests::stage::{Stage, ended};
use tokio::process::Child;

const MODEL: &str = "acme/large";
const FILE: &str = "model.safetensors";
const SIZE: u64 = 40_000_000;

fn publish(stage: &Stage) {
    stage.hub.model(MODEL).file("config.json", "{}").lfs(FILE, Content::random(7, SIZE)).commit();
}

fn assert_whole(stage: &Stage) {
    assert!(
        stage.read(FILE).is_some_and(|bytes| bytes == Content::random(7, SIZE).to_vec()),
        "the bytes are right"
    );
    let parts = stage.root().join(".cache/hfdown/parts");
    assert_eq!(std::fs::read_dir(parts).unwrap().count(), 0, "no part stays behind");
}

pub(crate) async fn a_cut_connection_costs_only_what_was_lost(stage: Stage) {
    publish(&stage);
    let cut = stage.hub.fault(Fault::CutAfter(2_000_000), When::file(FILE).at(Origin::Cdn).first(3));
    let ended = stage.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(cut.times_struck(), 3);
    assert_whole(&stage);
    let sent = stage.hub.bytes_sent(Origin::Cdn);
    assert!(sent < SIZE + SIZE / 50, "{sent} bytes were sent for {SIZE}");
}

/// Four connections have 3 MB each when they stall, less what waits to be written.
const BEGUN: u64 = 9_000_000;

/// Waits until so much is on disk.
async fn begun(stage: &Stage, child: &mut Child) {
    while stage.claimed() < BEGUN {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be interrupted");
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn a_killed_run_goes_on_where_it_stopped(stage: Stage) {
    publish(&stage);
    // Each connection comes to a halt in mid-file, so that the kill meets a transfer and not its end.
    let stall = stage.hub.stall(3_000_000, When::file(FILE).at(Origin::Cdn));
    let mut child = stage.syncing(MODEL, &[]).spawn().unwrap();
    stall.reached_by(4).await;
    begun(&stage, &mut child).await;
    child.kill().await.unwrap();
    if let Some(host) = &stage.host {
        // Nothing tells the agent but the end of its input.
        while !host.agent_pids().is_empty() {
            tokio::task::yield_now().await;
        }
    }
    assert!(!stage.root().join(FILE).exists(), "no final name before the proof");
    stall.release();
    let before = stage.hub.bytes_sent(Origin::Cdn);
    let ended = stage.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_whole(&stage);
    let again = stage.hub.bytes_sent(Origin::Cdn) - before;
    assert!(again <= SIZE - 8_000_000, "{again} bytes were fetched again of {SIZE}");
}

pub(crate) async fn ctrl_c_stops_the_agent_and_keeps_what_arrived(stage: Stage) {
    publish(&stage);
    let stall = stage.hub.stall(3_000_000, When::file(FILE).at(Origin::Cdn));
    let mut child = stage.syncing(MODEL, &["--json"]).spawn().unwrap();
    stall.reached_by(4).await;
    begun(&stage, &mut child).await;
    processes::interrupt(child.id().unwrap());
    let stopped = ended(child).await;
    assert_eq!(stopped.code, 130, "{}", stopped.stderr);
    let finished: serde_json::Value = serde_json::from_str(stopped.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&finished["type"], &finished["end"]),
        (&"finished".into(), &"cancelled".into()),
        "{finished}"
    );
    // Whoever pays for bytes wants to know of those as well that make no whole file.
    assert!(finished["fetched"].as_u64().unwrap() >= 8_000_000, "{finished}");
    if let Some(host) = &stage.host {
        while !host.agent_pids().is_empty() {
            tokio::task::yield_now().await;
        }
    }
    stall.release();
    let before = stage.hub.bytes_sent(Origin::Cdn);
    assert_eq!(stage.sync(MODEL, &[]).await.code, 0);
    assert_whole(&stage);
    assert!(stage.hub.bytes_sent(Origin::Cdn) - before <= SIZE - 8_000_000);
}

pub(crate) async fn an_expired_address_is_asked_for_again(stage: Stage) {
    publish(&stage);
    let expired = stage.hub.fault(Fault::Expired, When::file(FILE).at(Origin::Cdn).after(2).first(2));
    let ended = stage.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(expired.times_struck() >= 1);
    assert_whole(&stage);
}

pub(crate) async fn wrong_bytes_once_are_fetched_again(stage: Stage) {
    publish(&stage);
    let wrong = stage.hub.fault(Fault::WrongBytes { at: 5_000 }, When::file(FILE).at(Origin::Cdn).first(1));
    let ended = stage.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(wrong.times_struck(), 1);
    assert_whole(&stage);
}

pub(crate) async fn wrong_bytes_never_get_a_name(stage: Stage) {
    publish(&stage);
    stage.hub.fault(Fault::WrongBytes { at: 5_000 }, When::file(FILE).at(Origin::Cdn));
    let ended = stage.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 7, "{}", ended.stderr);
    assert!(ended.stderr.contains(FILE), "{}", ended.stderr);
    assert_eq!(stage.files(), ["config.json"], "one file's failure does not stop the others");
}

pub(crate) async fn a_server_that_ignores_ranges_is_put_up_with(stage: Stage) {
    publish(&stage);
    let ignores = stage.hub.fault(Fault::IgnoresRange, When::file(FILE).at(Origin::Cdn));
    let ended = stage.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ignores.times_struck() >= 1);
    assert_whole(&stage);
}

pub(crate) async fn a_file_that_the_hub_withholds_is_asked_for_once_and_the_others_arrive(stage: Stage) {
    const TOKEN: &str = "hf_tokenOfThisTest";
    let hub = &stage.hub;
    hub.model(MODEL)
        .file("config.json", "{}")
        .lfs(FILE, Content::random(7, SIZE))
        .gated(Gate::Auto, TOKEN)
        .commit();
    // All connections want a piece of it, and all learn at the same time that there is none to be had.
    let gone = hub.fault(Fault::Status(404), When::file(FILE).at(Origin::Hub));
    let mut command = stage.syncing(MODEL, &[]);
    command.env("HF_TOKEN", TOKEN);
    let ended = ended(command.spawn().unwrap()).await;
    assert_eq!(stage.files(), ["config.json"], "{}", ended.stderr);
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains(FILE) && !ended.stderr.contains("protocol"), "{}", ended.stderr);
    assert_eq!(gone.times_struck(), 1);
}

pub(crate) async fn a_part_of_a_file_that_is_in_place_is_swept(stage: Stage) {
    publish(&stage);
    assert_eq!(stage.sync(MODEL, &[]).await.code, 0);
    let cache = stage.root().join(".cache");
    let metadata =
        std::fs::read_to_string(cache.join(format!("huggingface/download/{FILE}.metadata"))).unwrap();
    let digest = metadata.lines().nth(1).unwrap();
    // As when a run was cut off and the file then came another way.
    std::fs::write(cache.join("hfdown/parts").join(digest), "the beginning").unwrap();
    std::fs::write(cache.join("hfdown/parts").join(format!("{digest}.journal")), "").unwrap();
    assert_eq!(stage.sync(MODEL, &[]).await.code, 0);
    assert_whole(&stage);
}
