//! Snapshots that are there in part, and what else is in them.

use std::fs;
use std::path::PathBuf;

use hfdown_tests::hf::Hf;
use hfdown_tests::hub::{Content, HubOrigin};
use hfdown_tests::lacking::{Lacking, LackingPrograms};
use hfdown_tests::sandbox::{DestinationKind, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{cache, contents, judge, objects, sync, syncing, text};
use crate::places::HFDOWN;

const MODEL: &str = "acme/pieces";
const FOLDER: &str = "models--acme--pieces";
const NAMES: [&str; 6] = ["a", "b/c", "b/d", "config.json", "model.safetensors", "z.bin"];

/// What is wrong in caches: a link to nothing or to wrong bytes, a blob that is not what its name says, a snapshot that the
/// library takes for whole and that is not.
const INSPECT: &str = r#"
import hashlib, json, os, sys
from huggingface_hub import snapshot_download
repo, commit, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
wrong, whole = [], 0
def digest(path):
    data = open(path, "rb").read()
    name = os.path.basename(path)
    return hashlib.sha256(data).hexdigest() if len(name) == 64 else hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
for cache in sys.argv[4:]:
    for revision in ["main", commit]:
        try:
            found = snapshot_download(repo, revision=revision, cache_dir=cache, local_files_only=True)
        except Exception:
            continue
        whole += 1
        files = sum(len(files) for _, _, files in os.walk(found))
        if files != count:
            wrong.append(f"{found} is taken for whole with {files} files")
    for folder, _, files in os.walk(cache):
        for name in files:
            path = os.path.join(folder, name)
            if "/snapshots/" in path:
                target = os.path.realpath(path)
                if not os.path.exists(target) or digest(target) != os.path.basename(target):
                    wrong.append(f"{path} leads to {target}")
            elif os.path.basename(folder) == "blobs" and digest(path) != name:
                wrong.append(f"{path} is something else")
print(json.dumps({"wrong": wrong, "whole": whole}))
"#;

fn publish(sandbox: &Sandbox) -> String {
    let draft =
        sandbox.hub.model(MODEL).file("a", "A").file("b/c", "C").file("b/d", "D").file("config.json", "{}");
    let draft = draft.lfs("model.safetensors", Content::random(3, 2_500_000));
    draft.lfs("z.bin", Content::random(4, 1_200_000)).commit().to_string()
}

fn snapshot(sandbox: &Sandbox, commit: &str) -> PathBuf {
    cache(sandbox).join(FOLDER).join("snapshots").join(commit)
}

/// Reads what a run prints, to the so many-th object of a kind.
async fn read_to(child: &mut tokio::process::Child, kind: &str, count: usize) {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let mut seen = 0;
    while seen < count {
        let Some(line) = lines.next_line().await.unwrap() else { return };
        let object: Value = serde_json::from_str(&line).unwrap();
        seen += usize::from(object["type"] == kind);
    }
}

async fn a_run_that_is_killed_leaves_no_snapshot_that_looks_whole_and_is_not(sandbox: Sandbox) {
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    let commit = publish(&sandbox);
    let mut caches = Vec::new();
    // A file is begun, verified, placed: each is an instant, and so is whatever the program does next.
    let instants = ["started", "verified", "placed"]
        .into_iter()
        .flat_map(|kind| (1..=NAMES.len()).map(move |n| (kind, n)));
    for (kind, count) in instants.chain([("opened", 1), ("plan", 1)]) {
        let killed = sandbox.scratch().join(format!("{kind}-{count}"));
        let words = ["download", MODEL, "--cache-dir", text(&killed), "--json", "--connections", "1"];
        let mut child = sandbox.hfdown(words).spawn().unwrap();
        read_to(&mut child, kind, count).await;
        child.kill().await.unwrap();
        caches.push(killed);
    }
    let words = [MODEL, &commit, &NAMES.len().to_string()].map(str::to_owned);
    let inspect = |caches: &[PathBuf]| {
        let words: Vec<&str> =
            words.iter().map(String::as_str).chain(caches.iter().map(|cache| text(cache))).collect();
        hf.library(INSPECT, &words)
    };
    assert_eq!(inspect(&caches)["wrong"], json!([]));
    // Each goes on to its end.
    let last = &caches[caches.len() / 2..][..2];
    for cache in last {
        let ended =
            hfdown_tests::sandbox::run(sandbox.hfdown(["download", MODEL, "--cache-dir", text(cache)])).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    }
    assert_eq!(inspect(last), json!({ "wrong": [], "whole": 4 }));
}

async fn foreign_files_stay_and_what_stands_for_itself_is_proved(sandbox: Sandbox) {
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    let commit = publish(&sandbox);
    let folder = snapshot(&sandbox, &commit);
    fs::create_dir_all(folder.join("b")).unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    fs::write(folder.join("b/c"), "C").unwrap();
    fs::write(folder.join("config.json"), "[]").unwrap();
    fs::write(folder.join("z.bin"), "other").unwrap();
    let dry = sync(&sandbox, MODEL, &["--json", "--dry-run"]).await;
    let fetch = objects(&dry, "plan")[0]["fetch"].clone();
    let replaces = |path: &str| {
        let file = fetch.as_array().unwrap().iter().find(|file| file["path"] == path);
        file.map(|file| file["replaces"].clone())
    };
    assert_eq!(replaces("b/c"), None, "its bytes are right: {fetch}");
    assert_eq!(replaces("a"), Some(Value::Null), "{fetch}");
    assert_eq!(
        (replaces("config.json"), replaces("z.bin")),
        (Some(json!("foreign")), Some(json!("foreign"))),
        "{fetch}"
    );

    let ended = sync(&sandbox, MODEL, &["--delete"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let there = contents(&folder);
    assert_eq!(there["notes.txt"].split_once(' ').unwrap().0, "file");
    assert!(there["b/c"].starts_with("file"), "it is kept as it is: {}", there["b/c"]);
    assert!(there["config.json"].starts_with("->") && there["z.bin"].starts_with("->"), "{there:?}");
    let said = judge(&hf, &cache(&sandbox), MODEL, "main", &NAMES);
    assert_eq!(said["snapshot"], text(&folder), "{said}");
    assert_eq!(said["warnings"], json!([]), "{said}");

    // A folder is no file's to replace, and no reference leads to what is not whole.
    fs::remove_file(folder.join("a")).unwrap();
    fs::create_dir(folder.join("a")).unwrap();
    fs::remove_file(cache(&sandbox).join(FOLDER).join("refs/main")).unwrap();
    let ended = sync(&sandbox, MODEL, &[]).await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("a folder stands at models--acme--pieces/snapshots/"), "{}", ended.stderr);
    assert!(!cache(&sandbox).join(FOLDER).join("refs/main").exists());
}

async fn without_links_a_snapshot_consists_of_files_as_hf_has_it(place: DestinationKind) {
    let programs = LackingPrograms { hfdown: HFDOWN, without: env!("CARGO_BIN_EXE_without") };
    let Some(lacking) = Lacking::start(place, programs, "symlinkat=EPERM").await else { return };
    let sandbox = &lacking.sandbox;
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    let commit = publish(sandbox);
    let words = ["download", MODEL, "--cache-dir", text(&cache(sandbox)), "--json"].map(str::to_owned);
    let first = hfdown_tests::sandbox::run(lacking.lacking(sandbox.hfdown(&words))).await;
    assert_eq!(first.code, 0, "{}", first.stderr);
    let warnings: Vec<_> =
        objects(&first, "warning").into_iter().map(|warning| warning["kind"].clone()).collect();
    assert_eq!(warnings, [json!("no_links")], "{}", first.stdout);
    let theirs = hf.home().join("theirs");
    let copies = |cache: &std::path::Path| contents(&cache.join(FOLDER).join("snapshots"));
    assert!(copies(&cache(sandbox)).values().all(|what| !what.starts_with("->")));
    hf.library(
        "import json, sys; from huggingface_hub import snapshot_download\n\
         from huggingface_hub import constants; constants.HF_HUB_DISABLE_SYMLINKS = True\n\
         print(json.dumps(snapshot_download(sys.argv[1], cache_dir=sys.argv[2])))",
        &[MODEL, text(&theirs)],
    );
    assert_eq!(copies(&cache(sandbox)), copies(&theirs));

    // The same where links are not wanted.
    let unwanted = sandbox.scratch().join("unwanted");
    let mut command = sandbox.hfdown(["download", MODEL, "--cache-dir", text(&unwanted), "--json"]);
    command.env("HF_HUB_DISABLE_SYMLINKS", "1");
    let ended = hfdown_tests::sandbox::run(command).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(objects(&ended, "warning"), Vec::<Value>::new(), "{}", ended.stdout);
    assert_eq!(copies(&unwanted), copies(&theirs));

    // What either has made is right to the other, also where there are links.
    let said = judge(&hf, &cache(sandbox), MODEL, "main", &NAMES);
    assert_eq!(said["snapshot"], text(&snapshot(sandbox, &commit)), "{said}");
    assert_eq!(said["warnings"], json!([]), "{said}");
    sandbox.hub.forget_requests();
    fs::remove_dir_all(cache(sandbox)).unwrap();
    fs::rename(&theirs, cache(sandbox)).unwrap();
    for more in [&["--json"][..], &["--json", "--checksum"]] {
        let ended = sync(sandbox, MODEL, more).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0, "{}", ended.stdout);
    }
}

async fn one_that_was_named_by_its_commit_gets_no_reference(sandbox: Sandbox) {
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    let commit = publish(&sandbox);
    sandbox.hub.model(MODEL).file("a", "other").reference("refs/pr/1").commit();
    for revision in [&commit, "refs/pr/1"] {
        let ended = sync(&sandbox, MODEL, &["--revision", revision]).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    }
    let refs: Vec<_> = contents(&cache(&sandbox).join(FOLDER).join("refs")).into_keys().collect();
    assert_eq!(refs, ["refs", "refs/pr", "refs/pr/1"]);
    let said = judge(&hf, &cache(&sandbox), MODEL, "refs/pr/1", &["a"]);
    assert_eq!((&said["loaded"]["a"], &said["warnings"]), (&json!(true), &json!([])), "{said}");
    // Nothing stays of hfdown, and the snapshot is as whole.
    let ended = hfdown_tests::sandbox::run(syncing(&sandbox, MODEL, &[])).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

/// Asks for what was selected, and for all of it.
const SELECTED: &str = r#"
import json, sys
from huggingface_hub import snapshot_download
said = []
for patterns in [["b/*"], None]:
    try:
        snapshot_download(sys.argv[1], cache_dir=sys.argv[2], allow_patterns=patterns, local_files_only=True)
        said.append("whole")
    except Exception as error:
        said.append(type(error).__name__)
print(json.dumps(said))
"#;

async fn a_selection_is_whole_for_those_who_want_no_more_and_the_rest_is_known_to_be_missing(
    sandbox: Sandbox,
) {
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    let commit = publish(&sandbox);
    let ended = sync(&sandbox, MODEL, &["--include", "b/*"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0);
    let folder = cache(&sandbox);
    assert_eq!(
        hf.library(SELECTED, &[MODEL, text(&folder)]),
        json!(["whole", "IncompleteSnapshotError"]),
        "as with a selection of its own"
    );
    let said = judge(&hf, &folder, MODEL, "main", &["b/c", "a"]);
    assert_eq!(said["revisions"][&commit]["files"], json!(["b/c", "b/d"]), "{said}");
    assert_eq!((&said["loaded"]["b/c"], &said["loaded"]["a"]), (&json!(true), &json!(false)), "{said}");
    assert_eq!(said["warnings"], json!([]), "{said}");

    let ended = sync(&sandbox, MODEL, &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(hf.library(SELECTED, &[MODEL, text(&folder)]), json!(["whole", "whole"]));
}

async fn a_repository_is_cached_by_its_kind_and_under_the_name_that_was_typed(sandbox: Sandbox) {
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    sandbox.hub.model("acme/new").file("a", "A").commit();
    sandbox.hub.rename("acme/old", "acme/new");
    sandbox.hub.dataset("acme/data").file("a", "A").commit();
    for (typed, repo, kind, folder) in [
        ("acme/old", "acme/old", "model", "models--acme--old"),
        ("datasets/acme/data", "acme/data", "dataset", "datasets--acme--data"),
    ] {
        let ended = sync(&sandbox, typed, &[]).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(cache(&sandbox).join(folder).join("refs/main").exists(), "{folder}");
        let said = hf.library(super::JUDGE, &[text(&cache(&sandbox)), repo, kind, "main", "a"]);
        assert_eq!((&said["loaded"]["a"], &said["warnings"]), (&json!(true), &json!([])), "{said}");
    }
}

here! {
    a_selection_is_whole_for_those_who_want_no_more_and_the_rest_is_known_to_be_missing,
    a_repository_is_cached_by_its_kind_and_under_the_name_that_was_typed,
    a_run_that_is_killed_leaves_no_snapshot_that_looks_whole_and_is_not,
    foreign_files_stay_and_what_stands_for_itself_is_proved,
    without_links_a_snapshot_consists_of_files_as_hf_has_it,
    one_that_was_named_by_its_commit_gets_no_reference,
}
