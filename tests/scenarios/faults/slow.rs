//! Servers that are never silent and never get anywhere: what brings less than the floor is given up like silence, and
//! what is slow for another reason is not.

use hfdown_tests::hub::{Content, HubFault, HubOrigin, When};
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, run};

use super::faulty::{FILE, MODEL, SIZE, cdn, sandbox};
use crate::places::HFDOWN;

const TRICKLE: HubFault = HubFault::Throttle { bytes_per_second: 1 };
const IMPATIENT: [&str; 7] =
    ["--verbose", "--first-wait", "10", "--speed-limit", "1000", "--speed-time", "1"];

fn assert_whole(sandbox: &Sandbox, ended: &Ended) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|bytes| bytes == Content::random(11, SIZE).to_vec()));
}

/// The last kilobyte of a file, which would take the better part of a minute.
const TAIL: HubFault = HubFault::TrickleFrom { at: SIZE - 1_000 };

/// One request is struck, which is given up, with these words; another one brings what it did not.
async fn goes_on_elsewhere(place: DestinationKind, fault: HubFault, told: &[&str]) {
    for connections in ["1", "4"] {
        let sandbox = sandbox(place).await;
        let armed = sandbox.hub.fault(fault.clone(), cdn().first(1));
        let options = [&IMPATIENT[..], &["--connections", connections]].concat();
        let ended = sandbox.sync(MODEL, &options).await;
        assert_whole(&sandbox, &ended);
        assert_eq!(armed.times_struck(), 1);
        assert!(told.iter().all(|words| ended.stderr.contains(words)), "{}", ended.stderr);
    }
}

async fn a_trickle_is_given_up_and_its_range_goes_on_elsewhere(place: DestinationKind) {
    goes_on_elsewhere(place, TRICKLE, &["localhost", " B in 1 s", "(attempt 1 failed)"]).await;
}

/// Everything came fast but the end of it, so that the average says nothing.
async fn a_tail_that_trickles_goes_on_elsewhere(place: DestinationKind) {
    goes_on_elsewhere(place, TAIL, &[" B in 1 s"]).await;
}

async fn a_tail_that_only_trickles_is_given_up(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    let armed = sandbox.hub.fault(TAIL, cdn());
    let ended = sandbox.sync(MODEL, &IMPATIENT).await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert_eq!(sandbox.files(), ["config.json"]);
    assert!(sandbox.claimed() >= SIZE - 1_000, "all but the tail is kept: {}", sandbox.claimed());
    armed.lift();
    assert_whole(&sandbox, &sandbox.sync(MODEL, &[]).await);
}

async fn a_server_that_only_trickles_is_given_up(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    let armed = sandbox.hub.fault(TRICKLE, cdn());
    let ended = sandbox.sync(MODEL, &IMPATIENT).await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("(attempt 9 failed)"), "attempts are visible: {}", ended.stderr);
    assert_eq!(sandbox.files(), ["config.json"]);
    let kept = sandbox.claimed();
    assert!(kept > 0, "what has trickled is kept");
    armed.lift();
    assert_whole(&sandbox, &sandbox.sync(MODEL, &[]).await);
}

/// One file after the other is too slow, and each has its attempts: it is the transfer that is not worth waiting for.
async fn a_transfer_that_gets_nowhere_ends_as_a_whole(sandbox: Sandbox) {
    let mut draft = sandbox.hub.model("acme/many");
    for number in 0..60 {
        draft = draft.lfs(&format!("{number}.bin"), Content::random(number, 2_000));
    }
    draft.commit();
    sandbox.hub.fault(TRICKLE, When::always().at(HubOrigin::Cdn));
    let options = [&IMPATIENT[..], &["--connections", "2"]].concat();
    let mut command = sandbox.syncing("acme/many", &options);
    command.env("HF_HUB_DOWNLOAD_TIMEOUT", "1");
    let ended = run(command).await;
    assert_eq!(ended.code, 6, "{}", ended.stderr);
    assert!(ended.stderr.contains("of waiting") && ended.stderr.contains("hint: "), "{}", ended.stderr);
}

async fn what_the_user_slows_down_is_not_slow(place: DestinationKind) {
    let sandbox = Sandbox::start(place, HFDOWN).await.expect("neither place needs anything");
    let content = Content::random(5, 300_000);
    sandbox.hub.model(MODEL).lfs(FILE, content.clone()).commit();
    let options = ["--verbose", "--max-speed", "100k", "--speed-limit", "10M", "--speed-time", "1"];
    let ended = sandbox.sync(MODEL, &options).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(!ended.stderr.contains("failed"), "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|bytes| bytes == content.to_vec()));
}

async fn without_a_floor_any_server_is_fast_enough(place: DestinationKind) {
    let sandbox = Sandbox::start(place, HFDOWN).await.expect("neither place needs anything");
    sandbox.hub.model(MODEL).lfs(FILE, Content::random(5, 1_000)).commit();
    sandbox.hub.fault(HubFault::Throttle { bytes_per_second: 300 }, cdn());
    let ended = sandbox.sync(MODEL, &["--verbose", "--speed-limit", "0", "--speed-time", "1"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(!ended.stderr.contains("failed"), "{}", ended.stderr);
}

here_and_on_a_box! {
    a_trickle_is_given_up_and_its_range_goes_on_elsewhere,
    a_server_that_only_trickles_is_given_up,
    a_tail_that_trickles_goes_on_elsewhere,
    a_tail_that_only_trickles_is_given_up,
    what_the_user_slows_down_is_not_slow,
    without_a_floor_any_server_is_fast_enough,
}

here! {
    a_transfer_that_gets_nowhere_ends_as_a_whole,
}
