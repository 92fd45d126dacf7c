//! `kill -9` at random points: no final name ever has wrong bytes, and nothing that was on disk is fetched again.

use hfdown_tests::hub::{Content, HubOrigin};
use hfdown_tests::sandbox::{DestinationKind, Sandbox};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::HFDOWN;

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
async fn hunt(place: DestinationKind, kills: usize, seed: u64) {
    let sandbox = Sandbox::start(place, HFDOWN).await.expect("neither place needs anything");
    let draft = sandbox.hub.model(MODEL);
    FILES
        .iter()
        .fold(draft, |draft, (name, seed, size)| draft.lfs(name, Content::random(*seed, *size)))
        .commit();
    let mut random = StdRng::seed_from_u64(seed);
    let mut killed = 0;
    while killed < kills {
        let until = sandbox.hub.bytes_sent(HubOrigin::Cdn) + random.random_range(0..6_000_000);
        let mut child = sandbox.syncing(MODEL, &["--quiet"]).spawn().unwrap();
        let finished = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if sandbox.hub.bytes_sent(HubOrigin::Cdn) >= until {
                break None;
            }
            tokio::task::yield_now().await;
        };
        if finished.is_none() {
            child.kill().await.unwrap();
            killed += 1;
            // A box's agent has no more than the end of its input to go by.
            while sandbox.host.as_ref().is_some_and(|host| !host.agent_pids().is_empty()) {
                tokio::task::yield_now().await;
            }
        }
        assert_no_wrong_name(&sandbox);
        if finished.is_some_and(|status| status.success()) {
            std::fs::remove_dir_all(sandbox.root()).unwrap();
        }
    }
    // Whatever the last kill left: it is enough.
    let before = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    let on_disk = bytes_on_disk(&sandbox);
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_no_wrong_name(&sandbox);
    assert_eq!(sandbox.files().len(), FILES.len());
    let fetched = sandbox.hub.bytes_sent(HubOrigin::Cdn) - before;
    assert!(fetched <= total() - on_disk + IN_HANDS, "{fetched} bytes were fetched with {on_disk} on disk");
}

fn assert_no_wrong_name(sandbox: &Sandbox) {
    for (name, seed, size) in FILES {
        let Some(bytes) = sandbox.read(name) else { continue };
        assert!(bytes == Content::random(seed, size).to_vec(), "{name} has its name and wrong bytes");
    }
}

/// Placed files, and what the journals of parts claim.
fn bytes_on_disk(sandbox: &Sandbox) -> u64 {
    let placed: u64 =
        FILES.iter().filter_map(|(name, ..)| sandbox.read(name)).map(|bytes| bytes.len() as u64).sum();
    placed + sandbox.claimed()
}

#[tokio::test]
async fn a_run_that_is_killed_two_hundred_times_gets_there() {
    hunt(DestinationKind::Here, 200, 7).await;
}

#[tokio::test]
async fn an_agent_whose_controller_is_killed_forty_times_gets_there() {
    hunt(DestinationKind::InProcess, 40, 8).await;
}
