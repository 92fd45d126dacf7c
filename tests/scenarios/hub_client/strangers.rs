//! Servers that are no Hub: mirrors with habits of their own, and hosts that mean no good.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hfdown::hub::{HubError, Nonsense, Resolved};

use super::client::{TOKEN, connect, impatient, info, path, paths};

/// The path of a request, and its credential.
type SeenRequest = (String, Option<String>);

/// A server that answers as it is told to, and remembers the path and the credential of every request.
struct Stranger {
    endpoint: String,
    asked: Arc<Mutex<Vec<SeenRequest>>>,
}

impl Stranger {
    async fn start(answer: impl Fn(&str) -> Response + Clone + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let router = Router::new().fallback(move |request: Request| {
            let path = request.uri().to_string();
            let credential =
                request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
            let response = answer(&path);
            log.lock().unwrap().push((path, credential));
            async { response }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { endpoint, asked }
    }

    fn asked(&self) -> Vec<SeenRequest> {
        self.asked.lock().unwrap().clone()
    }
}

fn redirect(location: &str) -> Response {
    Response::builder().status(307).header("location", location).body(Body::empty()).unwrap()
}

fn json(text: impl Into<Body>) -> Response {
    Response::new(text.into())
}

const COMMIT: &str = "607a30d783dfa663caf39e06633721c8d4cfcd7e";

fn tiny() -> Response {
    json(format!(r#"{{"id":"acme/tiny","sha":"{COMMIT}"}}"#))
}

#[tokio::test]
async fn the_token_is_left_behind_at_another_origin_and_does_not_come_back() {
    let home = Arc::new(Mutex::new(String::new()));
    let back = Arc::clone(&home);
    let other = Stranger::start(move |_| redirect(&format!("{}/again", back.lock().unwrap()))).await;
    let away = format!("{}/away", other.endpoint);
    let hub = Stranger::start(move |path| if path == "/again" { tiny() } else { redirect(&away) }).await;
    home.lock().unwrap().clone_from(&hub.endpoint);

    let client = connect(&hub.endpoint, Some(TOKEN), impatient());
    info(&client, "acme/tiny").await.unwrap();
    let bearer = Some(format!("Bearer {TOKEN}"));
    let start = "/api/models/acme/tiny/revision/main".to_owned();
    assert_eq!(hub.asked(), [(start, bearer), ("/again".to_owned(), None)]);
    assert_eq!(other.asked(), [("/away".to_owned(), None)]);
}

#[tokio::test]
async fn a_list_goes_on_at_the_endpoint_whatever_its_links_say() {
    let other = Stranger::start(|_| json("[]")).await;
    let elsewhere = other.endpoint.clone();
    let hub = Stranger::start(move |path| {
        let oid = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
        let entry = |name| format!(r#"[{{"type":"file","oid":"{oid}","size":0,"path":"{name}"}}]"#);
        if path.contains("/revision/") {
            return tiny();
        }
        if path.contains("cursor=2") {
            return json(entry("b"));
        }
        let link = format!("<{elsewhere}/evil?recursive=true&cursor=2>; rel=\"next\"");
        Response::builder().header("link", link).body(entry("a").into()).unwrap()
    })
    .await;
    let client = connect(&hub.endpoint, Some(TOKEN), impatient());
    let info = info(&client, "acme/tiny").await.unwrap();
    assert_eq!(paths(&client.list(&info).await.unwrap()), ["a", "b"]);
    assert_eq!(other.asked(), []);
}

#[tokio::test]
async fn circles_end() {
    let hub = Stranger::start(|path| {
        if path.contains("/revision/main") {
            return tiny();
        }
        if path.contains("/tree/") {
            let link = format!("<{path}>; rel=\"next\"");
            return Response::builder().header("link", link).body("[]".into()).unwrap();
        }
        redirect(path)
    })
    .await;
    let client = connect(&hub.endpoint, None, impatient());
    let info = info(&client, "acme/tiny").await.unwrap();
    let error = client.list(&info).await.unwrap_err();
    assert!(matches!(error, HubError::Nonsense { what: Nonsense::Endless, .. }), "{error:?}");
    let error = client.sign(&info, &path("x")).await.unwrap_err();
    assert!(matches!(error, HubError::Nonsense { what: Nonsense::Redirects(_), .. }), "{error:?}");
}

#[tokio::test]
async fn a_mirrors_habits_are_tolerated() {
    // What olah does: absolute redirects to a trailing slash, everything on one page, LFS files served directly, and
    // 401 without a code for what it has not got.
    let home = Arc::new(Mutex::new(String::new()));
    let own = Arc::clone(&home);
    let mirror = Stranger::start(move |path| {
        let tree = format!("/api/models/acme/tiny/tree/{COMMIT}");
        if path == "/api/models/acme/tiny/revision/main" {
            tiny()
        } else if path == format!("{tree}?recursive=true&expand=false") {
            redirect(&format!("{}{tree}/?recursive=true", own.lock().unwrap()))
        } else if path == format!("{tree}/?recursive=true") {
            let sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
            let lfs = format!(r#"{{"oid":"{sha256}","size":9,"pointerSize":1}}"#);
            json(format!(r#"[{{"type":"file","oid":"x","size":9,"path":"m.bin","lfs":{lfs}}}]"#))
        } else if path == format!("/acme/tiny/resolve/{COMMIT}/m.bin") {
            Response::builder().header("etag", "abc").body("123456789".into()).unwrap()
        } else {
            Response::builder().status(401).body(Body::empty()).unwrap()
        }
    })
    .await;
    home.lock().unwrap().clone_from(&mirror.endpoint);
    let client = connect(&mirror.endpoint, None, impatient());
    let info = info(&client, "acme/tiny").await.unwrap();
    let listing = client.list(&info).await.unwrap();
    assert_eq!((listing.total(), listing.files[0].digest.kind()), (9, "sha256"));
    assert_eq!(client.sign(&info, &path("m.bin")).await.unwrap(), Resolved::Here);
    assert!(matches!(super::client::info(&client, "acme/none").await, Err(HubError::RepoNotFound(_))));
}
