//! What a single box can be asked for, asked of many.

use std::fs;

use super::{CONFIG, CONFIG_BYTES, FleetWorld, MODEL, SIZE, WEIGHTS, run, weights};

fn damage(world: &FleetWorld, name: &str) {
    let file = world.fleet.named(name).root().join(WEIGHTS);
    let mut bytes = fs::read(&file).unwrap();
    bytes[1_000] ^= 1;
    fs::write(&file, bytes).unwrap();
}

#[tokio::test]
async fn a_verification_finds_what_is_wrong_where_it_is_and_a_repair_fetches_it_there() {
    let world = FleetWorld::of(3).await;
    assert_eq!(world.sync(&[]).await.code, 0);
    damage(&world, "gpu002");
    for offline in [&["verify", MODEL, "--offline"][..], &["verify", MODEL]] {
        let run = run(world.command(offline, &[])).await;
        assert_eq!(run.code, 3, "{}", run.words());
        assert_eq!(run.ending("gpu002"), ("not_right", 7), "{}", run.words());
        assert_eq!(run.ending("gpu001"), ("right", 0), "{}", run.words());
    }
    world.sandbox.hub.forget_requests();
    let repaired = run(world.command(&["verify", MODEL, "--repair"], &[])).await;
    assert_eq!(repaired.code, 0, "{}", repaired.words());
    assert_eq!(world.fetched(), SIZE);
    world.assert_whole(["gpu001", "gpu002", "gpu003"]);
    for name in ["gpu001", "gpu002", "gpu003"] {
        damage(&world, name);
    }
    let run = run(world.command(&["verify", MODEL], &[])).await;
    assert_eq!(run.code, 7, "all of them for one reason: {}", run.words());
}

#[tokio::test]
async fn each_box_has_a_cache_of_its_own() {
    let world = FleetWorld::of(3).await;
    let hosts = world.fleet.hosts_file();
    let words = ["rsync-to-vast", MODEL, "--hosts", &hosts, "--cache"];
    let first = run(world.sandbox.hfdown(words)).await;
    assert_eq!(first.code, 0, "{}", first.words());
    for there in world.fleet.boxes() {
        let cached = there.host.home().join(".cache/huggingface/hub/models--acme--tiny");
        let commit = fs::read_to_string(cached.join("refs/main")).unwrap();
        let snapshot = cached.join("snapshots").join(commit);
        assert_eq!(fs::read(snapshot.join(CONFIG)).unwrap(), CONFIG_BYTES);
        assert!(fs::read(snapshot.join(WEIGHTS)).unwrap() == weights().to_vec());
    }
    world.sandbox.hub.forget_requests();
    let again = run(world.sandbox.hfdown(words)).await;
    assert_eq!((again.code, world.fetched()), (0, 0), "{}", again.words());
}

#[tokio::test]
async fn a_selection_and_no_traces_hold_for_each_box() {
    let world = FleetWorld::of(3).await;
    let run = world.sync(&["--no-trace", "--include", "*.json"]).await;
    assert_eq!(run.code, 0, "{}", run.words());
    for there in world.fleet.boxes() {
        let left: Vec<_> =
            fs::read_dir(there.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [CONFIG], "{}", there.name);
        let cache = there.host.home().join(".cache/hfdown");
        let agents = fs::read_dir(cache).into_iter().flatten().count();
        assert_eq!(agents, 0, "{}: no agent is left", there.name);
    }
    assert_eq!(world.fetched(), 0);
}

#[tokio::test]
async fn a_dry_run_has_a_plan_per_box_and_changes_nothing() {
    let world = FleetWorld::of(3).await;
    let run = world.sync(&["--dry-run"]).await;
    assert_eq!(run.code, 0, "{}", run.words());
    for there in world.fleet.boxes() {
        assert_eq!(run.of(&there.name)["outcome"], "planned", "{}", run.words());
        assert_eq!(run.of(&there.name)["to_fetch"], SIZE + CONFIG_BYTES.len() as u64, "{}", run.words());
        assert!(!there.root().exists());
    }
    assert_eq!(world.fetched(), 0);
}
