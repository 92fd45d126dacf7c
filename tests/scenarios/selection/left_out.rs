//! What is left out stays as it is: files that an earlier sync placed, and what has arrived of others.

use hfdown_tests::hub::{Content, HubOrigin, When};
use hfdown_tests::sandbox::{Sandbox, ended};

const MODEL: &str = "acme/large";
const FILE: &str = "model.safetensors";
const SIZE: u64 = 40_000_000;
/// Four connections have 3 MB each when they stall, less what waits to be written.
const BEGUN: u64 = 9_000_000;
const CHOICE: [&str; 2] = ["--include", "config.json"];

fn publish(sandbox: &Sandbox) {
    let draft = sandbox.hub.model(MODEL).file("config.json", "{}").file("old.txt", "old");
    draft.lfs(FILE, Content::random(7, SIZE)).commit();
}

/// A sync of everything that was killed while the large file was on its way.
async fn killed(sandbox: &Sandbox) {
    let stall = sandbox.hub.stall(3_000_000, When::file(FILE).at(HubOrigin::Cdn));
    let mut child = sandbox.syncing(MODEL, &[]).spawn().unwrap();
    while sandbox.claimed() < BEGUN {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be killed");
        tokio::task::yield_now().await;
    }
    child.start_kill().unwrap();
    ended(child).await;
    if let Some(host) = &sandbox.host {
        while !host.agent_pids().is_empty() {
            tokio::task::yield_now().await;
        }
    }
    stall.release();
}

async fn delete_leaves_alone_what_is_left_out(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let ended = sandbox.sync(MODEL, &[&CHOICE[..], &["--delete"]].concat()).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.files(), ["config.json", FILE, "old.txt"]);
    // What is listed no longer goes, whatever is chosen.
    sandbox.hub.model(MODEL).remove("old.txt").commit();
    let ended = sandbox.sync(MODEL, &[&CHOICE[..], &["--delete"]].concat()).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("remove 1 · 1 of 2 files (2 B of 40 MB)"), "{}", ended.stderr);
    assert_eq!(sandbox.files(), ["config.json", FILE]);
    let ended = sandbox.sync(MODEL, &["--exclude", "*.json", "--delete", "--checksum"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.files(), ["config.json", FILE]);
}

async fn what_has_arrived_of_a_file_stays_while_it_is_left_out(sandbox: Sandbox) {
    publish(&sandbox);
    killed(&sandbox).await;
    let ended = sandbox.sync(MODEL, &CHOICE).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_none());
    assert!(sandbox.claimed() >= BEGUN, "{} bytes are kept", sandbox.claimed());
    // A run that wants it goes on from there.
    sandbox.hub.forget_requests();
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.read(FILE).unwrap(), Content::random(7, SIZE).to_vec());
    let sent = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    assert!(sent <= SIZE - BEGUN, "{sent} bytes were sent");
}

async fn what_has_arrived_of_a_file_that_is_listed_no_longer_goes(sandbox: Sandbox) {
    publish(&sandbox);
    killed(&sandbox).await;
    sandbox.hub.model(MODEL).lfs(FILE, Content::random(8, SIZE)).commit();
    let ended = sandbox.sync(MODEL, &CHOICE).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let parts = sandbox.root().join(".cache/hfdown/parts");
    assert_eq!(std::fs::read_dir(parts).unwrap().count(), 0, "no part stays that none can want");
}

async fn without_traces_it_stays_as_well_and_that_is_told(sandbox: Sandbox) {
    publish(&sandbox);
    killed(&sandbox).await;
    let ended = sandbox.sync(MODEL, &[&CHOICE[..], &["--no-trace"]].concat()).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.claimed() >= BEGUN, "{} bytes are kept", sandbox.claimed());
    assert!(
        ended.stderr.contains("what has arrived of 1 file that is left out stays in "),
        "{}",
        ended.stderr
    );
}

everywhere! {
    delete_leaves_alone_what_is_left_out,
    what_has_arrived_of_a_file_stays_while_it_is_left_out,
}

here_and_on_a_box! {
    what_has_arrived_of_a_file_that_is_listed_no_longer_goes,
}

on_boxes! {
    without_traces_it_stays_as_well_and_that_is_told,
}
