//! What hfdown leaves is what `hf` leaves, and each finds what the other has left.

use hfdown_tests::hf::Hf;
use hfdown_tests::hub::{Content, HubOrigin};
use hfdown_tests::sandbox::Sandbox;
use serde_json::json;

use super::{cache, contents, judge, objects, sync, text};

const MODEL: &str = "acme/cached";
const FOLDER: &str = "models--acme--cached";
const NAMES: [&str; 6] =
    ["a/b/c.txt", "config.json", "empty", "größe \"1\".txt", "model.safetensors", "weights/model.bin"];

fn publish(sandbox: &Sandbox) -> String {
    let draft =
        sandbox.hub.model(MODEL).file("config.json", "{}").file("a/b/c.txt", "deep").file("empty", "");
    let draft =
        draft.file("größe \"1\".txt", "named").xet("model.safetensors", Content::random(7, 3_000_000));
    // The same bytes as another file.
    draft.lfs("weights/model.bin", Content::random(7, 3_000_000)).tag("v1").commit().to_string()
}

async fn a_cache_is_what_hf_writes_to_the_letter(sandbox: Sandbox) {
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    let commit = publish(&sandbox);
    let theirs = hf.home().join("theirs");
    for revision in ["main", "v1"] {
        hf.succeeds(&["download", MODEL, "--revision", revision, "--cache-dir", text(&theirs)]);
        let ended = sync(&sandbox, MODEL, &["--revision", revision]).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let (ours, theirs) = (contents(&cache(&sandbox)), contents(&theirs));
        for name in ours.keys().chain(theirs.keys()) {
            assert_eq!(ours.get(name), theirs.get(name), "{name} at {revision}");
        }
        let tree = &theirs[&format!("{FOLDER}/trees/{commit}.json")];
        assert_eq!(tree.matches("\"xet_hash\"").count(), 1, "of one of the two large files: {tree}");
    }
}

async fn the_library_finds_all_of_it_and_fetches_nothing(sandbox: Sandbox) {
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    let commit = publish(&sandbox);
    let ended = sync(&sandbox, MODEL, &["--json"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let snapshot = cache(&sandbox).join(FOLDER).join("snapshots").join(&commit);
    assert_eq!(objects(&ended, "finished")[0]["snapshot"], text(&snapshot), "{}", ended.stdout);
    assert_eq!(objects(&ended, "finished")[0]["fetched"], 3_000_000 + 2 + 4 + 5, "the same bytes once");
    let placed: Vec<_> = objects(&ended, "placed").into_iter().map(|object| object["path"].clone()).collect();
    assert!(NAMES.iter().all(|name| placed.contains(&json!(name))), "{placed:?}");

    for revision in ["main", &commit] {
        let said = judge(&hf, &cache(&sandbox), MODEL, revision, &NAMES);
        assert_eq!(said["snapshot"], text(&snapshot), "{said}");
        assert_eq!(said["warnings"], json!([]), "{said}");
        let found = json!({ &commit: { "refs": ["main"], "files": NAMES, "bytes": 3_000_011 } });
        assert_eq!(said["revisions"], found, "{said}");
        assert!(NAMES.iter().all(|name| said["loaded"][name] == true), "{said}");
    }
    let directory = cache(&sandbox);
    let directory = ["--cache-dir", text(&directory)];
    hf.succeeds(&["cache", "verify", MODEL, directory[0], directory[1]]);
    hf.succeeds(&["cache", "ls", directory[0], directory[1]]);

    sandbox.hub.forget_requests();
    hf.succeeds(&["download", MODEL, directory[0], directory[1]]);
    let asked = sandbox.hub.requests().into_iter().map(|request| request.path);
    // What is about programs and not about a model is asked for once a day.
    let asked: Vec<_> = asked.filter(|path| path.contains(MODEL)).collect();
    assert_eq!(asked, [format!("/api/models/{MODEL}/revision/main")], "as for a cache of its own");

    sandbox.hub.forget_requests();
    let again = sync(&sandbox, MODEL, &["--json"]).await;
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0);
    assert_eq!(objects(&again, "surveying"), Vec::<serde_json::Value>::new(), "nothing is read again");
    assert_eq!(objects(&again, "finished")[0]["kept"], NAMES.len(), "{}", again.stdout);
}

async fn what_hf_has_left_is_proved_once_and_nothing_is_fetched(sandbox: Sandbox) {
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    publish(&sandbox);
    hf.succeeds(&["download", MODEL, "--cache-dir", text(&cache(&sandbox))]);
    let left = cache(&sandbox).join(FOLDER).join("blobs").join("0123.89abcdef.incomplete");
    std::fs::write(&left, "half of something").unwrap();
    let before = contents(&cache(&sandbox));
    sandbox.hub.forget_requests();
    for proof in ["read", "recorded"] {
        let ended = sync(&sandbox, MODEL, &["--json"]).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0, "{proof}");
        assert_eq!(objects(&ended, "plan")[0]["fetch"], json!([]), "{proof}: {}", ended.stdout);
        assert_eq!(contents(&cache(&sandbox)), before, "{proof}");
    }
}

here! {
    a_cache_is_what_hf_writes_to_the_letter,
    what_hf_has_left_is_proved_once_and_nothing_is_fetched,
}

scenarios! { [here Here, sshd Sshd,] the_library_finds_all_of_it_and_fetches_nothing }
