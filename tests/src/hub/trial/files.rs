//! `resolve`, the cache behind it, and the CDN.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use flate2::read::GzDecoder;

use super::super::{Content, TestHub};
use super::{LARGE, MODEL, ask, client, get, header, hub, signed};

#[tokio::test]
async fn a_regular_file_comes_through_a_relative_redirect_to_the_cache() {
    let (hub, _) = hub();
    let commit = hub.model(MODEL).tag("v1").commit();
    let response = ask(&hub, "/acme/tiny/resolve/v1/sub/a%20b.txt").await;
    assert_eq!((response.status().as_u16(), header(&response, "etag")), (307, ""));
    assert_eq!(header(&response, "x-repo-commit"), commit.as_str());
    // `printf text | git hash-object --stdin`
    let blob = "f3a34851d44d6b97c90fbb99dd3d18c261b9a237";
    let location = header(&response, "location").to_owned();
    let asked = "%2Facme%2Ftiny%2Fresolve%2Fv1%2Fsub%2Fa%2520b.txt";
    let expected =
        format!("/api/resolve-cache/models/acme/tiny/{commit}/sub/a%20b.txt?{asked}=&etag=%22{blob}%22");
    assert_eq!(location, expected);
    let response = ask(&hub, &location).await;
    assert_eq!((response.status().as_u16(), header(&response, "etag")), (200, &*format!("\"{blob}\"")));
    assert_eq!((header(&response, "content-length"), header(&response, "accept-ranges")), ("4", "bytes"));
    assert_eq!(header(&response, "x-repo-commit"), commit.as_str());
    assert_eq!(response.text().await.unwrap(), "text");
    assert_eq!(hub.requests_for("sub/a b.txt").len(), 2);
}

#[tokio::test]
async fn the_hub_serves_canonical_ids_and_empty_files_itself() {
    let hub = TestHub::start();
    hub.model("gpt2").file("config.json", "{}").commit();
    hub.model("a/b").file("empty", "").commit();
    for (path, body) in [("/gpt2/resolve/main/config.json", "{}"), ("/a/b/resolve/main/empty", "")] {
        let response = ask(&hub, path).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.text().await.unwrap(), body);
    }
}

#[tokio::test]
async fn an_lfs_file_comes_from_the_other_origin() {
    let (hub, large) = hub();
    let address = format!("{}/{MODEL}/resolve/main/{LARGE}", hub.endpoint());
    for request in [client().head(&address), client().get(&address)] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 302);
        assert_eq!(header(&response, "x-linked-size"), "3000000");
        assert_eq!(header(&response, "x-linked-etag"), format!("\"{}\"", large.sha256()));
        assert_eq!(header(&response, "x-repo-commit").len(), 40);
        assert!(header(&response, "ratelimit").starts_with("\"resolvers\";r="));
        assert!(header(&response, "x-request-id").starts_with("Root=1-"));
    }
    let signed = signed(&hub).await;
    let response = get(&signed).send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "x-linked-size")), (200, ""));
    let etag = header(&response, "etag").trim_matches('"').to_owned();
    assert!(etag.len() == 64 && etag != large.sha256());
    assert_eq!(response.bytes().await.unwrap(), large.to_vec());
}

#[tokio::test]
async fn the_cdn_serves_ranges() {
    let (hub, large) = hub();
    let signed = signed(&hub).await;
    let size = large.size();
    for (range, part) in [
        ("bytes=0-0", 0..1),
        ("bytes=1000000-1999999", 1_000_000..2_000_000),
        ("bytes=2999990-", size - 10..size),
        ("bytes=-10", size - 10..size),
        ("bytes=2999990-9999999", size - 10..size),
    ] {
        let response = get(&signed).header("range", range).send().await.unwrap();
        assert_eq!(response.status(), 206, "{range}");
        let expected = format!("bytes {}-{}/{size}", part.start, part.end - 1);
        assert_eq!(header(&response, "content-range"), expected);
        assert_eq!(response.bytes().await.unwrap(), large.read(part), "{range}");
    }
    let response = get(&signed).header("range", "bytes=3000000-").send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "content-range")), (416, "bytes */3000000"));
    let response = client().head(&signed).header("range", "bytes=0-9").send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "content-length")), (206, "10"));
}

#[tokio::test]
async fn signed_addresses_expire() {
    let (hub, _) = hub();
    let early = signed(&hub).await;
    assert_eq!(get(&early).send().await.unwrap().status(), 200);
    hub.expire_signed_addresses();
    assert_eq!(get(&early).send().await.unwrap().status(), 403);
    let late = signed(&hub).await;
    assert_eq!(get(&late).send().await.unwrap().status(), 200);
    hub.sign_for(Duration::ZERO);
    assert_eq!(get(&signed(&hub).await).send().await.unwrap().status(), 403);
    let bare = late.split('?').next().unwrap();
    assert_eq!(get(bare).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn what_is_known_is_not_sent_again() {
    let (hub, large) = hub();
    for (path, etag) in
        [(LARGE, large.sha256()), ("sub/a%20b.txt", "f3a34851d44d6b97c90fbb99dd3d18c261b9a237".to_owned())]
    {
        let request = get(&format!("{}/{MODEL}/resolve/main/{path}", hub.endpoint()));
        let response = request.header("if-none-match", format!("\"{etag}\"")).send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "etag")), (304, &*format!("\"{etag}\"")));
    }
}

#[tokio::test]
async fn text_is_compressed_for_who_asks_for_it() {
    let hub = TestHub::start();
    let text = "tokens ".repeat(1000);
    hub.model("gpt2").file("vocab.json", text.clone()).commit();
    let request = get(&format!("{}/gpt2/resolve/main/vocab.json", hub.endpoint()));
    let request = request.header("accept-encoding", "gzip, deflate").header("range", "bytes=0-9");
    let response = request.send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "content-encoding")), (200, "gzip"));
    assert_eq!(header(&response, "content-length"), "");
    assert!(header(&response, "etag").starts_with("W/\""));
    let mut read = String::new();
    GzDecoder::new(&*response.bytes().await.unwrap()).read_to_string(&mut read).unwrap();
    assert_eq!(read, text);
}

#[tokio::test]
async fn a_file_on_disk_is_served_by_ranges() {
    let content = Content::random(9, 1_500_000);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&content.to_vec()).unwrap();
    let hub = TestHub::start();
    hub.dataset("a/b").lfs("big.parquet", Content::disk(file.path())).commit();
    let response = ask(&hub, "/datasets/a/b/resolve/main/big.parquet").await;
    let signed = header(&response, "location").to_owned();
    let response = get(&signed).header("range", "bytes=7-1400000").send().await.unwrap();
    assert_eq!(response.bytes().await.unwrap(), content.read(7..1_400_001));
}
