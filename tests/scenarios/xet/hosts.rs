//! Hosts of xorbs that answer in odd ways: the right file comes all the same, from them or as it is.

use hfdown_tests::hub::{HubFault, OddRange, RetryAfterForm, When};
use hfdown_tests::sandbox::Sandbox;

use super::{FILE, MODEL, SIZE, XORBS, objects, publish, sent};

here! { odd_answers_are_taken_or_left, patience_is_had_where_little_is_asked_for, }
here_and_on_a_box! { redirects_lead_where_a_hub_may_lead, }

/// The file is there. Whether it fell back.
async fn falls_back(sandbox: &Sandbox, bytes: &[u8], what: &str) -> bool {
    let _ = std::fs::remove_dir_all(sandbox.root());
    sandbox.hub.forget_requests();
    let ended = sandbox.sync(MODEL, &["--json", "--first-wait", "1"]).await;
    assert_eq!(ended.code, 0, "{what}: {}\n{}", ended.stdout, ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|read| read == bytes), "{what}");
    assert_eq!(
        objects(&ended, "error").len() + objects(&ended, "warning").len(),
        0,
        "{what}: {}",
        ended.stdout
    );
    let fell_back = objects(&ended, "fell_back").len();
    assert!(fell_back <= 1, "{what}: {}", ended.stdout);
    let (xorbs, plain) = sent(sandbox);
    // What was decoded stays, and no xorb comes whole where a part of it was asked for.
    assert!(xorbs + plain < 2 * SIZE as u64, "{what}: {xorbs} {plain}");
    assert_eq!(plain > 0, fell_back == 1, "{what}");
    fell_back == 1
}

async fn odd_answers_are_taken_or_left(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    for (fault, is_left) in [
        (HubFault::OddRange(OddRange::Unplaced), false),
        (HubFault::OddRange(OddRange::UnknownTotal), false),
        (HubFault::OddRange(OddRange::PartAsTotal), false),
        (HubFault::OddRange(OddRange::Multipart), true),
        (HubFault::OddRange(OddRange::Unreadable), true),
        (HubFault::OddRange(OddRange::NotSatisfiable), true),
        (HubFault::WrongContentRange, true),
        (HubFault::Gzipped, true),
        (HubFault::ShortBody(9), true),
        (HubFault::LongBody(9), true),
        (HubFault::Status(404), true),
        (HubFault::Status(401), true),
    ] {
        let what = format!("{fault:?}");
        let armed = sandbox.hub.fault(fault, When::path(XORBS));
        assert_eq!(falls_back(&sandbox, &bytes, &what).await, is_left, "{what}");
        assert!(armed.times_struck() > 0, "{what}");
        armed.lift();
    }
    // The whole xorb in the place of a part of it is the same where that is all of it, and is left otherwise.
    for fault in [HubFault::IgnoresRange, HubFault::OddRange(OddRange::Chunked)] {
        let what = format!("{fault:?}");
        let armed = sandbox.hub.fault(fault, When::path(XORBS));
        falls_back(&sandbox, &bytes, &what).await;
        armed.lift();
    }
}

async fn patience_is_had_where_little_is_asked_for(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    let fault = HubFault::RetryAfter { status: 429, seconds: 1, form: RetryAfterForm::Seconds };
    let armed = sandbox.hub.fault(fault, When::path(XORBS).first(1));
    assert!(!falls_back(&sandbox, &bytes, "429").await);
    assert_eq!(armed.times_struck(), 1);
}

async fn redirects_lead_where_a_hub_may_lead(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    let nowhere = "http://127.0.0.1:1/xorb?X=1".to_owned();
    for fault in [
        HubFault::RedirectTo(nowhere),
        HubFault::RedirectTo("file:///etc/passwd".to_owned()),
        HubFault::RedirectTo("http://user:word@127.0.0.1:1/".to_owned()),
        HubFault::RedirectLoop,
    ] {
        let what = format!("{fault:?}");
        let armed = sandbox.hub.fault(fault, When::path(XORBS));
        assert!(falls_back(&sandbox, &bytes, &what).await, "{what}");
        armed.lift();
    }
}
