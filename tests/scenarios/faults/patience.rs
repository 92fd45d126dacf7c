//! Servers that ask to be left alone for a while: the Hub's API, its resolver, and the CDN, in seconds and as a date.
//! No request is back before the instant that its server named, and one too far off is not waited for.

use hfdown_tests::hub::{Content, HubFault, HubOrigin, HubRequest, RetryAfterForm, TestHub, When};
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, run};
use serde_json::Value;

use super::faulty::{FILE, MODEL, SIZE, cdn, sandbox};

const TOKEN: &str = "hf_tokenOfThisTest";
const SMALL: &str = "config.json";
const A_DAY: u64 = 24 * 60 * 60;

fn asking(status: u16, form: RetryAfterForm) -> HubFault {
    // Longer than any first wait of our own, which is half of it.
    HubFault::RetryAfter { status, seconds: 1, form }
}

/// Each server that asked for patience was asked again, and not before the instant that it named: `times` of them.
fn assert_patient(hub: &TestHub, times: usize) {
    let requests = hub.requests();
    let mut refusals = 0;
    for (index, refused) in requests.iter().enumerate() {
        let Some(instant) = refused.not_before else { continue };
        let is_same = |other: &&HubRequest| other.origin == refused.origin && other.path == refused.path;
        let mut later = requests[index + 1..].iter().filter(is_same).peekable();
        assert!(later.peek().is_some(), "{} is asked again", refused.path);
        assert!(later.all(|request| request.came >= instant), "{} was asked too early", refused.path);
        refusals += 1;
    }
    assert_eq!(refusals, times);
}

fn assert_whole(sandbox: &Sandbox, ended: &Ended) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.read(SMALL).as_deref(), Some(&b"{}"[..]));
    assert!(sandbox.read(FILE).is_some_and(|bytes| bytes == Content::random(11, SIZE).to_vec()));
}

/// The waits of all events of a type that tell of one.
fn waits(ended: &Ended, kind: &str) -> Vec<f64> {
    let events = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("a line is an object"));
    let of_this_kind = events.filter(|event: &Value| event["type"] == kind);
    of_this_kind.filter_map(|event| event["wait_seconds"].as_f64()).collect()
}

/// What the controller asks: what there is, and where the files of a private repository are.
async fn a_hub_that_asks_for_patience(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    sandbox.hub.model(MODEL).private(TOKEN).commit();
    sandbox.hub.fault(asking(429, RetryAfterForm::Date), When::path("/revision/").first(1));
    sandbox.hub.fault(asking(503, RetryAfterForm::Seconds), When::path("/tree/").first(1));
    sandbox.hub.fault(
        asking(429, RetryAfterForm::Seconds),
        When::file(FILE).at(HubOrigin::Hub).method("HEAD").first(1),
    );
    sandbox.hub.fault(asking(503, RetryAfterForm::Date), When::file(SMALL).at(HubOrigin::Hub).first(1));
    let mut command = sandbox.syncing(MODEL, &["--json"]);
    command.env("HF_TOKEN", TOKEN);
    let ended = run(command).await;
    assert_whole(&sandbox, &ended);
    assert_patient(&sandbox.hub, 4);
    let waits = waits(&ended, "delayed");
    assert!(waits.len() >= 4 && waits.iter().all(|wait| *wait > 1.0), "the waits are told: {waits:?}");
}

/// What the agent asks: where the files of a public repository are, and for their bytes.
async fn a_resolver_and_a_cdn_that_ask_for_patience(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    sandbox.hub.fault(asking(503, RetryAfterForm::Date), When::file(FILE).at(HubOrigin::Hub).first(1));
    sandbox.hub.fault(asking(429, RetryAfterForm::Seconds), cdn().first(1));
    sandbox.hub.fault(HubFault::CutAfter(8_000_000), cdn().first(1));
    sandbox.hub.fault(asking(429, RetryAfterForm::Date), cdn().after(1).first(1));
    sandbox.hub.fault(asking(429, RetryAfterForm::Date), When::file(SMALL).at(HubOrigin::Hub).first(1));
    // One connection: what others have asked for already is not asked too early.
    let ended = run(sandbox.syncing(MODEL, &["--json", "--connections", "1"])).await;
    assert_whole(&sandbox, &ended);
    assert_patient(&sandbox.hub, 4);
    let waits = waits(&ended, "retrying");
    // The cut is followed by a wait of our own.
    assert!(waits.iter().filter(|wait| **wait > 1.0).count() >= 4, "the waits are told: {waits:?}");
}

async fn a_hub_that_asks_for_a_day(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    for status in [429, 503] {
        let fault = HubFault::RetryAfter { status, seconds: A_DAY, form: RetryAfterForm::Date };
        let armed = sandbox.hub.fault(fault, When::path("/api/"));
        let ended = sandbox.sync(MODEL, &["--verbose"]).await;
        armed.lift();
        assert_eq!((ended.code, armed.times_struck()), (6, 1), "{}", ended.stderr);
        let words = ["hint: ", "24 h 00 m", "run the same command again"];
        assert!(words.iter().all(|words| ended.stderr.contains(words)), "{}", ended.stderr);
    }
}

/// A connection that is told so tells the others, and another server that has what is wanted is asked for it.
async fn a_cdn_that_asks_for_a_day(place: DestinationKind) {
    const OTHER: &str = "onnx/model.onnx";
    let sandbox = sandbox(place).await;
    sandbox.hub.model(MODEL).lfs(OTHER, Content::random(12, 500_000)).commit();
    let fault = HubFault::RetryAfter { status: 429, seconds: A_DAY, form: RetryAfterForm::Seconds };
    let armed = sandbox.hub.fault(fault, When::always().at(HubOrigin::Cdn).after(1));
    sandbox.hub.fault(HubFault::CutAfter(8_000_000), cdn().first(1));
    let ended = sandbox.sync(MODEL, &["--verbose", "--connections", "1"]).await;
    assert_eq!((ended.code, armed.times_struck()), (3, 1), "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("asking to be left alone for 24 h").count(), 2, "{}", ended.stderr);
    assert!(!ended.stderr.contains("(attempt 2 failed)"), "it is not tried again: {}", ended.stderr);
    assert_eq!(sandbox.files(), [SMALL]);

    // What had arrived is kept.
    let kept = sandbox.claimed();
    assert!(kept > 0);
    armed.lift();
    let before = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_whole(&sandbox, &ended);
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn) - before, SIZE - kept + 500_000);
}

async fn a_hub_that_asks_for_a_day_before_it_signs(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    sandbox.hub.model(MODEL).private(TOKEN).commit();
    let fault = HubFault::RetryAfter { status: 429, seconds: A_DAY, form: RetryAfterForm::Date };
    let armed = sandbox.hub.fault(fault, When::always().at(HubOrigin::Hub).method("HEAD"));
    let mut command = sandbox.syncing(MODEL, &["--verbose"]);
    command.env("HF_TOKEN", TOKEN);
    let ended = run(command).await;
    assert_eq!(ended.code, 6, "{}", ended.stderr);
    let asked = armed.times_struck();
    assert!((1..=2).contains(&asked), "both files may have been asked for at once: {asked}");
    assert!(ended.stderr.contains("asking to be left alone for 24 h"), "{}", ended.stderr);
    assert!(sandbox.files().is_empty());
}

here_and_on_a_box! {
    a_hub_that_asks_for_patience,
    a_resolver_and_a_cdn_that_ask_for_patience,
    a_hub_that_asks_for_a_day,
    a_cdn_that_asks_for_a_day,
    a_hub_that_asks_for_a_day_before_it_signs,
}
