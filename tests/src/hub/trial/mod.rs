//! The Hub tried by a client that knows nothing of it: reqwest, following no redirect by itself.

mod access;
mod faults;
mod files;
mod limits;
mod listing;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};

use super::{Content, TestHub};

const MODEL: &str = "acme/tiny";
const LARGE: &str = "model.safetensors";

/// A Hub with one model of a regular file, a folder and an LFS file.
fn hub() -> (TestHub, Content) {
    let hub = TestHub::start();
    let large = Content::random(1, 3_000_000);
    let draft = hub.model(MODEL).file("config.json", r#"{"a":1}"#).file("sub/a b.txt", "text");
    draft.lfs(LARGE, large.clone()).commit();
    (hub, large)
}

fn client() -> Client {
    // Only the first of many tests in a process can set it, and all set the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().redirect(Policy::none()).no_proxy().build().unwrap()
}

fn get(address: &str) -> RequestBuilder {
    client().get(address)
}

async fn ask(hub: &TestHub, path: &str) -> Response {
    get(&format!("{}{path}", hub.endpoint())).send().await.unwrap()
}

async fn json(hub: &TestHub, path: &str) -> serde_json::Value {
    let response = ask(hub, path).await;
    assert_eq!(response.status(), 200, "{path}");
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

/// The signed address that `resolve` gives for the large file.
async fn signed(hub: &TestHub) -> String {
    let response = ask(hub, &format!("/{MODEL}/resolve/main/{LARGE}")).await;
    assert_eq!(response.status(), 302);
    header(&response, "location").to_owned()
}
