//! A fault that strikes once is survived, with what is on disk.

use hfdown_tests::hub::{Armed, Content, HubFault, HubOrigin, When};
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, run};

use super::faulty::{FILE, MODEL, SIZE, cdn, sandbox};

/// Syncs past a fault and checks that it struck, that the file is right, and what it cost in bytes fetched again.
async fn survives(place: DestinationKind, fault: HubFault, when: When, repeated: u64) {
    let sandbox = sandbox(place).await;
    let armed = sandbox.hub.fault(fault, when);
    let ended = sandbox.sync(MODEL, &["--verbose"]).await;
    assert_survived(&sandbox, &armed, &ended, repeated);
}

fn assert_survived(sandbox: &Sandbox, armed: &Armed, ended: &Ended, repeated: u64) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(armed.times_struck() >= 1, "the fault struck");
    assert!(sandbox.read(FILE).is_some_and(|bytes| bytes == Content::random(11, SIZE).to_vec()));
    let sent = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    assert!(sent <= SIZE + repeated, "{sent} bytes were sent for {SIZE}");
}

/// What may be lost with one connection: what was on its way when it broke. Linux lets a socket hold 4 MiB that its
/// reader has not taken yet.
const ON_THE_WAY: u64 = 5_000_000;

/// The bodies of refusals: a few words each.
const REFUSALS: u64 = 1_000;

async fn a_reset_connection(place: DestinationKind) {
    survives(place, HubFault::ResetAfter(2_000_000), cdn().first(2), 2 * ON_THE_WAY).await;
}

async fn a_server_in_trouble(place: DestinationKind) {
    const STATUSES: [u16; 4] = [500, 502, 503, 504];
    let sandbox = sandbox(place).await;
    let armed = STATUSES.map(|status| sandbox.hub.fault(HubFault::Status(status), cdn().first(1)));
    // One after the other strikes the first question, which the others wait for.
    let ended = sandbox.sync(MODEL, &["--verbose", "--first-wait", "10"]).await;
    for (armed, status) in armed.iter().zip(STATUSES) {
        assert!(ended.stderr.contains(&format!("answered {status}")), "{}", ended.stderr);
        assert_survived(&sandbox, armed, &ended, REFUSALS);
    }
}

async fn a_resolver_in_trouble(place: DestinationKind) {
    survives(place, HubFault::Status(503), When::file(FILE).at(HubOrigin::Hub).first(1), 0).await;
}

async fn too_many_requests(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    let armed =
        sandbox.hub.fault(HubFault::RateLimited { seconds: 1 }, When::file(FILE).at(HubOrigin::Hub).first(1));
    let ended = sandbox.sync(MODEL, &["--verbose"]).await;
    assert_survived(&sandbox, &armed, &ended, 0);
    assert!(ended.stderr.contains("too many requests"), "{}", ended.stderr);
}

async fn a_wrong_content_range(place: DestinationKind) {
    survives(place, HubFault::WrongContentRange, cdn().first(1), ON_THE_WAY).await;
}

async fn a_short_body(place: DestinationKind) {
    survives(place, HubFault::ShortBody(1_000), cdn().first(1), ON_THE_WAY).await;
}

async fn a_long_body(place: DestinationKind) {
    survives(place, HubFault::LongBody(1_000), cdn().first(1), ON_THE_WAY).await;
}

async fn a_compressed_body(place: DestinationKind) {
    survives(place, HubFault::Gzipped, cdn().first(1), SIZE).await;
}

async fn a_redirect_loop(place: DestinationKind) {
    survives(place, HubFault::RedirectLoop, When::file(FILE).at(HubOrigin::Hub).first(1), 0).await;
}

async fn a_redirect_to_something_else(place: DestinationKind) {
    let fault = HubFault::RedirectTo("file:///etc/passwd".to_owned());
    survives(place, fault, When::file(FILE).at(HubOrigin::Hub).first(1), 0).await;
}

async fn a_name_that_is_not_known_at_once(place: DestinationKind) {
    let lost = HubFault::RedirectTo("http://no-such-host.invalid/file".to_owned());
    survives(place, lost, When::file(FILE).at(HubOrigin::Hub).first(1), 0).await;
}

async fn an_address_that_expires_in_mid_file(place: DestinationKind) {
    survives(place, HubFault::Expired, cdn().after(2).first(2), REFUSALS).await;
}

async fn wrong_bytes(place: DestinationKind) {
    survives(place, HubFault::WrongBytes { at: 5_000 }, cdn().first(1), SIZE).await;
}

async fn a_stalled_connection(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    let stall = sandbox.hub.stall(1_000_000, cdn().first(1));
    let mut command = sandbox.syncing(MODEL, &["--verbose"]);
    command.env("HF_HUB_DOWNLOAD_TIMEOUT", "1");
    let ended = run(command).await;
    stall.release();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("sent nothing for 1 s"), "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|bytes| bytes == Content::random(11, SIZE).to_vec()));
}

/// A piece of 4 MiB, the shortest there is, takes 80 s at that rate.
async fn a_slow_connection_among_fast_ones(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    let slow = sandbox.hub.fault(HubFault::Throttle { bytes_per_second: 50_000 }, cdn().first(1));
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_survived(&sandbox, &slow, &ended, ON_THE_WAY);
    let requests = sandbox.hub.requests_for(FILE);
    let first = requests.iter().find(|request| request.origin == HubOrigin::Cdn).expect("it was asked");
    assert_eq!(first.range(), Some("bytes=0-4194303"));
    assert!(first.bytes_sent < 2 << 20, "others do what it has left: {} bytes", first.bytes_sent);
}

async fn a_small_file_on_a_slow_connection(place: DestinationKind) {
    const SMALL: u64 = 600_000;
    let sandbox = sandbox(place).await;
    let name = |number: u64| format!("part-{number}");
    let content = |number| Content::random(100 + number, SMALL);
    let mut model = sandbox.hub.model(MODEL);
    for number in 0..8 {
        model = model.lfs(&name(number), content(number));
    }
    model.commit();
    let slow = When::file(&name(0)).at(HubOrigin::Cdn).first(1);
    let slow = sandbox.hub.fault(HubFault::Throttle { bytes_per_second: 20_000 }, slow);
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!((ended.code, slow.times_struck()), (0, 1), "{}", ended.stderr);
    for number in 0..8 {
        assert!(sandbox.read(&name(number)).is_some_and(|bytes| bytes == content(number).to_vec()));
        let requests = sandbox.hub.requests_for(&name(number));
        let sent = requests.iter().filter(|request| request.origin == HubOrigin::Cdn);
        let sent: Vec<u64> = sent.map(|request| request.bytes_sent).collect();
        match number {
            0 => assert!(sent.len() == 2 && sent[0] < SMALL && sent[1] == SMALL, "{sent:?}"),
            _ => assert_eq!(sent, [SMALL], "the others are asked for once"),
        }
    }
}

here_and_on_a_box! {
    a_reset_connection,
    a_server_in_trouble,
    a_resolver_in_trouble,
    too_many_requests,
    a_wrong_content_range,
    a_short_body,
    a_long_body,
    a_compressed_body,
    a_redirect_loop,
    a_redirect_to_something_else,
    a_name_that_is_not_known_at_once,
    an_address_that_expires_in_mid_file,
    wrong_bytes,
    a_stalled_connection,
    a_slow_connection_among_fast_ones,
    a_small_file_on_a_slow_connection,
}
