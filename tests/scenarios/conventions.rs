//! What others expect of a folder that hfdown has filled, and what it makes of a folder that they have filled.

use hfdown_tests::hf::Hf;
use hfdown_tests::hub::{Content, HubOrigin, TestHub};
use hfdown_tests::sandbox::{DestinationKind, Sandbox};

use crate::places::HFDOWN;

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
    let is_body =
        |request: &&hfdown_tests::hub::HubRequest| request.method == "GET" && request.file.is_some();
    requests.iter().filter(is_body).count()
}

#[tokio::test]
async fn hf_takes_our_folder_for_its_own() {
    let sandbox = Sandbox::start(DestinationKind::Here, HFDOWN).await.unwrap();
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    publish(&sandbox.hub);
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let root = sandbox.root().display().to_string();
    hf.succeeds(&["cache", "verify", MODEL, "--local-dir", &root, "--fail-on-missing-files"]);
    sandbox.hub.forget_requests();
    hf.succeeds(&["download", MODEL, "--local-dir", &root]);
    assert_eq!(bodies(&sandbox.hub), 0, "{:?}", sandbox.hub.requests());
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0);
}

#[tokio::test]
async fn what_hf_has_downloaded_is_not_fetched_again() {
    let sandbox = Sandbox::start(DestinationKind::Here, HFDOWN).await.unwrap();
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    publish(&sandbox.hub);
    let root = sandbox.root().display().to_string();
    hf.succeeds(&["download", MODEL, "--local-dir", &root]);
    sandbox.hub.forget_requests();
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(bodies(&sandbox.hub), 0);
    // Those are the user's files: proved now, and still not ours to remove.
    sandbox.hub.model(MODEL).remove("sub/notes.md").commit();
    assert_eq!(sandbox.sync(MODEL, &["--delete"]).await.code, 0);
    assert!(sandbox.files().contains(&"sub/notes.md".to_owned()));
}
