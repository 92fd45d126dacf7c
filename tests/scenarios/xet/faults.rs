//! A store that fails, and answers that lie: the right file comes all the same, and no word is lost on it but with
//! `--verbose`.

use std::time::Duration;

use hfdown_tests::hub::{CannedAnswer, HubFault, HubOrigin, When};
use hfdown_tests::sandbox::Sandbox;
use serde_json::{Value, json};

use super::{FILE, MODEL, SIZE, TERMS, XORBS, objects, publish, questions, sent};

here_and_on_a_box! {
    addresses_that_expire_in_mid_file_are_asked_for_anew, a_connection_that_breaks_costs_what_was_in_hands,
    bytes_that_are_no_chunks_are_left_alone, wrong_bytes_are_found_out, a_store_that_goes_away_in_mid_file_is_left,
}
here! { answers_that_lie_are_left_alone, a_store_that_refuses_is_left_alone, a_token_that_ends_is_renewed, }

/// The file is there, and nothing was said without need.
async fn comes_right(sandbox: &Sandbox, bytes: &[u8], more: &[&str]) -> Vec<Value> {
    let ended = sandbox.sync(MODEL, &[&["--json", "--first-wait", "1"], more].concat()).await;
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|read| read == bytes));
    assert_eq!(ended.stderr, "");
    assert_eq!(objects(&ended, "error").len() + objects(&ended, "warning").len(), 0, "{}", ended.stdout);
    objects(&ended, "fell_back")
}

async fn addresses_that_expire_in_mid_file_are_asked_for_anew(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    sandbox.hub.fault(HubFault::Expired, When::path(XORBS).after(1).first(2));
    let fell_back = comes_right(&sandbox, &bytes, &[]).await;
    assert!(fell_back.is_empty(), "{fell_back:?}");
    assert!(questions(&sandbox) > 1);
    let (xorbs, plain) = sent(&sandbox);
    assert!(plain == 0 && xorbs < SIZE as u64, "{xorbs} {plain}");
}

async fn a_connection_that_breaks_costs_what_was_in_hands(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    let broken = sandbox.hub.fault(HubFault::CutAfter(2_000_000), When::path(XORBS).first(2));
    let fell_back = comes_right(&sandbox, &bytes, &["--connections", "2"]).await;
    assert!(fell_back.is_empty(), "{fell_back:?}");
    assert_eq!(broken.times_struck(), 2);
    let (xorbs, plain) = sent(&sandbox);
    // Nine tenths of the file, a chunk for each that broke, and what was on its way.
    assert!(plain == 0 && xorbs < SIZE as u64 + 1_000_000, "{xorbs} {plain}");
}

async fn bytes_that_are_no_chunks_are_left_alone(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    let lie = |header: [u8; 8]| {
        let mut body = header.to_vec();
        body.resize(5_000_000, 7);
        let headers = Vec::new();
        HubFault::Answer(CannedAnswer { status: 206, headers, body })
    };
    for header in [[9; 8], [0, 255, 255, 1, 1, 0, 0, 2], [0, 255, 255, 255, 2, 255, 255, 255], [0; 8]] {
        let _ = std::fs::remove_dir_all(sandbox.root());
        sandbox.hub.forget_requests();
        let armed = sandbox.hub.fault(lie(header), When::path(XORBS).first(1));
        let fell_back = comes_right(&sandbox, &bytes, &["--connections", "1"]).await;
        assert_eq!((armed.times_struck(), fell_back.len()), (1, 1), "{header:?}");
        assert_eq!(fell_back[0]["path"], FILE);
        assert_eq!(sent(&sandbox).1, SIZE as u64);
    }
}

async fn wrong_bytes_are_found_out(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    // Another chunk of the same xorb, or the same one twice.
    sandbox.hub.tamper(|answer| {
        let terms = answer["terms"].as_array_mut().unwrap();
        let last = terms.len() - 1;
        terms.swap(0, last.min(1));
    });
    let fell_back = comes_right(&sandbox, &bytes, &[]).await;
    assert_eq!(fell_back.len(), 1, "{fell_back:?}");
    assert!(sent(&sandbox).1 >= SIZE as u64);
}

async fn a_store_that_goes_away_in_mid_file_is_left(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    sandbox.hub.fault(HubFault::Status(503), When::path(XORBS).after(2));
    let fell_back = comes_right(&sandbox, &bytes, &["--connections", "1"]).await;
    assert_eq!(fell_back.len(), 1, "{fell_back:?}");
    let (xorbs, plain) = sent(&sandbox);
    // What had come stays.
    assert!(xorbs > 3_000_000 && plain < SIZE as u64 - 3_000_000, "{xorbs} {plain}");
}

async fn answers_that_lie_are_left_alone(sandbox: Sandbox) {
    type AnswerLie = fn(&mut Value);
    let lies: [(&str, AnswerLie); 10] = [
        ("too short", |answer| answer["terms"][0]["unpacked_length"] = json!(9)),
        ("too long", |answer| answer["terms"][0]["unpacked_length"] = json!(1_u64 << 40)),
        ("a gap", |answer| drop(answer["terms"].as_array_mut().unwrap().remove(1))),
        ("an overlap", |answer| {
            let first = answer["terms"][0].clone();
            answer["terms"].as_array_mut().unwrap().insert(0, first);
        }),
        ("no xorbs", |answer| answer["xorbs"] = json!({})),
        ("no terms", |answer| answer["terms"] = json!([])),
        ("not an object", |answer| *answer = json!([1])),
        ("a skip beyond the term", |answer| answer["offset_into_first_range"] = json!(u64::MAX)),
        ("chunks that no xorb has", |answer| answer["terms"][0]["range"]["end"] = json!(100_000)),
        ("another's address", |answer| {
            for ranges in answer["xorbs"].as_object_mut().unwrap().values_mut() {
                ranges[0]["url"] = json!("file:///etc/passwd");
            }
        }),
    ];
    let bytes = publish(&sandbox);
    for (what, lie) in lies {
        let _ = std::fs::remove_dir_all(sandbox.root());
        sandbox.hub.forget_requests();
        sandbox.hub.tamper(lie);
        let fell_back = comes_right(&sandbox, &bytes, &[]).await;
        assert_eq!(fell_back.len(), 1, "{what}: {fell_back:?}");
        assert_eq!(sent(&sandbox), (0, SIZE as u64), "{what}");
    }
}

async fn a_store_that_refuses_is_left_alone(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    let token = "xet-read-token";
    let canned = |body: &str| {
        HubFault::Answer(CannedAnswer { status: 200, headers: vec![], body: body.to_owned().into() })
    };
    let granted =
        |url: &str| canned(&format!(r#"{{"accessToken":"xet_a","exp":9999999999,"casUrl":"{url}"}}"#));
    for (fault, when) in [
        (HubFault::Status(401), When::path(token)),
        (HubFault::Status(403), When::path(token)),
        (HubFault::Status(404), When::path(token)),
        (HubFault::Status(503), When::path(token)),
        (
            HubFault::RetryAfter {
                status: 429,
                seconds: 3600,
                form: hfdown_tests::hub::RetryAfterForm::Seconds,
            },
            When::path(token),
        ),
        (canned("<html>"), When::path(token)),
        (granted("http://user:word@127.0.0.1:1"), When::path(token)),
        (granted("ftp://127.0.0.1"), When::path(token)),
        (granted("http://127.0.0.1:1"), When::path(token)),
        (HubFault::RedirectTo("http://127.0.0.1:1/".to_owned()), When::path(token)),
        (HubFault::Status(401), When::path(TERMS)),
        (HubFault::Status(403), When::path(TERMS)),
        (HubFault::Status(500), When::path(TERMS)),
        (
            HubFault::RetryAfter {
                status: 429,
                seconds: 3600,
                form: hfdown_tests::hub::RetryAfterForm::Seconds,
            },
            When::path(TERMS),
        ),
        (HubFault::RedirectTo("http://127.0.0.1:1/".to_owned()), When::path(TERMS)),
        (HubFault::CutAfter(20), When::path(TERMS)),
    ] {
        let what = format!("{fault:?} {when:?}");
        let _ = std::fs::remove_dir_all(sandbox.root());
        sandbox.hub.forget_requests();
        // A refusal is asked a few times at most; what follows is another case.
        let armed = sandbox.hub.fault(fault, when.first(50));
        let fell_back = comes_right(&sandbox, &bytes, &[]).await;
        assert!(armed.times_struck() > 0, "{what}");
        assert_eq!(fell_back.len(), 1, "{what}: {fell_back:?}");
        assert_eq!(sent(&sandbox), (0, SIZE as u64), "{what}");
        armed.lift();
    }
}

async fn a_token_that_ends_is_renewed(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    // Good for less than it is trusted to be.
    sandbox.hub.grant_for(Duration::from_secs(10));
    sandbox.hub.fault(HubFault::Expired, When::path(XORBS).first(1));
    let fell_back = comes_right(&sandbox, &bytes, &[]).await;
    assert!(fell_back.is_empty(), "{fell_back:?}");
    let requests = sandbox.hub.requests();
    let tokens = requests.iter().filter(|request| request.path.contains("xet-read-token")).count();
    assert_eq!(tokens, questions(&sandbox), "one for each question");
    assert!(requests.iter().all(|request| request.origin == HubOrigin::Hub || !request.authorized()));
}
