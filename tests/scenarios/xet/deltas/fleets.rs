//! Boxes with older states of one model, each with another.

use std::fs;

use hfdown_tests::hub::Content;

use super::{FEW, FILE, SIZE, travelled, versions};
use crate::fleet::{FleetWorld, MODEL};
use crate::xet::TERMS;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_box_has_what_it_lacks_and_the_store_is_asked_once() {
    let world = FleetWorld::of(4).await;
    let hub = &world.sandbox.hub;
    let (old, new) = versions();
    let publish = |bytes: &[u8]| hub.model(MODEL).in_xet(FILE, Content::from(bytes.to_vec())).commit();
    publish(&old);
    let ended = world.sync(&[]).await;
    assert_eq!(ended.code, 0, "{}", ended.words());
    // One has lost it, one has another in its place, and two have the old version.
    let [lost, damaged, ..] = world.fleet.boxes() else { panic!("four boxes") };
    fs::remove_dir_all(lost.root()).unwrap();
    let mut wrong = old.clone();
    wrong[7_000_000] ^= 1;
    fs::write(damaged.root().join(FILE), wrong).unwrap();
    publish(&new);
    hub.forget_requests();
    let ended = world.sync(&[]).await;
    assert_eq!(ended.code, 0, "{}", ended.words());
    for there in world.fleet.boxes() {
        assert!(there.read(FILE).is_some_and(|read| read == new), "{}: {}", there.name, ended.words());
    }
    // Two whole files, and twice what is new.
    let travelled = travelled(&world.sandbox);
    assert!(travelled < 2 * SIZE as u64 + 2 * FEW, "{travelled}");
    let requests = hub.requests();
    let questions = requests.iter().filter(|request| request.path.contains(TERMS));
    let (ranges, whole): (Vec<_>, Vec<_>) = questions.partition(|request| request.range().is_some());
    // The new version and the old one, for all; and what each of the two lacks.
    assert_eq!(whole.len(), 2, "{whole:?}");
    assert!(ranges.len() <= 4, "{ranges:?}");
    let tokens = requests.iter().filter(|request| request.path.contains("xet-read-token")).count();
    assert_eq!(tokens, 1);
}
