//! Faults that never end: those that leave some progress are survived, the others are given up with the file's name and
//! leave no file. Attempts are visible for people and for programs.

use hfdown_tests::hub::{Content, Fault, Origin, When};
use hfdown_tests::stage::{Ended, Place, Stage, run};

use crate::{FILE, MODEL, SIZE, cdn, stage};

/// Attempts at a server whose answers make no sense, by each of the four connections at most.
const FEW: usize = 3 * 4;
/// Attempts at a server that may come back, by each of the four, and as many again that brought something before.
const MANY: usize = 2 * 10 * 4;
/// The waits between those attempts are minutes. Here they are seconds; how many there are, and what comes of them, is
/// the same.
const HURRIED: [&str; 5] = ["--verbose", "--first-wait", "10", "--connections", "4"];

async fn with(place: Place, fault: Fault, when: When) -> (Stage, usize, Ended) {
    let stage = stage(place).await;
    let armed = stage.hub.fault(fault, when);
    let ended = stage.sync(MODEL, &["--verbose"]).await;
    (stage, armed.times_struck(), ended)
}

fn assert_whole(stage: &Stage, ended: &Ended) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(stage.read(FILE).is_some_and(|bytes| bytes == Content::random(11, SIZE).to_vec()));
}

/// The other file is in place, this one is named, and is not there.
fn assert_given_up(stage: &Stage, ended: &Ended, code: i32, words: &str) {
    assert_eq!(ended.code, code, "{}", ended.stderr);
    assert!(ended.stderr.contains(FILE) && ended.stderr.contains(words), "{}", ended.stderr);
    assert_eq!(stage.files(), ["config.json"], "{}", ended.stderr);
}

async fn nonsense(place: Place, fault: Fault, when: When, words: &str) {
    let (stage, struck, ended) = with(place, fault, when).await;
    assert_given_up(&stage, &ended, 3, words);
    assert!((1..=FEW).contains(&struck), "{struck} answers were needed to see it");
    assert!(ended.stderr.contains("(attempt 1 failed)"), "attempts are visible: {}", ended.stderr);
}

async fn connections_that_are_reset(place: Place) {
    // Each brings something before it breaks: that is progress, and resuming gets there.
    let (stage, struck, ended) = with(place, Fault::ResetAfter(3_000_000), cdn()).await;
    assert_whole(&stage, &ended);
    assert!(struck >= 4, "{struck}");
}

async fn ranges_that_are_ignored(place: Place) {
    let (stage, struck, ended) = with(place, Fault::IgnoresRange, cdn()).await;
    assert_whole(&stage, &ended);
    assert!(struck >= 1);
}

async fn bodies_that_are_too_long(place: Place) {
    // What was asked for is in them; what follows it is left alone.
    let (stage, struck, ended) = with(place, Fault::LongBody(1_000), cdn()).await;
    assert_whole(&stage, &ended);
    assert!(struck >= 1);
}

async fn wrong_content_ranges(place: Place) {
    nonsense(place, Fault::WrongContentRange, cdn(), "Content-Range").await;
}

async fn compressed_bodies(place: Place) {
    // Such a server ignores ranges as well, so that the file is asked for whole, and then it is seen.
    nonsense(place, Fault::Gzipped, cdn(), "compresses").await;
}

async fn a_redirect_loop(place: Place) {
    let stage = stage(place).await;
    stage.hub.fault(Fault::RedirectLoop, When::file(FILE).at(Origin::Hub));
    let ended = stage.sync(MODEL, &["--verbose"]).await;
    assert_given_up(&stage, &ended, 3, "redirects more than 10 times");
    let loops = stage.hub.requests_for(FILE).len();
    assert!(loops <= FEW * 10, "{loops} requests went round");
}

async fn wrong_bytes(place: Place) {
    let (stage, struck, ended) = with(place, Fault::WrongBytes { at: 5_000 }, cdn()).await;
    assert_given_up(&stage, &ended, 7, "where the Hub lists");
    assert!(struck >= 2, "it was fetched once more");
}

/// Given up after as many attempts as there are to be, and told so; what had arrived is kept, and the next run asks for
/// the rest alone.
async fn trouble(place: Place, fault: Fault, when: When, words: &str, arrives: u64) {
    let stage = stage(place).await;
    let armed = stage.hub.fault(fault, when);
    let ended = stage.sync(MODEL, &HURRIED).await;
    assert_given_up(&stage, &ended, 3, words);
    let struck = armed.times_struck();
    assert!((10..=MANY).contains(&struck), "{struck} answers were needed to give up");
    assert!(ended.stderr.contains("(attempt 9 failed)"), "attempts are visible: {}", ended.stderr);
    assert!(!ended.stderr.contains("(attempt 10 failed)"), "the last one is the end: {}", ended.stderr);
    let kept = stage.claimed();
    assert!(kept >= arrives, "{kept} bytes are kept");

    armed.lift();
    let before = stage.hub.bytes_sent(Origin::Cdn);
    let ended = stage.sync(MODEL, &[]).await;
    assert_whole(&stage, &ended);
    let fetched = stage.hub.bytes_sent(Origin::Cdn) - before;
    assert!(fetched <= SIZE - kept, "{fetched} bytes were fetched with {kept} on disk");
}

async fn a_server_in_trouble(place: Place) {
    // Some of it comes before.
    trouble(place, Fault::Status(503), cdn().after(4), "answered 503", 4_000_000).await;
}

async fn a_resolver_in_trouble(place: Place) {
    let when = When::file(FILE).at(Origin::Hub);
    trouble(place, Fault::Status(503), when, "answered 503", 0).await;
}

async fn bodies_that_are_too_short(place: Place) {
    // All but the last byte of each answer is progress; in the end only last bytes are left.
    trouble(place, Fault::ShortBody(1), cdn(), "the connection to", SIZE - 1_000).await;
}

async fn a_name_that_nobody_knows(place: Place) {
    let lost = Fault::RedirectTo("http://no-such-host.invalid/file".to_owned());
    let when = When::file(FILE).at(Origin::Hub);
    trouble(place, lost, when, "cannot connect to no-such-host.invalid", 0).await;
}

async fn connections_that_stay_silent(place: Place) {
    let stage = stage(place).await;
    let stall = stage.hub.stall(0, cdn());
    let mut command = stage.syncing(MODEL, &HURRIED);
    command.env("HF_HUB_DOWNLOAD_TIMEOUT", "1");
    let ended = run(command).await;
    stall.release();
    assert_given_up(&stage, &ended, 3, "sent nothing for 1 s");
    assert!(ended.stderr.contains("(attempt 9 failed)"), "attempts are visible: {}", ended.stderr);
    assert_eq!(stage.hub.bytes_sent(Origin::Cdn), 0);
}

async fn attempts_are_events(place: Place) {
    let stage = stage(place).await;
    stage.hub.fault(Fault::Status(503), cdn().first(1));
    let ended = run(stage.syncing(MODEL, &["--json"])).await;
    assert_whole(&stage, &ended);
    let events = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("a line is an object"));
    let retrying: Vec<serde_json::Value> =
        events.filter(|event: &serde_json::Value| event["type"] == "retrying").collect();
    assert_eq!(retrying.len(), 1, "{}", ended.stdout);
    let event = &retrying[0];
    assert_eq!((&event["path"], &event["attempt"]), (&FILE.into(), &1.into()), "{event}");
    assert!(event["why"].as_str().is_some_and(|why| why.contains("503")), "{event}");
}

in_both_places! {
    connections_that_are_reset,
    ranges_that_are_ignored,
    bodies_that_are_too_long,
    wrong_content_ranges,
    compressed_bodies,
    a_redirect_loop,
    wrong_bytes,
    a_server_in_trouble,
    a_resolver_in_trouble,
    bodies_that_are_too_short,
    a_name_that_nobody_knows,
    connections_that_stay_silent,
    attempts_are_events,
}
