//! `hfdown cache prune`.

use std::fs::{self, File};

use hfdown_tests::cached::TestCache;
use hfdown_tests::hf::Hf;
use hfdown_tests::hub::Content;
use hfdown_tests::sandbox::run;
use serde_json::json;

use super::{FIRST, SECOND, cache, fill, objects, sandbox};

#[tokio::test]
async fn what_nothing_needs_goes_and_the_rest_stays() {
    let (sandbox, folder) = sandbox().await;
    fill(&folder);
    let tiny = folder.repository("models--acme--tiny");
    fs::remove_file(tiny.path.join("refs/refs/pr/1")).unwrap();
    let [free, held, whole, part] = ["a", "b", "c", "d"].map(|digit| digit.repeat(64));
    for (blob, name) in [(&free, "11111111"), (&held, "22222222")] {
        tiny.put(&format!("blobs/{blob}.{name}.incomplete"), &[0; 300]);
        tiny.put(&format!("../.locks/models--acme--tiny/{blob}.lock"), b"");
    }
    let lock = folder.path().join(format!(".locks/models--acme--tiny/{held}.lock"));
    let held_lock = File::options().write(true).open(lock).unwrap();
    // A version of `hf` from before its locks; and another program, with locks of its own.
    tiny.put(&format!("blobs/{}.incomplete", "e".repeat(64)), &[0; 100]);
    tiny.put(&format!("blobs/{}.sync.part", "e".repeat(64)), &[0; 100]);
    let orphan = tiny.blob(b"orphan");
    tiny.put(&format!("blobs/{whole}"), b"whole");
    tiny.link(SECOND, "whole.bin", &whole);
    for name in [&whole, &part] {
        tiny.put(&format!(".hfdown/parts/{name}"), &[0; 400]);
        tiny.put(&format!(".hfdown/parts/{name}.journal"), &[0; 20]);
    }
    let gone = folder.repository("models--gone");
    gone.shared_blob(&[9; 800]);
    fs::remove_dir_all(&gone.path).unwrap();
    held_lock.lock().unwrap();
    let skipped = cache(&sandbox, &["prune", "--yes", "--json"]).await;
    assert_eq!(skipped.code, 0, "{}", skipped.stderr);
    assert_eq!(objects(&skipped, "not_freed")[0]["kind"], "held", "{}", skipped.stdout);
    assert!(tiny.has(&format!("snapshots/{FIRST}")));
    drop(held_lock);
    let shown = cache(&sandbox, &["prune", "--dry-run"]).await;
    for words in [
        "remove acme/tiny@111111111111 (no ref)",
        "remove from acme/tiny: 3 incomplete files (700 B), 2 parts (420 B), 1 blob (6 B) of no revision",
    ] {
        assert!(shown.stdout.contains(words), "{words}: {}", shown.stdout);
    }
    assert!(shown.stderr.contains("420 B that cut-off runs of hfdown go on from stay"), "{}", shown.stderr);
    let pruned = cache(&sandbox, &["prune", "--yes"]).await;
    assert_eq!(pruned.code, 0, "{}", pruned.stderr);
    for gone in [format!("snapshots/{FIRST}"), format!("blobs/{orphan}"), format!(".hfdown/parts/{whole}")] {
        assert!(!tiny.has(&gone), "{gone}");
    }
    assert!(tiny.has(&format!(".hfdown/parts/{part}")) && tiny.has(&format!("snapshots/{SECOND}/whole.bin")));
    assert!(tiny.has(&format!("blobs/{}.sync.part", "e".repeat(64))));
    assert!(!folder.path().join("kernels--acme--kernel").exists(), "no ref named it");
    let nothing = cache(&sandbox, &["prune"]).await;
    assert_eq!(nothing.code, 0, "{}", nothing.stderr);
    assert!(nothing.stderr.contains("nothing to remove"), "{}", nothing.stderr);
    let nothing = cache(&sandbox, &["prune", "--json", "--dry-run"]).await;
    let empty = json!({"type": "removal", "dry_run": true, "remove": [], "shared": 0, "bytes": 0});
    assert_eq!(objects(&nothing, "removal"), [empty], "{}", nothing.stdout);
    let parts = cache(&sandbox, &["prune", "--parts", "--yes"]).await;
    assert_eq!((parts.code, tiny.has(&format!(".hfdown/parts/{part}"))), (0, false), "{}", parts.stderr);
    let Some(hf) = folder.scanned_by_hf() else { return };
    assert_eq!((&hf.0["warnings"], &hf.0["incomplete"]), (&json!([]), &json!(0)));
    for (repository, revision) in [("acme/tiny", SECOND), ("gpt2", "main"), ("acme/gpt2-copy", "main")] {
        assert_eq!(folder.is_whole_for_hf(repository, revision), Some(true), "{repository}");
    }
}

#[tokio::test]
async fn shared_files_go_when_their_list_says_that_nothing_links_to_them() {
    let (sandbox, folder) = sandbox().await;
    let gone = folder.repository("models--gone");
    let blob = gone.shared_blob(&[1; 800]);
    let without_list = gone.shared_blob(&[2; 900]);
    fs::remove_dir_all(&gone.path).unwrap();
    let stored = |blob: &str| {
        let hash: String = blob.chars().rev().collect();
        folder.path().join("blobs").join(&hash[..2]).join(hash)
    };
    fs::remove_file(stored(&without_list).with_extension("refs")).unwrap();
    let pruned = cache(&sandbox, &["prune", "--yes", "--json"]).await;
    assert_eq!((pruned.code, &objects(&pruned, "freed")[0]["bytes"]), (0, &json!(800)), "{}", pruned.stderr);
    assert!(!stored(&blob).exists() && stored(&without_list).exists());
}

#[tokio::test]
async fn what_hf_has_downloaded_is_told_from_what_it_has_left() {
    let (sandbox, _) = sandbox().await;
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    let model = "acme/moving";
    let content = Content::random(3, 300_000);
    sandbox.hub.model(model).file("config.json", "{}").lfs("model.safetensors", content).commit();
    hf.succeeds(&["download", model]);
    sandbox.hub.model(model).file("config.json", "{\"second\": 2}").commit();
    hf.succeeds(&["download", model]);
    let folder = TestCache::create(&hf.home().join("hf/hub"));
    let place = folder.path().display().to_string();
    let verb = |words: &[&str]| {
        let mut command = sandbox.hfdown(["cache"].iter().chain(words).chain(&["--json"]));
        command.env("HF_HUB_CACHE", &place);
        command
    };
    let listed = run(verb(&["ls"])).await;
    assert_eq!(objects(&listed, "cached_repository")[0]["revisions"], 2, "{}", listed.stdout);
    assert_eq!(objects(&listed, "cache")[0]["size"], folder.scanned_by_hf().unwrap().0["size"]);
    let pruned = run(verb(&["prune", "--yes"])).await;
    assert_eq!((pruned.code, &objects(&pruned, "freed")[0]["bytes"]), (0, &json!(2)), "{}", pruned.stderr);
    let found = folder.scanned_by_hf().unwrap();
    assert_eq!(found.0["warnings"], json!([]));
    assert_eq!(found.0["repositories"]["model/acme/moving"]["revisions"].as_object().unwrap().len(), 1);
    assert_eq!(folder.is_whole_for_hf(model, "main"), Some(true));
    sandbox.hub.forget_requests();
    hf.succeeds(&["cache", "verify", model, "--fail-on-missing-files"]);
    hf.succeeds(&["download", model]);
    let removed = run(verb(&["rm", model, "--yes"])).await;
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    assert_eq!(folder.scanned_by_hf().unwrap().0["repositories"], json!({}));
    hf.succeeds(&["download", model]);
}
