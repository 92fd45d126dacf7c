//! Fleets some of whose boxes are not fine: what becomes of each, and that it is nothing to the others.

use std::fs;
use std::time::Duration;

use hfdown_tests::fleet::FleetBox;
use hfdown_tests::hub::{HubOrigin, When};
use hfdown_tests::mount::Mount;
use hfdown_tests::proxy::{Proxy, free_port};
use hfdown_tests::ssh_host::{HostOptions, LoginStep};

use super::{FleetWorld, WEIGHTS, assert_whole, finished};
use crate::hostile::{frames, hello};

/// A box that wants a password, where there is no terminal to ask for it.
fn closed() -> HostOptions {
    HostOptions { login: &[LoginStep::Password("a secret")], ..HostOptions::default() }
}

/// What an agent that answers so says when it is spoken to, and what it does then.
async fn lie(world: &FleetWorld, name: &str, then: &str) {
    let words = world.sandbox.scratch().join("words");
    fs::write(&words, frames(&[hello(), hello()]).await).unwrap();
    let greeting = "printf '\\nHFDOWN-AGENT %s\\n' \"$2\"; head -c 1 >/dev/null";
    world
        .fleet
        .named(name)
        .answers_by(&format!("{greeting}\n{}\n", then.replace("WORDS", &words.display().to_string())));
}

/// Waits until something of the large file is on the disk of a box.
async fn is_in_mid_file(there: &FleetBox) {
    let parts = there.root().join(".cache/hfdown/parts");
    let has_begun = || {
        let journals = fs::read_dir(&parts).into_iter().flatten().flatten().map(|entry| entry.path());
        journals
            .filter(|path| path.extension().is_some_and(|end| end == "journal"))
            .any(|path| fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0))
    };
    while !has_begun() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_box_has_an_end_of_its_own_and_the_good_ones_are_complete() {
    let mut world = FleetWorld::of(3).await;
    // A web proxy in the environment of a box, which takes everything and brings nothing.
    let slow = Proxy::to(free_port()).await;
    slow.go_silent();
    let bashrc = Some(format!("export http_proxy=http://127.0.0.1:{}", slow.port()));
    world.fleet.add("slow", HostOptions { bashrc, ..HostOptions::default() }).await;
    world.fleet.add("closed", closed()).await;
    for name in ["riscv", "full", "lost", "liar", "flood"] {
        world.fleet.add(name, HostOptions::default()).await;
    }
    world.fleet.named("riscv").host.put_program("uname", "[ $1 = -s ] && echo Linux || echo riscv64");
    let Some(_small) = Mount::memory(&world.fleet.named("full").root(), "size=1m") else { return };
    let proxy = Proxy::to(world.fleet.named("lost").host.port()).await;
    world.fleet.named_mut("lost").reached_by(proxy);
    lie(&world, "liar", "cat 'WORDS'; cat >/dev/null").await;
    lie(&world, "flood", "head -c 50000000 /dev/zero; cat >/dev/null").await;

    let stall = world.sandbox.hub.stall(500_000, When::file(WEIGHTS).at(HubOrigin::Cdn));
    let child = world.syncing(&["--timeout", "30", "--json"]).spawn().unwrap();
    is_in_mid_file(world.fleet.named("lost")).await;
    world.fleet.named("lost").wire().cut();
    stall.release();
    let run = finished(child).await;
    assert_eq!(run.code, 3, "{}", run.words());
    for name in ["gpu001", "gpu002", "gpu003", "lost"] {
        assert_eq!(run.ending(name), ("done", 0), "{}", run.words());
        assert_whole(world.fleet.named(name));
    }
    assert_eq!(run.of("lost")["retries"], 1, "{}", run.of("lost"));
    assert_eq!(run.ending("slow"), ("timed_out", 6), "{}", run.words());
    for (name, code, why) in [
        ("closed", 4, "password"),
        ("riscv", 1, "riscv64"),
        ("full", 1, "too small"),
        ("liar", 1, "`Hello` is out of order"),
        ("flood", 1, "broke the protocol"),
    ] {
        assert_eq!(run.ending(name), ("failed", code), "{}", run.words());
        let error = run.of(name)["error"].as_str().unwrap();
        assert!(error.contains(why), "{name}: {error}");
        assert_eq!(world.fleet.named(name).read(WEIGHTS), None, "{name}");
    }
    let end = run.end();
    assert_eq!((&end["boxes"], &end["done"], &end["failed"]), (&10.into(), &4.into(), &6.into()), "{end}");
    let groups = end["groups"].as_array().unwrap();
    assert_eq!(groups.iter().map(|group| group["count"].as_u64().unwrap()).sum::<u64>(), 10, "{end}");
    assert!(groups.iter().any(|group| group["boxes"] == "gpu[001-003],lost"), "{end}");
}

#[tokio::test]
async fn all_that_fail_for_one_reason_end_with_its_code() {
    let mut world = FleetWorld::of(0).await;
    for number in 1..=3 {
        world.fleet.add(&format!("closed{number}"), closed()).await;
    }
    let run = world.sync(&[]).await;
    assert_eq!((run.code, &run.end()["exit_code"]), (4, &4.into()), "{}", run.words());
    assert_eq!(run.end()["groups"].as_array().unwrap().len(), 1, "{}", run.end());

    // Another reason beside it, and then a good one.
    world.fleet.add("riscv", HostOptions::default()).await;
    world.fleet.named("riscv").host.put_program("uname", "[ $1 = -s ] && echo Linux || echo riscv64");
    assert_eq!(world.sync(&[]).await.code, 3);
    world.fleet.add("good", HostOptions::default()).await;
    assert_eq!(world.sync(&[]).await.code, 3);
    world.assert_whole(["good"]);
}

#[tokio::test]
async fn another_box_behind_a_known_address_is_refused_and_the_others_go_on() {
    let mut world = FleetWorld::of(3).await;
    assert_eq!(world.sync(&[]).await.code, 0);
    world.fleet.named_mut("gpu002").host.change_host_key().await;
    for name in ["gpu001", "gpu003"] {
        fs::remove_file(world.fleet.named(name).root().join(WEIGHTS)).unwrap();
    }
    let run = world.sync(&[]).await;
    assert_eq!(run.code, 3, "{}", run.words());
    assert_eq!(run.ending("gpu002"), ("failed", 4), "{}", run.words());
    assert!(run.of("gpu002")["error"].as_str().unwrap().contains("host key"), "{}", run.words());
    world.assert_whole(["gpu001", "gpu003"]);
}
