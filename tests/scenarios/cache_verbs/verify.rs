//! `hfdown cache verify`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use hfdown_tests::hf::Hf;
use hfdown_tests::hub::Content;
use hfdown_tests::sandbox::run;
use serde_json::json;

use super::{FIRST, SECOND, cache, fill, objects, sandbox};

#[tokio::test]
async fn a_cache_in_order_is_read_and_right() {
    let (sandbox, folder) = sandbox().await;
    let nothing = cache(&sandbox, &["verify"]).await;
    assert_eq!(
        (nothing.code, nothing.stdout.as_str()),
        (0, "0 files ok, 0 wrong, 0 missing of 0 revisions\n")
    );
    fill(&folder);
    let checked = cache(&sandbox, &["verify", "--json"]).await;
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    let sum = json!({"type": "cache_verification", "revisions": 6, "ok": 9, "wrong": 0, "missing": 0,
        "unreadable": 0, "unknown": 0, "left_out": 0});
    assert_eq!(objects(&checked, "cache_verification"), [sum], "{}", checked.stdout);
    let files = objects(&checked, "cached_file");
    let data = files.iter().filter(|file| file["kind"] == "dataset").count();
    assert_eq!((files.len(), data), (9, 1), "{}", checked.stdout);
    let one = cache(&sandbox, &["verify", "acme/tiny@main"]).await;
    assert_eq!(one.stdout, "3 files ok, 0 wrong, 0 missing of 1 revision\n");
    assert_eq!(cache(&sandbox, &["verify", "acme/none"]).await.code, 5);
}

#[tokio::test]
async fn what_is_wrong_or_missing_is_named_with_what_mends_it() {
    let (sandbox, folder) = sandbox().await;
    fill(&folder);
    let tiny = folder.repository("models--acme--tiny");
    let data = folder.repository("datasets--acme--data");
    // Of the same size, under a right name; and one in the store that two repositories share.
    let blob = data.file(FIRST, "b.parquet", &[5; 800]);
    fs::write(data.path.join("blobs").join(&blob), [6; 800]).unwrap();
    let shared =
        fs::canonicalize(folder.path().join(format!("models--gpt2/snapshots/{FIRST}/model.safetensors")));
    fs::write(shared.unwrap(), [0; 9_000]).unwrap();
    let gone = tiny.file(SECOND, "gone.bin", &[8; 10]);
    fs::remove_file(tiny.path.join("blobs").join(gone)).unwrap();
    symlink("/etc/hostname", tiny.path.join("snapshots").join(SECOND).join("out.bin")).unwrap();
    tiny.put(&format!("blobs/{}", "odd-etag"), b"odd");
    tiny.link(SECOND, "odd.bin", "odd-etag");
    let checked = cache(&sandbox, &["verify"]).await;
    assert_eq!(checked.code, 7, "{}", checked.stderr);
    for words in [
        "wrong: datasets/acme/data@111111111111/b.parquet (its content has sha256:".to_owned(),
        "wrong: gpt2@111111111111/model.safetensors (".to_owned(),
        "wrong: acme/gpt2-copy@222222222222/model.safetensors (".to_owned(),
        "missing: acme/tiny@222222222222/gone.bin (its blob is missing)".to_owned(),
        "unreadable: acme/tiny@222222222222/out.bin (it leads to no blob of its repository)".to_owned(),
        "unknown: acme/tiny@222222222222/odd.bin (nothing says what its digest should be)".to_owned(),
        "7 files ok, 3 wrong, 1 missing, 1 unreadable, 1 of unknown digest of 6 revisions".to_owned(),
    ] {
        assert!(checked.stdout.contains(&words), "{words}: {}", checked.stdout);
    }
    let repair =
        format!("`hfdown verify datasets/acme/data --revision {FIRST} --cache --repair --include b.parquet`");
    assert!(checked.stderr.contains(&repair), "{}", checked.stderr);
    let quiet = cache(&sandbox, &["verify", "--quiet"]).await;
    assert_eq!((quiet.code, quiet.stderr.as_str()), (7, ""), "what is wrong is on standard output");
    let others = cache(&sandbox, &["verify", "kernels/acme/kernel"]).await;
    assert_eq!(others.code, 0, "{}", others.stdout);
}

#[tokio::test]
async fn files_that_cannot_be_read_are_an_error_with_a_hint() {
    let (sandbox, folder) = sandbox().await;
    let tiny = folder.repository("models--acme--tiny");
    tiny.file(FIRST, "config.json", b"{}");
    symlink("/etc/hostname", tiny.path.join("snapshots").join(FIRST).join("out.bin")).unwrap();
    let checked = cache(&sandbox, &["verify", "--json"]).await;
    assert_eq!(checked.code, 1, "{}", checked.stderr);
    let [error] = &objects(&checked, "error")[..] else { panic!("{}", checked.stdout) };
    assert_eq!((&error["message"], error["hint"].is_string()), (&json!("cannot check 1 file"), true));
}

/// The command that a hint has is run as it stands.
#[tokio::test]
async fn a_repair_mends_the_cache_that_was_checked_and_fetches_nothing_that_was_left_out() {
    let (sandbox, _) = sandbox().await;
    let model = "acme/damaged";
    let published = sandbox.hub.model(model);
    published
        .lfs("model [1].safetensors", Content::random(5, 300_000))
        .lfs("model.gguf", Content::random(6, 300_000))
        .file("config.json", "{}")
        .commit();
    let place = sandbox.scratch().join("another hub").display().to_string();
    let words = ["download", model, "--cache-dir", &place, "--exclude", "*.gguf"];
    let fetched = run(sandbox.hfdown(words)).await;
    assert_eq!(fetched.code, 0, "{}", fetched.stderr);
    let repository = Path::new(&place).join("models--acme--damaged");
    let snapshot = fs::read_dir(repository.join("snapshots")).unwrap().flatten().next().unwrap().path();
    let blob = fs::canonicalize(snapshot.join("model [1].safetensors")).unwrap();
    fs::write(blob, [0; 9_000]).unwrap();
    fs::remove_file(snapshot.join("config.json")).unwrap();
    let checked = run(sandbox.hfdown(["cache", "verify", "--cache-dir", &place])).await;
    assert_eq!(checked.code, 7, "{}", checked.stderr);
    let command = checked.stderr.split('`').nth(1).unwrap();
    let words =
        Command::new("sh").args(["-c", &format!("printf '%s\\n' {command} --json")]).output().unwrap();
    let words = String::from_utf8(words.stdout).unwrap();
    let planned = run(sandbox.hfdown(words.lines().skip(1))).await;
    assert_eq!(planned.code, 0, "{}", planned.stderr);
    let [plan] = &objects(&planned, "plan")[..] else { panic!("{}", planned.stdout) };
    assert_eq!((&plan["fetch"][0]["replaces"], &plan["keep"]["files"]), (&json!("cached"), &json!(1)));
    let checked = run(sandbox.hfdown(["cache", "verify", "--cache-dir", &place])).await;
    assert_eq!((checked.code, snapshot.join("model.gguf").exists()), (0, false), "{}", checked.stdout);
    // Nothing is fetched where a link alone is missing, which is no reason to say that there is nothing to do.
    fs::remove_file(snapshot.join("config.json")).unwrap();
    let words = ["verify", model, "--cache-dir", &place, "--exclude", "*.gguf", "--repair"];
    let mended = run(sandbox.hfdown(words)).await;
    assert_eq!(mended.code, 0, "{}", mended.stderr);
    assert!(mended.stderr.contains("plan: nothing to fetch, make 1 link, keep 2"), "{}", mended.stderr);
    assert!(snapshot.join("config.json").exists());
    let again = run(sandbox.hfdown(["download", model, "--cache-dir", &place, "--exclude", "*.gguf"])).await;
    assert!(again.stderr.contains("plan: nothing to fetch, 2 files are there already"), "{}", again.stderr);
}

#[tokio::test]
async fn what_hf_has_downloaded_is_compared_with_its_listing_without_a_network() {
    let (sandbox, _) = sandbox().await;
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    let model = "acme/listed";
    sandbox
        .hub
        .model(model)
        .file("config.json", "{}")
        .file("notes.md", "# notes")
        .lfs("model.safetensors", Content::random(5, 300_000))
        .lfs("model.gguf", Content::random(6, 300_000))
        .commit();
    hf.succeeds(&["download", model, "--include", "*.json", "--include", "*.safetensors"]);
    let place = hf.home().join("hf/hub");
    sandbox.hub.forget_requests();
    let verify = || {
        let mut command = sandbox.hfdown(["cache", "verify", "--json"]);
        command.env("HF_HUB_CACHE", &place);
        command
    };
    let checked = run(verify()).await;
    let sum = |ended: &_| {
        let sum = objects(ended, "cache_verification")[0].clone();
        ["ok", "wrong", "missing", "left_out"].map(|field| sum[field].as_u64().unwrap())
    };
    assert_eq!((checked.code, sum(&checked)), (0, [2, 0, 0, 2]), "{}", checked.stdout);
    assert!(sandbox.hub.requests().is_empty());
    // A link that is gone is told from a file that a selection has left out, and one to another file's blob is wrong.
    let snapshots = fs::read_dir(place.join("models--acme--listed/snapshots")).unwrap();
    let snapshot = snapshots.flatten().next().unwrap().path();
    fs::remove_file(snapshot.join("config.json")).unwrap();
    let checked = run(verify()).await;
    assert_eq!((checked.code, sum(&checked)), (7, [1, 0, 1, 2]), "{}", checked.stdout);
    symlink(fs::read_link(snapshot.join("model.safetensors")).unwrap(), snapshot.join("config.json"))
        .unwrap();
    let checked = run(verify()).await;
    assert_eq!((checked.code, sum(&checked)), (7, [1, 1, 0, 2]), "{}", checked.stdout);
    // Files that are no links, as where the disk has none, are known by the listing.
    fs::remove_file(snapshot.join("config.json")).unwrap();
    fs::write(snapshot.join("config.json"), "{}").unwrap();
    assert_eq!(run(verify()).await.code, 0);
    fs::write(snapshot.join("config.json"), "[]").unwrap();
    assert_eq!(run(verify()).await.code, 7);
}
