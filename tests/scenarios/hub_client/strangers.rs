//! Servers that are no Hub: mirrors with habits of their own, and hosts that mean no good.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::response::Response;
use hfdown::hub::{HubError, ListedFile, Nonsense, Resolved};

use crate::stranger::Stranger;

use super::client::{TOKEN, connect, impatient, info, path, paths};

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

fn leads_away(error: &HubError) -> bool {
    matches!(error, HubError::Nonsense { what: Nonsense::OtherOrigin(_), .. })
}

#[tokio::test]
async fn no_question_is_taken_to_another_origin() {
    let other = Stranger::start(|_| tiny()).await;
    let away = format!("{}/away", other.endpoint);
    for hops in [vec![away.clone()], vec!["/nearer".to_owned(), away.clone()]] {
        let hub = Stranger::start(move |path| match path {
            "/nearer" => redirect(&hops[1]),
            _ => redirect(&hops[0]),
        })
        .await;
        let client = connect(&hub.endpoint, Some(TOKEN), impatient());
        let error = info(&client, "acme/tiny").await.unwrap_err();
        assert!(leads_away(&error) && error.to_string().contains(&other.endpoint), "{error}");
        let bearer = Some(format!("Bearer {TOKEN}"));
        assert!(hub.asked().iter().all(|(_, credential)| *credential == bearer), "{:?}", hub.asked());
    }
    assert_eq!(other.asked(), []);
}

#[tokio::test]
async fn redirects_within_the_origin_take_the_token_along() {
    let hub = Stranger::start(|path| if path == "/again" { tiny() } else { redirect("/again") }).await;
    let client = connect(&hub.endpoint, Some(TOKEN), impatient());
    info(&client, "acme/tiny").await.unwrap();
    let bearer = Some(format!("Bearer {TOKEN}"));
    let start = "/api/models/acme/tiny/revision/main".to_owned();
    assert_eq!(hub.asked(), [(start, bearer.clone()), ("/again".to_owned(), bearer)]);
}

/// What of a file's body is taken for the file: what is listed, from the Hub itself, and no more of it than that.
#[tokio::test]
async fn a_small_file_is_what_is_listed_or_nothing() {
    const HELLO: &str = "ce013625030ba8dba906f756967f9e9ca394464a"; // git hash-object of `hello` and a line's end
    let other = Stranger::start(|_| json("hello\n")).await;
    let away = format!("{}/away", other.endpoint);
    let hub = Stranger::start(move |path| {
        if path.contains("/revision/") {
            return tiny();
        }
        let (_, file) = path.rsplit_once('/').unwrap();
        match file {
            "right" => json("hello\n"),
            "wrong" => json("HELLO\n"),
            "nearer" => redirect("/api/resolve-cache/right"),
            "away" => redirect(&away),
            "twice" => redirect(&path.replace("twice", "away")),
            // Without a length, and without an end.
            _ => {
                let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>("hello\n"));
                json(Body::from_stream(endless))
            }
        }
    })
    .await;
    let client = connect(&hub.endpoint, Some(TOKEN), impatient());
    let info = info(&client, "acme/tiny").await.unwrap();
    let read = async |name: &str| {
        let digest = hfdown_protocol::Digest::git_sha1(HELLO).unwrap();
        client.read_small(&info, &ListedFile { path: path(name), size: 6, digest }).await
    };
    for name in ["right", "nearer"] {
        assert_eq!(read(name).await.unwrap(), "hello\n", "{name}");
    }
    for name in ["away", "twice"] {
        let error = read(name).await.unwrap_err();
        assert!(leads_away(&error), "{name}: {error}");
    }
    let before = hub.asked().len();
    let error = read("wrong").await.unwrap_err();
    assert!(matches!(error, HubError::Corrupt { .. }), "{error}");
    assert_eq!(hub.asked().len() - before, 2, "it is fetched once more");
    let error = read("endless").await.unwrap_err();
    assert!(matches!(error, HubError::Nonsense { what: Nonsense::TooLong(6), .. }), "{error}");
    assert_eq!(other.asked(), []);
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
async fn a_list_goes_on_below_the_endpoints_path_though_its_links_lack_it() {
    let other = Stranger::start(|_| json("[]")).await;
    for link in [
        "</api/models/acme/tiny/tree/main?recursive=true&cursor=2>".to_owned(),
        format!("<{}/api/models/acme/tiny/tree/main?limit=9&cursor=2>", other.endpoint),
        "<https://app-7f9.inner:8080/api/models/acme/tiny/tree/main?cursor=2>".to_owned(),
    ] {
        let hub = Stranger::start(move |path| {
            let oid = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
            let entry = |name| format!(r#"[{{"type":"file","oid":"{oid}","size":0,"path":"{name}"}}]"#);
            let below = path.strip_prefix("/artifactory/api/huggingfaceml/hf");
            match below {
                Some(path) if path.contains("/revision/") => tiny(),
                Some(path) if path.contains("cursor=2") && path.contains("recursive=true") => {
                    json(entry("b"))
                }
                Some(path) if path.contains("/tree/") => {
                    let link = format!("{link}; rel=\"next\"");
                    Response::builder().header("link", link).body(entry("a").into()).unwrap()
                }
                _ => Response::builder().status(404).body(Body::empty()).unwrap(),
            }
        })
        .await;
        let endpoint = format!("{}/artifactory/api/huggingfaceml/hf", hub.endpoint);
        let client = connect(&endpoint, Some(TOKEN), impatient());
        let info = info(&client, "acme/tiny").await.unwrap();
        assert_eq!(paths(&client.list(&info).await.unwrap()), ["a", "b"]);
    }
    assert_eq!(other.asked(), []);
}

#[tokio::test]
async fn json_is_read_whatever_it_is_said_to_be() {
    let hub = Stranger::start(|path| {
        let text = if path.contains("/revision/") {
            format!("\u{feff}{{\"id\":\"acme/tiny\",\"sha\":\"{COMMIT}\"}}")
        } else {
            "\u{feff} []".to_owned()
        };
        Response::builder().header("content-type", "text/html; charset=utf-8").body(text.into()).unwrap()
    })
    .await;
    let client = connect(&hub.endpoint, None, impatient());
    let info = info(&client, "acme/tiny").await.unwrap();
    assert!(client.list(&info).await.unwrap().files.is_empty());
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
    assert_eq!((listing.total(), listing.find("m.bin").unwrap().digest.kind()), (9, "sha256"));
    assert_eq!(client.sign(&info, &path("m.bin")).await.unwrap(), Resolved::Here);
    assert!(matches!(super::client::info(&client, "acme/none").await, Err(HubError::RepoNotFound(_))));
}
