//! Fleets whose boxes are all fine.

use std::fs;

use hfdown_tests::fleet::Fleet;
use hfdown_tests::hub::HubOrigin;

use super::{FleetWorld, SIZE, WEIGHTS, finished};

/// Requests to the Hub itself for other things than the listing.
fn asked(world: &FleetWorld) -> Vec<String> {
    let requests = world.sandbox.hub.requests().into_iter();
    let other =
        requests.filter(|request| request.origin == HubOrigin::Hub && !request.path.starts_with("/api/"));
    other.map(|request| request.path).collect()
}

fn listed(world: &FleetWorld) -> usize {
    world.sandbox.hub.requests().iter().filter(|request| request.path.starts_with("/api/")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_fills_fifty_boxes_and_four_sshd_and_the_next_one_moves_nothing() {
    let mut fleet = Fleet::of(50).await;
    if !fleet.add_sshd(4).await {
        return;
    }
    let world = FleetWorld::with(fleet).await;
    let names: Vec<&str> = world.fleet.boxes().iter().map(|there| &*there.name).collect();
    let run = world.sync(&[]).await;
    assert_eq!(run.code, 0, "{}", run.words());
    world.assert_whole(names.iter().copied());
    assert_eq!(world.fetched(), 54 * SIZE);
    assert_eq!((&run.end()["done"], &run.end()["boxes"]), (&54.into(), &54.into()), "{}", run.end());
    assert_eq!(run.end()["groups"][0]["boxes"], "gpu[001-050],box[1-4]", "{}", run.end());

    world.sandbox.hub.forget_requests();
    let run = world.sync(&[]).await;
    assert_eq!(run.code, 0, "{}", run.words());
    assert_eq!((world.fetched(), asked(&world)), (0, Vec::new()));
    assert_eq!(listed(&world), 2, "it is described and listed once, however many boxes there are");
    assert!(names.iter().all(|name| run.ending(name) == ("complete", 0)), "{}", run.words());

    for name in ["gpu017", "box2"] {
        fs::remove_file(world.fleet.named(name).root().join(WEIGHTS)).unwrap();
    }
    world.sandbox.hub.forget_requests();
    let run = world.sync(&[]).await;
    assert_eq!(run.code, 0, "{}", run.words());
    assert_eq!(world.fetched(), 2 * SIZE);
    for name in &names {
        let expected = if ["gpu017", "box2"].contains(name) { SIZE } else { 0 };
        assert_eq!(run.of(name)["fetched"], expected, "{name}");
    }
    world.assert_whole(names);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_of_one_fleet_at_once_fetch_it_once() {
    let world = FleetWorld::of(4).await;
    let spawned = || world.syncing(&["--json"]).spawn().unwrap();
    let (one, other) = (spawned(), spawned());
    let (one, other) = tokio::join!(finished(one), finished(other));
    assert_eq!((one.code, other.code), (0, 0), "{}\n{}", one.words(), other.words());
    assert_eq!(world.fetched(), 4 * SIZE);
    for there in world.fleet.boxes() {
        super::assert_whole(there);
        let words = [&one, &other].map(|run| run.ending(&there.name).0);
        assert!(words.contains(&"done") && words.contains(&"complete"), "{}: {words:?}", there.name);
    }
}
