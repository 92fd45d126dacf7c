//! `kill -9` at random points: no final name ever has wrong bytes, and nothing that was on disk is fetched again.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says where")]

use hfdown_tests::hub::{Content, Origin};
use hfdown_tests::stage::{Place, Stage};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const HFDOWN: &str = env!("CARGO_BIN_EXE_hfdown-tested");
const MODEL: &str = "acme/hunted";
const FILES: [(&str, u64, u64); 3] = [
    ("model-1.safetensors", 1, 30_000_000),
    ("model-2.safetensors", 2, 9_000_000),
    ("model-3.safetensors", 3, 700_000),
];
/// At most this much of what a killed run had received is asked for again: what each connection had in its hands.
const IN_HANDS: u64 = 4 * 1_500_000;

fn total() -> u64 {
    FILES.iter().map(|(_, _, size)| size).sum()
}

/// Kills runs until so many have been killed, beginning anew whenever one gets through.
async fn hunt(place: Place, kills: usize, seed: u64) {
    let stage = Stage::set(place, HFDOWN).await.expect("neither place needs anything");
    let draft = stage.hub.model(MODEL);
    FILES
        .iter()
        .fold(draft, |draft, (name, seed, size)| draft.lfs(name, Content::random(*seed, *size)))
        .commit();
    let mut random = StdRng::seed_from_u64(seed);
    let mut killed = 0;
    while killed < kills {
        let until = stage.hub.bytes_sent(Origin::Cdn) + random.random_range(0..6_000_000);
        let mut child = stage.syncing(MODEL, &["--quiet"]).spawn().unwrap();
        let finished = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if stage.hub.bytes_sent(Origin::Cdn) >= until {
                break None;
            }
            tokio::task::yield_now().await;
        };
        if finished.is_none() {
            child.kill().await.unwrap();
            killed += 1;
            // A box's agent has no more than the end of its input to go by.
            while stage.host.as_ref().is_some_and(|host| !host.agent_pids().is_empty()) {
                tokio::task::yield_now().await;
            }
        }
        assert_no_wrong_name(&stage);
        if finished.is_some_and(|status| status.success()) {
            std::fs::remove_dir_all(stage.root()).unwrap();
        }
    }
    // Whatever the last kill left: it is enough.
    let before = stage.hub.bytes_sent(Origin::Cdn);
    let on_disk = bytes_on_disk(&stage);
    let ended = stage.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_no_wrong_name(&stage);
    assert_eq!(stage.files().len(), FILES.len());
    let fetched = stage.hub.bytes_sent(Origin::Cdn) - before;
    assert!(fetched <= total() - on_disk + IN_HANDS, "{fetched} bytes were fetched with {on_disk} on disk");
}

fn assert_no_wrong_name(stage: &Stage) {
    for (name, seed, size) in FILES {
        let Some(bytes) = stage.read(name) else { continue };
        assert!(bytes == Content::random(seed, size).to_vec(), "{name} has its name and wrong bytes");
    }
}

/// Placed files, and what the journals of parts claim.
fn bytes_on_disk(stage: &Stage) -> u64 {
    let placed: u64 =
        FILES.iter().filter_map(|(name, ..)| stage.read(name)).map(|bytes| bytes.len() as u64).sum();
    placed + stage.claimed()
}

#[tokio::test]
async fn a_run_that_is_killed_two_hundred_times_gets_there() {
    hunt(Place::Here, 200, 7).await;
}

#[tokio::test]
async fn an_agent_whose_controller_is_killed_forty_times_gets_there() {
    hunt(Place::InProcess, 40, 8).await;
}
