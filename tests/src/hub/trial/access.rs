//! Tokens, private and gated repositories, and what is refused how.

use super::super::{Gate, HubOrigin, TestHub};
use super::{ask, get, header};

/// Status and `X-Error-Code` of a question with a token, or without one.
async fn conclusion(hub: &TestHub, path: &str, token: Option<&str>) -> (u16, String) {
    let request = get(&format!("{}{path}", hub.endpoint()));
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let response = request.send().await.unwrap();
    (response.status().as_u16(), header(&response, "x-error-code").to_owned())
}

#[tokio::test]
async fn each_refusal_has_its_status_and_code() {
    let hub = TestHub::start();
    hub.token("hf_other");
    hub.model("a/public").file("f.json", "{}").commit();
    hub.model("a/private").private("hf_good").file("f.json", "{}").lfs("big", "x").commit();
    hub.model("a/gated").gated(Gate::Auto, "hf_good").file("f.json", "{}").lfs("big", "x").commit();
    for (path, token, status, code) in [
        ("/api/models/a/none", None, 401, "RepoNotFound"),
        ("/api/models/a/none", Some("hf_good"), 404, "RepoNotFound"),
        ("/a/none/resolve/main/f.json", None, 401, "RepoNotFound"),
        ("/api/models/a/private", None, 401, "RepoNotFound"),
        ("/api/models/a/private", Some("hf_other"), 404, "RepoNotFound"),
        ("/api/models/a/private", Some("hf_good"), 200, ""),
        ("/a/private/resolve/main/f.json", Some("hf_good"), 200, ""),
        ("/a/private/resolve/main/big", Some("hf_good"), 302, ""),
        ("/api/models/a/gated", None, 200, ""),
        ("/api/models/a/gated/tree/main", None, 200, ""),
        ("/a/gated/resolve/main/f.json", None, 401, "GatedRepo"),
        ("/a/gated/resolve/main/big", Some("hf_other"), 403, "GatedRepo"),
        ("/a/gated/resolve/main/big", Some("hf_good"), 302, ""),
        ("/a/gated/resolve/main/f.json", Some("hf_good"), 200, ""),
        ("/a/public/resolve/main/none", None, 404, "EntryNotFound"),
        ("/a/public/resolve/none/f.json", None, 404, "RevisionNotFound"),
        ("/api/models/a/public/tree/main/none", None, 404, "EntryNotFound"),
        ("/api/agent-harnesses", None, 404, ""),
        ("/api/whoami-v2", None, 401, ""),
        ("/api/whoami-v2", Some("hf_good"), 200, ""),
    ] {
        let expected = (status, code.to_owned());
        assert_eq!(conclusion(&hub, path, token).await, expected, "{path} {token:?}");
    }
}

#[tokio::test]
async fn a_bad_token_is_refused_even_where_none_is_needed() {
    let hub = TestHub::start();
    hub.model("a/public").file("f.json", "{}").commit();
    let request = get(&format!("{}/api/models/a/public", hub.endpoint()));
    let response = request.bearer_auth("hf_bad").send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(header(&response, "x-error-message"), "Invalid credentials in Authorization header");
    let body = response.text().await.unwrap();
    assert_eq!(body, r#"{"error":"Invalid credentials in Authorization header"}"#);
}

#[tokio::test]
async fn the_log_tells_who_brought_a_credential_where() {
    let hub = TestHub::start();
    hub.model("a/gated").gated(Gate::Auto, "hf_good").lfs("sub/big", "content").commit();
    let address = format!("{}/a/gated/resolve/main/sub/big", hub.endpoint());
    let response = get(&address).bearer_auth("hf_good").send().await.unwrap();
    let signed = header(&response, "location").to_owned();
    assert!(signed.starts_with(&hub.cdn_origin()));
    assert_eq!(get(&signed).send().await.unwrap().text().await.unwrap(), "content");
    let requests = hub.requests_for("sub/big");
    let seen: Vec<_> = requests.iter().map(|one| (one.origin, one.authorized(), one.status)).collect();
    assert_eq!(seen, [(HubOrigin::Hub, true, 302), (HubOrigin::Cdn, false, 200)]);
    assert_eq!((requests[1].bytes_sent, hub.bytes_sent(HubOrigin::Cdn)), (7, 7));
    assert_ne!(requests[0].connection, requests[1].connection);
    hub.forget_requests();
    assert!(hub.requests().is_empty());
}

#[tokio::test]
async fn a_stopped_hub_can_not_be_reached() {
    let hub = TestHub::start();
    hub.model("a/b").file("f", "x").commit();
    assert_eq!(ask(&hub, "/api/models/a/b").await.status(), 200);
    let address = hub.endpoint();
    drop(hub);
    // The sockets close a moment later, on the Hub's own threads.
    while get(&address).send().await.is_ok() {
        tokio::task::yield_now().await;
    }
}
