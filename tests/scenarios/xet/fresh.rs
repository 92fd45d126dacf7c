//! Files that are not there yet.

use super::{FILE, MODEL, SIZE, TERMS, XORBS, objects, publish, questions, sent, weights};
use hfdown_tests::hub::{Content, HubOrigin, XET_TOKEN};
use hfdown_tests::sandbox::{Sandbox, run};

everywhere! { a_file_comes_compressed, a_private_file_comes_compressed, a_file_of_zeros_is_one_chunk, }
here! {
    what_saves_nothing_comes_as_it_is, never_and_always_are_obeyed, a_dry_run_says_what_would_travel,
    an_old_store_is_asked_as_it_likes, a_store_that_is_nowhere_is_no_trouble,
}

async fn a_file_comes_compressed(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    let ended = sandbox.sync(MODEL, &["--json"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|read| read == bytes));
    let (xorbs, plain) = sent(&sandbox);
    assert_eq!(plain, 0);
    assert!(xorbs < SIZE as u64 * 9 / 10, "{xorbs} of {SIZE}");
    let planned = &objects(&ended, "plan")[0];
    assert_eq!(planned["fetch_bytes"], SIZE as u64 + 2);
    assert!(
        planned["wire_bytes"].as_u64().is_some_and(|wire| wire.abs_diff(xorbs) < 100_000),
        "{planned} {xorbs}"
    );
    assert_eq!(questions(&sandbox), 1);
    for request in sandbox.hub.requests() {
        assert!(request.origin == HubOrigin::Hub || !request.authorized(), "{request:?}");
    }
    // Again: nothing is asked that the listing does not ask.
    sandbox.hub.forget_requests();
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    assert_eq!((questions(&sandbox), sent(&sandbox)), (0, (0, 0)));
}

async fn a_private_file_comes_compressed(sandbox: Sandbox) {
    let bytes = weights(2, SIZE);
    let draft = sandbox.hub.model(MODEL).private("hf_reader");
    draft.in_xet(FILE, Content::from(bytes.clone())).commit();
    let ended = sandbox.sync(MODEL, &["--token", "hf_reader"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|read| read == bytes));
    assert!(sent(&sandbox).0 > 0 && sent(&sandbox).1 == 0);
    assert!(!ended.stdout.contains(XET_TOKEN) && !ended.stderr.contains(XET_TOKEN));
}

async fn a_file_of_zeros_is_one_chunk(sandbox: Sandbox) {
    sandbox.hub.model(MODEL).in_xet(FILE, Content::from(vec![0; SIZE])).commit();
    let ended = sandbox.sync(MODEL, &["--connections", "2"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|read| read == vec![0; SIZE]));
    let requests = sandbox.hub.requests();
    let of_xorbs = requests.iter().filter(|request| request.path.contains(XORBS)).count();
    assert!((1..8).contains(&of_xorbs), "{of_xorbs} requests");
}

async fn what_saves_nothing_comes_as_it_is(sandbox: Sandbox) {
    let random = Content::random(5, SIZE as u64);
    sandbox.hub.model(MODEL).in_xet(FILE, random.clone()).commit();
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|read| read == random.to_vec()));
    assert_eq!(sent(&sandbox).0, 0);
    assert_eq!(questions(&sandbox), 1);
}

async fn never_and_always_are_obeyed(sandbox: Sandbox) {
    let (bytes, random) = (publish(&sandbox), Content::random(5, SIZE as u64));
    sandbox.hub.model("acme/random").in_xet(FILE, random).commit();
    for (model, typed, variable, is_xet) in [
        (MODEL, None, Some("1"), false),
        (MODEL, None, Some("TRUE"), false),
        (MODEL, None, Some("0"), true),
        (MODEL, Some("never"), None, false),
        (MODEL, Some("auto"), Some("1"), true),
        ("acme/random", Some("auto"), None, false),
        ("acme/random", Some("always"), None, true),
        ("acme/random", Some("always"), Some("1"), true),
    ] {
        sandbox.hub.forget_requests();
        let _ = std::fs::remove_dir_all(sandbox.root());
        let more: Vec<_> = typed.iter().flat_map(|when| ["--xet", when]).collect();
        let mut command = sandbox.syncing(model, &more);
        command.envs(variable.map(|value| ("HF_HUB_DISABLE_XET", value)));
        let ended = run(command).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let (xorbs, plain) = sent(&sandbox);
        assert_eq!((xorbs > 0, plain > 0), (is_xet, !is_xet), "{model} {typed:?} {variable:?}");
        if typed == Some("never") || variable == Some("1") && typed.is_none() {
            assert_eq!(questions(&sandbox), 0);
        }
    }
    assert_eq!(bytes.len(), SIZE);
}

async fn a_dry_run_says_what_would_travel(sandbox: Sandbox) {
    publish(&sandbox);
    let mut command = sandbox.hfdown(["rsync-sync", MODEL]);
    command.arg(sandbox.root()).arg("--dry-run");
    let ended = run(command).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let plan = ended.stderr.lines().find(|line| line.starts_with("plan:")).unwrap();
    assert!(
        plan.starts_with("plan: fetch 2 files (12 MB, ") && plan.ends_with(" MB over the wire)"),
        "{plan}"
    );
    assert_eq!(sent(&sandbox), (0, 0));
}

async fn an_old_store_is_asked_as_it_likes(sandbox: Sandbox) {
    use hfdown_tests::hub::{HubFault, When};
    let bytes = publish(&sandbox);
    sandbox.hub.fault(HubFault::Status(501), When::path("/cas/v2"));
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|read| read == bytes));
    assert!(sent(&sandbox).0 > 0 && sent(&sandbox).1 == 0);
}

/// A mirror knows the names and has no store.
async fn a_store_that_is_nowhere_is_no_trouble(sandbox: Sandbox) {
    let bytes = weights(3, SIZE);
    sandbox.hub.model(MODEL).xet(FILE, Content::from(bytes.clone())).commit();
    let ended = sandbox.sync(MODEL, &["--json"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|read| read == bytes));
    assert_eq!(ended.stderr, "");
    let requests = sandbox.hub.requests();
    assert_eq!(requests.iter().filter(|request| request.path.contains(TERMS)).count(), 2, "v2, and v1");
    assert_eq!(objects(&ended, "fell_back").len(), 1);
}
