//! What others expect of a folder that hfdown has filled, and what it makes of a folder that they have filled.

use hfdown_tests::hf::Hf;
use hfdown_tests::hub::{Content, Origin, TestHub};
use hfdown_tests::stage::{Place, Stage};

const HFDOWN: &str = env!("CARGO_BIN_EXE_hfdown-tested");
const MODEL: &str = "acme/tiny";

fn publish(hub: &TestHub) {
    hub.model(MODEL)
        .file("config.json", "{}")
        .file("sub/notes.md", "# notes")
        .lfs("sub/model.safetensors", Content::random(1, 2_000_000))
        .commit();
}

/// Bodies of files that were asked for, from wherever.
fn bodies(hub: &TestHub) -> usize {
    let requests = hub.requests();
    let is_body = |request: &&hfdown_tests::hub::Request| request.method == "GET" && request.file.is_some();
    requests.iter().filter(is_body).count()
}

#[tokio::test]
async fn hf_takes_our_folder_for_its_own() {
    let stage = Stage::set(Place::Here, HFDOWN).await.unwrap();
    let Some(hf) = Hf::at(&stage.hub) else { return };
    publish(&stage.hub);
    let ended = stage.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let root = stage.root().display().to_string();
    hf.succeeds(&["cache", "verify", MODEL, "--local-dir", &root, "--fail-on-missing-files"]);
    stage.hub.forget_requests();
    hf.succeeds(&["download", MODEL, "--local-dir", &root]);
    assert_eq!(bodies(&stage.hub), 0, "{:?}", stage.hub.requests());
    assert_eq!(stage.hub.bytes_sent(Origin::Cdn), 0);
}

#[tokio::test]
async fn what_hf_has_downloaded_is_not_fetched_again() {
    let stage = Stage::set(Place::Here, HFDOWN).await.unwrap();
    let Some(hf) = Hf::at(&stage.hub) else { return };
    publish(&stage.hub);
    let root = stage.root().display().to_string();
    hf.succeeds(&["download", MODEL, "--local-dir", &root]);
    stage.hub.forget_requests();
    let ended = stage.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(bodies(&stage.hub), 0);
    // Those are the person's files: proved now, and still not ours to remove.
    stage.hub.model(MODEL).remove("sub/notes.md").commit();
    assert_eq!(stage.sync(MODEL, &["--delete"]).await.code, 0);
    assert!(stage.files().contains(&"sub/notes.md".to_owned()));
}
