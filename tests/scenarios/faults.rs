//! Each fault of a server on the way, here and through the agent on a box. Once, it is survived with what is on disk;
//! for ever, it is reported.

macro_rules! in_both_places {
    ($($fault:ident),* $(,)?) => {
        mod here { $(#[tokio::test] async fn $fault() { super::$fault(hfdown_tests::stage::Place::Here).await })* }
        mod on_a_box { $(#[tokio::test] async fn $fault() { super::$fault(hfdown_tests::stage::Place::InProcess).await })* }
    };
}

mod faults {
    mod for_ever;
    mod orphans;
    mod outage;
    mod patience;
    mod small;
    mod tls;
}

use hfdown_tests::hub::{Armed, Content, Fault, Origin, When};
use hfdown_tests::stage::{Ended, Place, Stage, run};

const HFDOWN: &str = env!("CARGO_BIN_EXE_hfdown-tested");
pub(crate) const MODEL: &str = "acme/faulty";
pub(crate) const FILE: &str = "model.safetensors";
pub(crate) const SIZE: u64 = 24_000_000;

pub(crate) async fn stage(place: Place) -> Stage {
    let stage = Stage::set(place, HFDOWN).await.expect("neither place needs anything");
    publish(&stage);
    stage
}

pub(crate) fn publish(stage: &Stage) {
    stage.hub.model(MODEL).file("config.json", "{}").lfs(FILE, Content::random(11, SIZE)).commit();
}

/// Syncs past a fault and checks that it struck, that the file is right, and what it cost in bytes fetched again.
async fn survives(place: Place, fault: Fault, when: When, repeated: u64) {
    let stage = stage(place).await;
    let armed = stage.hub.fault(fault, when);
    let ended = stage.sync(MODEL, &["--verbose"]).await;
    assert_survived(&stage, &armed, &ended, repeated);
}

fn assert_survived(stage: &Stage, armed: &Armed, ended: &Ended, repeated: u64) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(armed.times_struck() >= 1, "the fault struck");
    assert!(stage.read(FILE).is_some_and(|bytes| bytes == Content::random(11, SIZE).to_vec()));
    let sent = stage.hub.bytes_sent(Origin::Cdn);
    assert!(sent <= SIZE + repeated, "{sent} bytes were sent for {SIZE}");
}

pub(crate) fn cdn() -> When {
    When::file(FILE).at(Origin::Cdn)
}

/// What may be lost with one connection: what was on its way when it broke. Linux lets a socket hold 4 MiB that nobody
/// has taken yet.
const ON_THE_WAY: u64 = 5_000_000;

/// The bodies of refusals: a few words each.
const REFUSALS: u64 = 1_000;

async fn a_reset_connection(place: Place) {
    survives(place, Fault::ResetAfter(2_000_000), cdn().first(2), 2 * ON_THE_WAY).await;
}

async fn a_server_in_trouble(place: Place) {
    const STATUSES: [u16; 4] = [500, 502, 503, 504];
    let stage = stage(place).await;
    let armed = STATUSES.map(|status| stage.hub.fault(Fault::Status(status), cdn().first(1)));
    // One after the other strikes the first question, which the others wait for.
    let ended = stage.sync(MODEL, &["--verbose", "--first-wait", "10"]).await;
    for (armed, status) in armed.iter().zip(STATUSES) {
        assert!(ended.stderr.contains(&format!("answered {status}")), "{}", ended.stderr);
        assert_survived(&stage, armed, &ended, REFUSALS);
    }
}

async fn a_resolver_in_trouble(place: Place) {
    survives(place, Fault::Status(503), When::file(FILE).at(Origin::Hub).first(1), 0).await;
}

async fn too_many_requests(place: Place) {
    let stage = stage(place).await;
    let armed = stage.hub.fault(Fault::RateLimited { seconds: 1 }, When::file(FILE).at(Origin::Hub).first(1));
    let ended = stage.sync(MODEL, &["--verbose"]).await;
    assert_survived(&stage, &armed, &ended, 0);
    assert!(ended.stderr.contains("too many requests"), "{}", ended.stderr);
}

async fn a_wrong_content_range(place: Place) {
    survives(place, Fault::WrongContentRange, cdn().first(1), ON_THE_WAY).await;
}

async fn a_short_body(place: Place) {
    survives(place, Fault::ShortBody(1_000), cdn().first(1), ON_THE_WAY).await;
}

async fn a_long_body(place: Place) {
    survives(place, Fault::LongBody(1_000), cdn().first(1), ON_THE_WAY).await;
}

async fn a_compressed_body(place: Place) {
    survives(place, Fault::Gzipped, cdn().first(1), SIZE).await;
}

async fn a_redirect_loop(place: Place) {
    survives(place, Fault::RedirectLoop, When::file(FILE).at(Origin::Hub).first(1), 0).await;
}

async fn a_redirect_to_something_else(place: Place) {
    let fault = Fault::RedirectTo("file:///etc/passwd".to_owned());
    survives(place, fault, When::file(FILE).at(Origin::Hub).first(1), 0).await;
}

async fn a_name_that_is_not_known_at_once(place: Place) {
    let lost = Fault::RedirectTo("http://no-such-host.invalid/file".to_owned());
    survives(place, lost, When::file(FILE).at(Origin::Hub).first(1), 0).await;
}

async fn an_address_that_expires_in_mid_file(place: Place) {
    survives(place, Fault::Expired, cdn().after(2).first(2), REFUSALS).await;
}

async fn wrong_bytes(place: Place) {
    survives(place, Fault::WrongBytes { at: 5_000 }, cdn().first(1), SIZE).await;
}

async fn a_stalled_connection(place: Place) {
    let stage = stage(place).await;
    let stall = stage.hub.stall(1_000_000, cdn().first(1));
    let mut command = stage.syncing(MODEL, &["--verbose"]);
    command.env("HF_HUB_DOWNLOAD_TIMEOUT", "1");
    let ended = run(command).await;
    stall.release();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("sent nothing for 1 s"), "{}", ended.stderr);
    assert!(stage.read(FILE).is_some_and(|bytes| bytes == Content::random(11, SIZE).to_vec()));
}

/// A piece of 4 MiB, the shortest there is, takes 80 s at that rate.
async fn a_slow_connection_among_fast_ones(place: Place) {
    let stage = stage(place).await;
    let slow = stage.hub.fault(Fault::Throttle { bytes_per_second: 50_000 }, cdn().first(1));
    let ended = stage.sync(MODEL, &[]).await;
    assert_survived(&stage, &slow, &ended, ON_THE_WAY);
    let requests = stage.hub.requests_for(FILE);
    let first = requests.iter().find(|request| request.origin == Origin::Cdn).expect("it was asked");
    assert_eq!(first.range(), Some("bytes=0-4194303"));
    assert!(first.bytes_sent < 2 << 20, "others do what it has left: {} bytes", first.bytes_sent);
}

async fn a_small_file_on_a_slow_connection(place: Place) {
    const SMALL: u64 = 600_000;
    let stage = stage(place).await;
    let name = |number: u64| format!("part-{number}");
    let content = |number| Content::random(100 + number, SMALL);
    let mut model = stage.hub.model(MODEL);
    for number in 0..8 {
        model = model.lfs(&name(number), content(number));
    }
    model.commit();
    let slow = When::file(&name(0)).at(Origin::Cdn).first(1);
    let slow = stage.hub.fault(Fault::Throttle { bytes_per_second: 20_000 }, slow);
    let ended = stage.sync(MODEL, &[]).await;
    assert_eq!((ended.code, slow.times_struck()), (0, 1), "{}", ended.stderr);
    for number in 0..8 {
        assert!(stage.read(&name(number)).is_some_and(|bytes| bytes == content(number).to_vec()));
        let requests = stage.hub.requests_for(&name(number));
        let sent = requests.iter().filter(|request| request.origin == Origin::Cdn);
        let sent: Vec<u64> = sent.map(|request| request.bytes_sent).collect();
        match number {
            0 => assert!(sent.len() == 2 && sent[0] < SMALL && sent[1] == SMALL, "{sent:?}"),
            _ => assert_eq!(sent, [SMALL], "the others are asked for once"),
        }
    }
}

in_both_places! {
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
