//! What the client makes of the test Hub's answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hfdown::hub::{
    Credential, Gating, HubError, HubSettings, NetworkAccess, Nonsense, Observer, RefusalReason, RepoId,
    Resolved, Revision,
};
use hfdown_agent::http::{NetworkFault, SpeedFloor};
use hfdown_protocol::PathError;
use hfdown_tests::hub::{Content, Gate, HubFault, HubOrigin, TestHub, When};

use super::client::{TOKEN, client, connect, impatient, info, path, paths};

#[tokio::test]
async fn lists_a_model_with_sizes_and_digests_over_many_pages() {
    let hub = TestHub::start();
    let weights = Content::random(1, 5000);
    let mut draft = hub.model("acme/tiny").licence("mit").lfs("weights/model.safetensors", weights.clone());
    for number in 0..25 {
        draft = draft.file(&format!("part-{number:02}.json"), "{}");
    }
    let commit = draft.commit();
    hub.set_page_size(7);

    let client = client(&hub, None);
    let info = info(&client, "acme/tiny").await.unwrap();
    assert_eq!((info.commit.clone(), info.license.as_deref()), (commit, Some("mit")));
    assert!(info.is_public());
    let listing = client.list(&info).await.unwrap();
    assert_eq!((listing.files.len(), listing.total(), listing.refused.len()), (26, 5000 + 25 * 2, 0));
    let large = listing.find("weights/model.safetensors").unwrap();
    assert_eq!(
        (large.size, large.digest.kind(), large.digest.to_string()),
        (5000, "sha256", weights.sha256())
    );
    let small = listing.find("part-03.json").unwrap();
    assert_eq!(small.digest.to_string(), "9e26dfeeb6e641a33dae4961196235bdb965b21b"); // git hash-object of {}
    assert!(hub.requests().iter().filter(|request| request.path.contains("/tree/")).count() >= 4);
    assert!(hub.requests().iter().all(|request| request.header("accept-encoding") == Some("identity")));
}

#[tokio::test]
async fn every_kind_of_revision_is_pinned_to_its_commit() {
    let hub = TestHub::start();
    let first = hub.model("acme/tiny").file("a", "1").tag("v1.0").commit();
    let pull = hub.model("acme/tiny").reference("refs/pr/7").file("a", "2").commit();
    let branch = hub.model("acme/tiny").branch("wip/x").file("a", "3").commit();
    let main = hub.model("acme/tiny").file("a", "4").commit();
    let client = client(&hub, None);
    let repo: RepoId = "acme/tiny".parse().unwrap();
    for (revision, commit) in [
        ("v1.0", &first),
        ("refs/pr/7", &pull),
        ("wip/x", &branch),
        ("main", &main),
        (first.as_str(), &first),
    ] {
        let info = client.info(&repo, &Revision::new(revision).unwrap()).await.unwrap();
        assert_eq!(info.commit, *commit, "{revision}");
        assert_eq!(paths(&client.list(&info).await.unwrap()), ["a"]);
    }
}

#[tokio::test]
async fn a_renamed_model_is_known_by_its_name_today() {
    let hub = TestHub::start();
    hub.model("openai-community/gpt2")
        .file("config.json", "{}")
        .lfs("model.bin", Content::random(2, 100))
        .commit();
    hub.rename("gpt2", "openai-community/gpt2");
    let client = client(&hub, None);
    let info = info(&client, "gpt2").await.unwrap();
    assert_eq!(info.id.to_string(), "openai-community/gpt2");
    assert_eq!(paths(&client.list(&info).await.unwrap()), ["config.json", "model.bin"]);
}

#[tokio::test]
async fn data_sets_have_addresses_of_their_own() {
    let hub = TestHub::start();
    hub.dataset("acme/rows").file("rows.csv", "a,b").commit();
    let client = client(&hub, None);
    let info = info(&client, "datasets/acme/rows").await.unwrap();
    let listing = client.list(&info).await.unwrap();
    assert_eq!(client.read_small(&info, &listing.find("rows.csv").unwrap()).await.unwrap(), "a,b");
    assert!(matches!(self::info(&client, "acme/rows").await, Err(HubError::RepoNotFound(_))));
}

#[tokio::test]
async fn what_is_missing_is_told_apart() {
    let hub = TestHub::start();
    hub.model("acme/tiny").file("a", "1").commit();
    hub.token(TOKEN);
    for token in [None, Some(TOKEN)] {
        let client = client(&hub, token);
        let error = info(&client, "acme/none").await.unwrap_err();
        let HubError::RepoNotFound(answer) = &error else { panic!("{error:?}") };
        assert_eq!(answer.status, if token.is_some() { 404 } else { 401 });
        assert!(answer.asked.starts_with(&hub.endpoint()) && answer.request.is_some(), "{answer:?}");

        let repo: RepoId = "acme/tiny".parse().unwrap();
        let error = client.info(&repo, &Revision::new("none").unwrap()).await.unwrap_err();
        assert!(matches!(error, HubError::RevisionNotFound(_)), "{error:?}");

        let info = info(&client, "acme/tiny").await.unwrap();
        let error = client.sign(&info, &path("none")).await.unwrap_err();
        assert!(matches!(error, HubError::EntryNotFound(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_gated_model_is_listed_to_all_and_opened_to_few() {
    let hub = TestHub::start();
    hub.model("acme/gated").gated(Gate::Manual, TOKEN).lfs("model.bin", Content::random(3, 100)).commit();
    hub.token("hf_other");
    for (token, status) in [(None, 401), (Some("hf_other"), 403)] {
        let client = client(&hub, token);
        let info = info(&client, "acme/gated").await.unwrap();
        assert_eq!((info.gating, info.is_public()), (Gating::Manual, false));
        assert_eq!(client.list(&info).await.unwrap().files.len(), 1);
        let error = client.sign(&info, &path("model.bin")).await.unwrap_err();
        let HubError::Gated(answer) = &error else { panic!("{error:?}") };
        assert_eq!(answer.status, status);
    }
    let client = client(&hub, Some(TOKEN));
    let info = info(&client, "acme/gated").await.unwrap();
    assert!(matches!(client.sign(&info, &path("model.bin")).await, Ok(Resolved::Elsewhere(_))));
}

#[tokio::test]
async fn a_private_models_bytes_come_signed_or_through_us_and_the_token_stays_at_the_hub() {
    let hub = TestHub::start();
    let weights = Content::random(4, 100);
    hub.model("acme/secret").private(TOKEN).file("config.json", "{}").lfs("model.bin", weights).commit();
    assert!(matches!(info(&client(&hub, None), "acme/secret").await, Err(HubError::RepoNotFound(_))));

    let client = client(&hub, Some(TOKEN));
    let info = info(&client, "acme/secret").await.unwrap();
    assert!(info.private && !info.is_public());
    let listing = client.list(&info).await.unwrap();
    let Resolved::Elsewhere(address) = client.sign(&info, &path("model.bin")).await.unwrap() else {
        panic!()
    };
    assert!(address.expose().as_str().starts_with(&hub.cdn_origin()), "{address}");
    assert!(address.expose().query().is_some());
    assert_eq!(client.sign(&info, &path("config.json")).await.unwrap(), Resolved::Here);
    let config = listing.find("config.json").unwrap();
    assert_eq!(client.read_small(&info, &config).await.unwrap(), "{}");

    assert!(hub.requests().iter().all(|request| request.origin == HubOrigin::Hub), "the CDN was asked");
    let bearer = format!("Bearer {TOKEN}");
    let with_token =
        hub.requests().iter().filter(|request| request.header("authorization") == Some(&bearer)).count();
    assert_eq!(with_token, hub.requests().len() - 1);
}

#[tokio::test]
async fn a_wrong_token_is_refused_even_for_public_models() {
    let hub = TestHub::start();
    hub.model("acme/tiny").file("a", "1").commit();
    let error = info(&client(&hub, Some("hf_wrong")), "acme/tiny").await.unwrap_err();
    assert!(matches!(error, HubError::BadToken(_)), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("hf_wrong"));
}

#[tokio::test]
async fn a_public_file_has_a_plain_address() {
    let hub = TestHub::start();
    let commit = hub.model("acme/tiny").file("a b/ü.json", "{}").commit();
    let client = client(&hub, None);
    let info = info(&client, "acme/tiny").await.unwrap();
    let address = client.public_address(&info, &path("a b/ü.json")).unwrap();
    let expected = format!("{}/acme/tiny/resolve/{commit}/a%20b/%C3%BC.json", hub.endpoint());
    assert_eq!(address.expose().as_str(), expected);
    let listing = client.list(&info).await.unwrap();
    assert_eq!(client.read_small(&info, &listing.find("a b/ü.json").unwrap()).await.unwrap(), "{}");
}

#[tokio::test]
async fn a_rate_limit_is_obeyed_and_seen() {
    let hub = TestHub::start();
    hub.model("acme/tiny").file("a", "1").commit();
    let fault = hub.fault(HubFault::RateLimited { seconds: 0 }, When::path("/api/").first(2));
    let waits = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&waits);
    let observer =
        Observer::new(move |retrying| seen.lock().unwrap().push((retrying.attempt, retrying.wait)));
    let mut settings = HubSettings { observer, ..impatient() };
    settings.retries.margin = Duration::from_millis(20);
    info(&connect(&hub.endpoint(), None, settings), "acme/tiny").await.unwrap();
    assert_eq!(fault.times_struck(), 2);
    let named = Duration::from_millis(20);
    assert_eq!(*waits.lock().unwrap(), [(1, named), (2, named)]);
}

#[tokio::test]
async fn a_rate_limit_longer_than_our_patience_is_an_error_that_names_it() {
    let hub = TestHub::start();
    hub.model("acme/tiny").file("a", "1").commit();
    let fault = hub.fault(HubFault::RateLimited { seconds: 290 }, When::path("/api/"));
    let error = info(&client(&hub, None), "acme/tiny").await.unwrap_err();
    let HubError::RateLimited(answer) = &error else { panic!("{error:?}") };
    assert_eq!(answer.wait, Some(Duration::from_secs(290)));
    assert_eq!(fault.times_struck(), 1);
}

#[tokio::test]
async fn failures_that_pass_are_tried_again() {
    let hub = TestHub::start();
    let mut draft = hub.model("acme/tiny");
    for number in 0..50 {
        draft = draft.file(&format!("{number}.json"), "{}");
    }
    draft.commit();
    let client = client(&hub, None);
    let server = hub.fault(HubFault::Status(503), When::path("/revision/").first(2));
    let cut = hub.fault(HubFault::CutAfter(1000), When::path("/tree/").first(1));
    let reset = hub.fault(HubFault::ResetAfter(0), When::path("/tree/").after(1).first(1));
    let info = info(&client, "acme/tiny").await.unwrap();
    assert_eq!(client.list(&info).await.unwrap().files.len(), 50);
    assert_eq!((server.times_struck(), cut.times_struck(), reset.times_struck()), (2, 1, 1));
}

#[tokio::test]
async fn patience_ends_and_the_error_says_how_much_was_tried() {
    let hub = TestHub::start();
    hub.model("acme/tiny").file("a", "1").commit();
    let fault = hub.fault(HubFault::Status(502), When::always());
    let error = info(&client(&hub, None), "acme/tiny").await.unwrap_err();
    let HubError::Server(answer) = &error else { panic!("{error:?}") };
    assert_eq!(
        (answer.status, answer.tried.map(|tried| tried.attempts), fault.times_struck()),
        (502, Some(3), 3)
    );
}

#[tokio::test]
async fn a_hub_that_falls_silent_or_is_not_there_is_unreachable() {
    let hub = TestHub::start();
    hub.model("acme/tiny").file("a", "1").commit();
    let stall = hub.stall(0, When::always());
    let settings = HubSettings { idle: Duration::from_millis(50), ..impatient() };
    let error = info(&connect(&hub.endpoint(), None, settings), "acme/tiny").await.unwrap_err();
    assert!(
        matches!(&error, HubError::Unreachable(seen) if seen.fault == NetworkFault::Timeout),
        "{error:?}"
    );
    drop(stall);

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = info(&connect(&format!("http://{free}"), None, impatient()), "acme/tiny").await.unwrap_err();
    assert!(
        matches!(&error, HubError::Unreachable(seen) if seen.fault == NetworkFault::Connect),
        "{error:?}"
    );
    assert!(error.to_string().contains("(3 attempts in "), "{error}");
}

#[tokio::test]
async fn a_hub_that_trickles_is_given_up_whatever_it_trickles() {
    let hub = TestHub::start();
    hub.model("acme/tiny").file("a", "1").commit();
    let floor = SpeedFloor { bytes_per_second: 1_000, time: Duration::from_secs(1) };
    let client = connect(&hub.endpoint(), None, HubSettings { floor, ..impatient() });
    let trickle = hub.fault(HubFault::Throttle { bytes_per_second: 5 }, When::path("/revision/"));
    let error = tokio::time::timeout(Duration::from_secs(30), info(&client, "acme/tiny")).await.unwrap();
    let error = error.unwrap_err();
    assert!(
        matches!(&error, HubError::Unreachable(seen) if seen.fault == NetworkFault::Timeout),
        "{error:?}"
    );
    assert!(error.to_string().contains(" B came in 1 s (3 attempts in "), "{error}");
    trickle.lift();
    info(&client, "acme/tiny").await.unwrap();
}

#[tokio::test]
async fn hostile_names_are_refused_and_the_rest_is_listed() {
    let hub = TestHub::start();
    let mut draft = hub.model("acme/hostile").file("good.json", "{}");
    for name in ["../x", "/etc/x", "a\0b", ".cache/hfdown/x", "a\u{1b}[2Jb"] {
        draft = draft.file(name, "x");
    }
    draft.commit();
    let client = client(&hub, None);
    let info = info(&client, "acme/hostile").await.unwrap();
    let listing = client.list(&info).await.unwrap();
    assert_eq!(paths(&listing), ["good.json"]);
    let mut reasons: Vec<_> =
        listing.refused.iter().map(|refused| (refused.name.as_str(), refused.reason)).collect();
    reasons.sort_by_key(|(name, _)| *name);
    let path = RefusalReason::Path;
    let expected = [
        ("../x", path(PathError::Dots)),
        (".cache/hfdown/x", path(PathError::Reserved)),
        ("/etc/x", path(PathError::Absolute)),
        ("a\0b", path(PathError::Character)),
        ("a\u{1b}[2Jb", path(PathError::Character)),
    ];
    assert_eq!(reasons, expected);
}

#[tokio::test]
async fn a_body_of_another_length_than_listed_is_refused() {
    let hub = TestHub::start();
    hub.model("acme/tiny").file("a.json", "12345").commit();
    let client = client(&hub, None);
    let info = info(&client, "acme/tiny").await.unwrap();
    let mut file = client.list(&info).await.unwrap().find("a.json").unwrap();
    let _short = hub.fault(HubFault::ShortBody(2), When::file("a.json"));
    let error = client.read_small(&info, &file).await.unwrap_err();
    let HubError::Nonsense { what, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*what, Nonsense::Length { listed: 5, seen: 3 });
    file.size = 2;
    let error = client.read_small(&info, &file).await.unwrap_err();
    assert!(matches!(error, HubError::Nonsense { what: Nonsense::TooLong(2), .. }), "{error:?}");
}

#[tokio::test]
async fn nothing_is_asked_offline() {
    let hub = TestHub::start();
    let settings = HubSettings { network: NetworkAccess::Forbidden, ..impatient() };
    let error = info(&connect(&hub.endpoint(), None, settings), "acme/tiny").await.unwrap_err();
    assert!(matches!(error, HubError::Offline { .. }), "{error:?}");
    assert!(hub.requests().is_empty());
}

#[test]
fn a_token_is_withheld_where_it_would_travel_in_the_clear() {
    for (endpoint, credential) in [
        ("http://192.0.2.1", Credential::Withheld),
        ("https://192.0.2.1", Credential::Sent),
        ("http://127.0.0.1:1", Credential::Sent),
    ] {
        assert_eq!(connect(endpoint, Some(TOKEN), impatient()).credential(), credential, "{endpoint}");
    }
}
