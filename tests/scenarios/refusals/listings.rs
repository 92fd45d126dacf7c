//! Servers that list sizes, digests and flags in ways of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::response::Response;
use hfdown_agent::digest_like;
use hfdown_protocol::Digest;
use hfdown_tests::sandbox::{Ended, Sandbox, run};
use serde_json::{Value, json};

use super::words::{plain, refusal};
use crate::stranger::Stranger;

const MODEL: &str = "acme/odd";
const COMMIT: &str = "607a30d783dfa663caf39e06633721c8d4cfcd7e";

fn sha256(bytes: &[u8]) -> String {
    digest_like(Digest::Sha256([0; 32]), bytes).to_string()
}

fn git_sha1(bytes: &[u8]) -> String {
    digest_like(Digest::GitSha1([0; 20]), bytes).to_string()
}

/// A server that says this of the model, lists these entries in this order, and has these files.
async fn server(info: Value, entries: Vec<Value>, files: &[(&str, Vec<u8>)]) -> Stranger {
    let owned = files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.clone()));
    let files: Arc<BTreeMap<String, Vec<u8>>> = Arc::new(owned.collect());
    let (info, entries) = (info.to_string(), json!(entries).to_string());
    Stranger::start(move |address| {
        let path = address.split_once('?').map_or(address, |(path, _)| path);
        let file = path.strip_prefix(&format!("/{MODEL}/resolve/{COMMIT}/"));
        let body = match file {
            Some(file) => files.get(file).cloned(),
            None if path.contains("/revision/") => Some(info.clone().into_bytes()),
            None if path.contains("/tree/") => Some(entries.clone().into_bytes()),
            None => None,
        };
        match body {
            Some(body) => Response::builder().header("x-repo-commit", COMMIT).body(body.into()).unwrap(),
            None => Response::builder().status(404).body(Vec::new().into()).unwrap(),
        }
    })
    .await
}

async fn sync(sandbox: &Sandbox, server: &Stranger, more: &[&str]) -> Ended {
    let mut command = sandbox.syncing(MODEL, more);
    command.env("HF_ENDPOINT", &server.endpoint);
    run(command).await
}

/// Each file by an entry that is right in what describes the content, and odd in something else.
async fn a_server_may_write_sizes_digests_and_flags_as_it_likes(sandbox: Sandbox) {
    let bytes = |seed: u8, length: usize| vec![seed; length];
    let (large, upper, alone, text) = (bytes(1, 70_000), bytes(2, 3_000), bytes(3, 40), bytes(4, 55));
    let (float, blob, unsaid, twice) = (bytes(5, 12), bytes(6, 9), bytes(7, 700), bytes(8, 7));
    let entries = vec![
        json!({"type": "file", "path": "large.bin", "oid": "short", "size": 134,
               "lfs": {"oid": sha256(&large), "size": 70_000, "pointerSize": 134}, "xetHash": "x"}),
        json!({"type": "file", "path": "upper.bin", "size": "134",
               "lfs": {"sha256": format!("sha256:{}", sha256(&upper).to_uppercase()), "size": "3000"}}),
        json!({"type": "file", "path": "alone.bin", "size": 40, "sha256": sha256(&alone), "lfs": true}),
        json!({"type": "file", "path": "text.json", "size": "55", "oid": git_sha1(&text), "lfs": {}}),
        json!({"type": "file", "path": "float.json", "size": 12.0, "oid": git_sha1(&float), "lfs": false}),
        json!({"type": "blob", "rfilename": "blob.json", "size": 9, "oid": git_sha1(&blob).to_uppercase()}),
        json!({"path": "folder", "oid": git_sha1(b"tree")}),
        json!({"path": "folder/unsaid.json", "size": 700, "oid": git_sha1(&unsaid), "lfs": null}),
        json!({"type": "commit", "path": "submodule", "oid": COMMIT}),
        json!({"type": "file", "path": "twice.json", "size": 7, "oid": git_sha1(&twice)}),
        json!({"type": "file", "path": "twice.json", "size": 7, "oid": git_sha1(&twice)}),
        // A pointer, and what it points to.
        json!({"type": "file", "path": "large.bin", "size": 134, "oid": git_sha1(b"pointer")}),
    ];
    let files = [
        ("large.bin", large),
        ("upper.bin", upper),
        ("alone.bin", alone),
        ("text.json", text),
        ("float.json", float),
        ("blob.json", blob),
        ("folder/unsaid.json", unsaid),
        ("twice.json", twice),
    ];
    // Neither a name nor a commit but in the header, and flags as texts.
    let info = json!({"private": "false", "gated": "False", "disabled": null});
    let server = server(info, entries, &files).await;
    for said in ["done: 8 files", "8 files are there already"] {
        let ended = sync(&sandbox, &server, &[]).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        for (path, bytes) in &files {
            assert_eq!(sandbox.read(path).as_ref(), Some(bytes), "{path}");
        }
        assert_eq!(sandbox.files().len(), files.len(), "{:?}", sandbox.files());
    }
}

async fn what_a_server_leaves_open_is_said_as_what_it_is(sandbox: Sandbox) {
    let (good, large) = (b"good".to_vec(), vec![9; 5_000]);
    let sha1 = git_sha1(&good);
    let cases = [
        (json!({"size": null, "oid": sha1}), "the server lists no size for it"),
        (json!({"size": "many", "oid": sha1}), "the server lists a size for it that is no number of bytes"),
        (
            json!({"size": 134, "lfs": {"oid": sha256(&large), "pointerSize": 134}}),
            "the server lists the size of its LFS pointer (134 B), and not its own",
        ),
        (
            json!({"size": 12, "oid": sha1, "lfs": {"size": 13}}),
            "the server lists two sizes for it, 12 and 13 B, and no SHA-256 of an LFS file to decide",
        ),
        (
            json!({"size": 4, "xetHash": sha256(&good)}),
            "the server lists no digest for it, and nothing else could prove its bytes",
        ),
        (
            json!({"size": 4, "oid": "d41d8cd98f00b204e9800998ecf8427e"}),
            "the server lists a digest for it that is neither a SHA-256 nor git's SHA-1",
        ),
        (
            json!({"size": 4, "oid": sha1, "lfs": {"size": 4}}),
            "the server lists it as an LFS file without its SHA-256, and nothing else could prove its bytes",
        ),
        (
            json!({"size": 4, "lfs": {"oid": sha256(&good), "sha256": sha256(&large)}}),
            "the server lists two different SHA-256 for it",
        ),
    ];
    let mut entries = vec![json!({"type": "file", "path": "good.json", "size": 4, "oid": sha1})];
    for (number, (entry, _)) in cases.iter().enumerate() {
        let mut entry = entry.clone();
        entry["type"] = "file".into();
        entry["path"] = format!("odd-{number}").into();
        entries.push(entry);
    }
    for size in [12, 13] {
        entries.push(json!({"type": "file", "path": "resized", "size": size, "oid": sha1}));
    }
    let names = (0..cases.len()).map(|number| format!("odd-{number}")).chain(["resized".to_owned()]);
    let reasons =
        cases.iter().map(|(_, why)| *why).chain(["the server lists it twice, with 12 and with 13 B"]);
    let expected: Vec<_> = names.zip(reasons).collect();
    let server = server(json!({"id": MODEL, "sha": COMMIT}), entries, &[("good.json", good)]).await;
    for more in [[].as_slice(), &["--dry-run"], &[]] {
        let ended = sync(&sandbox, &server, more).await;
        refusal(&sandbox, &ended, 3);
        for (name, why) in &expected {
            let line = format!("error: cannot fetch {name}: {why}\n");
            assert!(ended.stderr.contains(&line), "{more:?}: {line}{}", ended.stderr);
        }
        assert_eq!(sandbox.files(), ["good.json"]);
    }
    let asked = server.asked();
    assert!(!asked.iter().any(|(path, _)| path.contains("odd-") || path.contains("resized")), "{asked:?}");

    // For those who only look, and for one of them alone.
    let mut info = sandbox.hfdown(["info", MODEL]);
    let ended = run({
        info.env("HF_ENDPOINT", &server.endpoint);
        info
    })
    .await;
    assert!(ended.code == 0 && ended.stdout.contains(expected[0].1), "{}{}", ended.stdout, ended.stderr);
    let mut file = sandbox.hfdown(["file", MODEL, "odd-3", "there"]);
    let ended = run({
        file.env("HF_ENDPOINT", &server.endpoint);
        file
    })
    .await;
    let said = refusal(&sandbox, &ended, 1);
    assert_eq!(said, format!("error: cannot fetch odd-3 of {MODEL}\ncaused by: {}", expected[3].1));
    assert!(!sandbox.scratch().join("there").exists());
}

/// The size that wins is wrong in its turn.
async fn bytes_that_no_listed_size_fits_are_not_placed(sandbox: Sandbox) {
    let large = vec![7; 5_000];
    let entries = vec![
        json!({"type": "file", "path": "good.json", "size": 2, "oid": git_sha1(b"{}")}),
        json!({"type": "file", "path": "large.bin", "size": 134,
               "lfs": {"oid": sha256(&large), "size": 6_000, "pointerSize": 134}}),
    ];
    let files = [("good.json", b"{}".to_vec()), ("large.bin", large)];
    let server = server(json!({"id": MODEL, "sha": COMMIT}), entries, &files).await;
    let ended = sync(&sandbox, &server, &["--json"]).await;
    assert_eq!((ended.code, sandbox.files()), (3, vec!["good.json".to_owned()]), "{}", ended.stderr);
    let failed = ended.stdout.lines().find(|line| line.contains(r#""type":"failed""#)).unwrap_or_default();
    assert!(failed.contains("5000") && failed.contains("6000"), "{}", ended.stdout);
}

async fn a_server_that_names_no_commit_is_answered_with_the_way_on(sandbox: Sandbox) {
    let info = json!({"id": MODEL}).to_string();
    let hub = Stranger::start(move |path| {
        let body = if path.contains("/revision/") { info.clone() } else { "[]".to_owned() };
        Response::new(body.into())
    })
    .await;
    let info = |more: &'static [&str]| {
        let mut command = sandbox.hfdown(["info", MODEL].iter().chain(more));
        command.env("HF_ENDPOINT", &hub.endpoint);
        run(command)
    };
    let ended = info(&[]).await;
    let said = plain(&sandbox, &refusal(&sandbox, &ended, 1)).replace(&hub.endpoint, "SERVER");
    assert_eq!(
        said,
        "error: cannot list acme/odd at main
caused by: the answer of SERVER/api/models/acme/odd/revision/main makes no sense: it names no commit, neither as `sha` nor \
as `X-Repo-Commit`, so that there is no version to keep to

hint: name the commit yourself, with all of its 40 digits: --revision COMMIT"
    );
    let ended = info(&["--revision", COMMIT]).await;
    assert_eq!(ended.code, 0, "the hint is right: {}", ended.stderr);
}

here_and_on_a_box! {
    a_server_may_write_sizes_digests_and_flags_as_it_likes,
    what_a_server_leaves_open_is_said_as_what_it_is,
    bytes_that_no_listed_size_fits_are_not_placed,
}

here! {
    a_server_that_names_no_commit_is_answered_with_the_way_on,
}
