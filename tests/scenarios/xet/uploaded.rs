//! Files that the real `hf_xet` has uploaded to xet-core's own store: what is put together is what was uploaded.

use hfdown_tests::cas_server::CasServer;
use hfdown_tests::hf::Hf;
use hfdown_tests::hub::Content;
use hfdown_tests::sandbox::{Sandbox, run};

use super::{FILE, MODEL, SIZE, objects, sent, weights};

here! { the_real_hf_takes_it_from_the_same_hub, }
here_and_on_a_box! { what_hf_xet_uploaded_is_put_together, a_version_that_shares_chunks_is_put_together,
of_a_new_version_only_what_is_new_is_fetched, what_was_not_deduplicated_saves_nothing, }

/// Uploads a file, and commits it under the name that `hf_xet` gave it.
fn publish(sandbox: &Sandbox, store: &CasServer, uploader: &str, bytes: &[u8]) {
    let hash = store.upload(uploader, bytes);
    sandbox.hub.lead_to_store(&store.address(), "t");
    sandbox.hub.model(MODEL).in_xet_as(FILE, Content::from(bytes.to_vec()), &hash).commit();
}

/// What the scenarios stand on is as the real client knows it.
async fn the_real_hf_takes_it_from_the_same_hub(sandbox: Sandbox) {
    let (Some(store), Some(hf)) = (CasServer::start(), Hf::at(&sandbox.hub)) else { return };
    let bytes = weights(1, SIZE);
    publish(&sandbox, &store, "first", &bytes);
    let had = hf.run_with_xet(&["download", MODEL, "--local-dir", "there"]);
    assert!(had.status.success(), "{}", String::from_utf8_lossy(&had.stderr));
    assert!(std::fs::read(hf.home().join("there").join(FILE)).is_ok_and(|read| read == bytes));
    assert_eq!(sent(&sandbox), (0, 0), "it came by plain ranges");
}

/// Brings it, out of the store and no other way.
async fn comes_out_of_the_store(sandbox: &Sandbox, bytes: &[u8]) {
    sandbox.hub.forget_requests();
    let ended = sandbox.sync(MODEL, &["--json", "--xet", "always"]).await;
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|read| read == bytes));
    assert!(objects(&ended, "fell_back").is_empty(), "{}", ended.stdout);
    assert_eq!(sent(sandbox), (0, 0), "the Hub's own CDN was asked");
}

async fn what_hf_xet_uploaded_is_put_together(sandbox: Sandbox) {
    let Some(store) = CasServer::start() else { return };
    let bytes = weights(1, SIZE);
    publish(&sandbox, &store, "first", &bytes);
    comes_out_of_the_store(&sandbox, &bytes).await;
}

async fn a_version_that_shares_chunks_is_put_together(sandbox: Sandbox) {
    let Some(store) = CasServer::start() else { return };
    let old = weights(1, SIZE);
    publish(&sandbox, &store, "one", &old);
    comes_out_of_the_store(&sandbox, &old).await;
    // A longer header, two halves that change places, and some more.
    let new = [&[7; 1000], &old[SIZE / 2..], &old[..SIZE / 2], &weights(2, 500_000)].concat();
    for uploader in ["one", "another"] {
        publish(&sandbox, &store, uploader, &new);
        _ = std::fs::remove_dir_all(sandbox.root());
        comes_out_of_the_store(&sandbox, &new).await;
    }
}

/// A new header, of another length, before the same weights.
fn with_header(header: &[u8], weights: &[u8]) -> Vec<u8> {
    [header, weights].concat()
}

async fn of_a_new_version_only_what_is_new_is_fetched(sandbox: Sandbox) {
    let Some(store) = CasServer::start() else { return };
    let weights = weights(1, SIZE);
    let (old, new) = (with_header(&[1; 5000], &weights), with_header(&[2; 6003], &weights));
    publish(&sandbox, &store, "one", &old);
    comes_out_of_the_store(&sandbox, &old).await;
    publish(&sandbox, &store, "one", &new);
    let ended = run(sandbox.syncing(MODEL, &["--dry-run"])).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let plan = ended.stderr.lines().find(|line| line.contains("plan:")).unwrap();
    assert!(plan.contains("fetch 1 file (12 MB, ") && plan.contains(" of it new"), "{plan}");
    let ended = sandbox.sync(MODEL, &["--json"]).await;
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|read| read == new));
    assert!(objects(&ended, "fell_back").is_empty(), "{}", ended.stdout);
    let fetched = objects(&ended, "placed")[0]["fetched"].as_u64().unwrap();
    assert!(fetched < SIZE as u64 / 10, "{fetched} of {SIZE}: {}", ended.stdout);
    let planned = objects(&ended, "plan")[0]["new_bytes"].as_u64().unwrap();
    assert!(planned < SIZE as u64 / 10, "{planned}");
}

/// What another uploader does not find in the store is stored again, and then nothing is known to be the same.
async fn what_was_not_deduplicated_saves_nothing(sandbox: Sandbox) {
    let Some(store) = CasServer::start() else { return };
    let weights = weights(1, SIZE);
    let (old, new) = (with_header(&[1; 5000], &weights), with_header(&[2; 6003], &weights));
    publish(&sandbox, &store, "one", &old);
    comes_out_of_the_store(&sandbox, &old).await;
    publish(&sandbox, &store, "another", &new);
    comes_out_of_the_store(&sandbox, &new).await;
}
