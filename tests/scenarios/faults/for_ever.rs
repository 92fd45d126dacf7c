//! Faults that never end: those that leave some progress are survived, the others are given up with the file's name and
//! leave no file. Attempts are visible for people and for programs.

use hfdown_tests::hub::{Content, HubFault, HubOrigin, When};
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, run};

use super::faulty::{FILE, MODEL, SIZE, cdn, sandbox};

/// Attempts at a server whose answers make no sense, by each of the four connections at most.
const FEW: usize = 3 * 4;
/// Attempts at a server that may come back, by each of the four, and as many again that brought something before.
const MANY: usize = 2 * 10 * 4;
/// The waits between those attempts are minutes. Here they are seconds; how many there are, and what comes of them, is
/// the same.
const HURRIED: [&str; 5] = ["--verbose", "--first-wait", "10", "--connections", "4"];

async fn with(place: DestinationKind, fault: HubFault, when: When) -> (Sandbox, usize, Ended) {
    let sandbox = sandbox(place).await;
    let armed = sandbox.hub.fault(fault, when);
    let ended = sandbox.sync(MODEL, &["--verbose"]).await;
    (sandbox, armed.times_struck(), ended)
}

fn assert_whole(sandbox: &Sandbox, ended: &Ended) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|bytes| bytes == Content::random(11, SIZE).to_vec()));
}

/// The other file is in place, this one is named, and is not there.
fn assert_given_up(sandbox: &Sandbox, ended: &Ended, code: i32, words: &str) {
    assert_eq!(ended.code, code, "{}", ended.stderr);
    assert!(ended.stderr.contains(FILE) && ended.stderr.contains(words), "{}", ended.stderr);
    assert_eq!(sandbox.files(), ["config.json"], "{}", ended.stderr);
}

async fn nonsense(place: DestinationKind, fault: HubFault, when: When, words: &str) {
    let (sandbox, struck, ended) = with(place, fault, when).await;
    assert_given_up(&sandbox, &ended, 3, words);
    assert!((1..=FEW).contains(&struck), "{struck} answers were needed to see it");
    assert!(ended.stderr.contains("(attempt 1 failed)"), "attempts are visible: {}", ended.stderr);
}

async fn connections_that_are_reset(place: DestinationKind) {
    // Each brings something before it breaks: that is progress, and resuming gets there.
    let (sandbox, struck, ended) = with(place, HubFault::ResetAfter(3_000_000), cdn()).await;
    assert_whole(&sandbox, &ended);
    assert!(struck >= 4, "{struck}");
}

async fn ranges_that_are_ignored(place: DestinationKind) {
    let (sandbox, struck, ended) = with(place, HubFault::IgnoresRange, cdn()).await;
    assert_whole(&sandbox, &ended);
    assert!(struck >= 1);
}

async fn bodies_that_are_too_long(place: DestinationKind) {
    // What was asked for is in them; what follows it is left alone.
    let (sandbox, struck, ended) = with(place, HubFault::LongBody(1_000), cdn()).await;
    assert_whole(&sandbox, &ended);
    assert!(struck >= 1);
}

async fn compressed_bodies(place: DestinationKind) {
    // Such a server ignores ranges as well, so that the file is asked for whole, and then it is seen.
    nonsense(place, HubFault::Gzipped, cdn(), "compresses").await;
}

async fn a_redirect_loop(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    sandbox.hub.fault(HubFault::RedirectLoop, When::file(FILE).at(HubOrigin::Hub));
    let ended = sandbox.sync(MODEL, &["--verbose"]).await;
    assert_given_up(&sandbox, &ended, 3, "redirects more than 10 times");
    let loops = sandbox.hub.requests_for(FILE).len();
    assert!(loops <= FEW * 10, "{loops} requests went round");
}

async fn wrong_bytes(place: DestinationKind) {
    let (sandbox, struck, ended) = with(place, HubFault::WrongBytes { at: 5_000 }, cdn()).await;
    assert_given_up(&sandbox, &ended, 7, "where the Hub lists");
    assert!(struck >= 2, "it was fetched once more");
}

/// Given up after as many attempts as there are to be, and told so; what had arrived is kept, and the next run asks for
/// the rest alone.
async fn trouble(place: DestinationKind, fault: HubFault, when: When, words: &str, arrives: u64) {
    let sandbox = sandbox(place).await;
    let armed = sandbox.hub.fault(fault, when);
    let ended = sandbox.sync(MODEL, &HURRIED).await;
    assert_given_up(&sandbox, &ended, 3, words);
    let struck = armed.times_struck();
    assert!((10..=MANY).contains(&struck), "{struck} answers were needed to give up");
    assert!(ended.stderr.contains("(attempt 9 failed)"), "attempts are visible: {}", ended.stderr);
    assert!(!ended.stderr.contains("(attempt 10 failed)"), "the last one is the end: {}", ended.stderr);
    let kept = sandbox.claimed();
    assert!(kept >= arrives, "{kept} bytes are kept");

    armed.lift();
    let before = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_whole(&sandbox, &ended);
    let fetched = sandbox.hub.bytes_sent(HubOrigin::Cdn) - before;
    assert!(fetched <= SIZE - kept, "{fetched} bytes were fetched with {kept} on disk");
}

async fn a_server_in_trouble(place: DestinationKind) {
    // Some of it comes before.
    trouble(place, HubFault::Status(503), cdn().after(4), "answered 503", 4_000_000).await;
}

async fn a_resolver_in_trouble(place: DestinationKind) {
    let when = When::file(FILE).at(HubOrigin::Hub);
    trouble(place, HubFault::Status(503), when, "answered 503", 0).await;
}

async fn bodies_that_are_too_short(place: DestinationKind) {
    // All but the last byte of each answer is progress; in the end only last bytes are left.
    trouble(place, HubFault::ShortBody(1), cdn(), "the connection to", SIZE - 1_000).await;
}

async fn a_name_that_does_not_exist(place: DestinationKind) {
    let lost = HubFault::RedirectTo("http://no-such-host.invalid/file".to_owned());
    let when = When::file(FILE).at(HubOrigin::Hub);
    trouble(place, lost, when, "cannot connect to no-such-host.invalid", 0).await;
}

async fn connections_that_stay_silent(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    let stall = sandbox.hub.stall(0, cdn());
    let mut command = sandbox.syncing(MODEL, &HURRIED);
    command.env("HF_HUB_DOWNLOAD_TIMEOUT", "1");
    let ended = run(command).await;
    stall.release();
    assert_given_up(&sandbox, &ended, 3, "sent nothing for 1 s");
    assert!(ended.stderr.contains("(attempt 9 failed)"), "attempts are visible: {}", ended.stderr);
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0);
}

async fn attempts_are_events(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    sandbox.hub.fault(HubFault::Status(503), cdn().first(1));
    let ended = run(sandbox.syncing(MODEL, &["--json"])).await;
    assert_whole(&sandbox, &ended);
    let events = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("a line is an object"));
    let retrying: Vec<serde_json::Value> =
        events.filter(|event: &serde_json::Value| event["type"] == "retrying").collect();
    assert_eq!(retrying.len(), 1, "{}", ended.stdout);
    let event = &retrying[0];
    assert_eq!((&event["path"], &event["attempt"]), (&FILE.into(), &1.into()), "{event}");
    assert!(event["why"].as_str().is_some_and(|why| why.contains("503")), "{event}");
}

here_and_on_a_box! {
    connections_that_are_reset,
    ranges_that_are_ignored,
    bodies_that_are_too_long,
    compressed_bodies,
    a_redirect_loop,
    wrong_bytes,
    a_server_in_trouble,
    a_resolver_in_trouble,
    bodies_that_are_too_short,
    a_name_that_does_not_exist,
    connections_that_stay_silent,
    attempts_are_events,
}
