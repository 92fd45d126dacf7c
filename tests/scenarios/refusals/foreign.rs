//! Files of the user's that stand where the model's belong.

use hfdown_tests::hub::Content;
use hfdown_tests::sandbox::{Sandbox, run};

const MODEL: &str = "acme/foreign";

/// The plan's object of `--json`.
fn plan(stdout: &str) -> serde_json::Value {
    let objects = stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    objects.into_iter().find(|object| object["type"] == "plan").unwrap()
}

async fn what_hfdown_did_not_put_there_is_told_before_it_is_replaced(sandbox: Sandbox) {
    let draft = sandbox.hub.model(MODEL).file("config.json", "{}").file(".gitattributes", "*");
    draft
        .file(".ssh/authorized_keys", "ssh-ed25519 AAAA")
        .lfs("model.bin", Content::random(1, 5_000))
        .commit();
    std::fs::create_dir_all(sandbox.root().join(".ssh")).unwrap();
    std::fs::write(sandbox.root().join(".ssh/authorized_keys"), "the user's own").unwrap();
    // Of the same size as the one that is listed.
    std::fs::write(sandbox.root().join("config.json"), "[]").unwrap();

    let dry = run(sandbox.syncing(MODEL, &["--json", "--dry-run"])).await;
    let planned = plan(&dry.stdout);
    let of = |planned: &serde_json::Value, path: &str| {
        let files = planned["fetch"].as_array().unwrap().clone();
        files.into_iter().find(|file| file["path"] == path).unwrap()["replaces"].clone()
    };
    assert_eq!(of(&planned, ".ssh/authorized_keys"), "foreign");
    assert_eq!(of(&planned, "config.json"), "foreign");
    assert_eq!(of(&planned, "model.bin"), serde_json::Value::Null);
    assert_eq!(planned["dot_files"], serde_json::json!([".ssh/authorized_keys"]));

    let told = "replaces 2 files that hfdown did not put there: .ssh/authorized_keys, config.json\n";
    let note = "note: names that programs may obey in a home folder: .ssh/authorized_keys\n";
    for more in [&["--dry-run"][..], &[]] {
        let ended = sandbox.sync(MODEL, more).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.stderr.contains(told) && ended.stderr.contains(note), "{}", ended.stderr);
    }

    // What hfdown put there is replaced without a word, unless it was edited.
    std::fs::write(sandbox.root().join("config.json"), "edited").unwrap();
    let draft = sandbox.hub.model(MODEL).file("config.json", "{1}").file(".gitattributes", "*");
    draft
        .file(".ssh/authorized_keys", "ssh-ed25519 BBBB")
        .lfs("model.bin", Content::random(2, 5_000))
        .commit();
    let dry = run(sandbox.syncing(MODEL, &["--json", "--dry-run"])).await;
    let planned = plan(&dry.stdout);
    assert_eq!(of(&planned, "config.json"), "edited");
    assert_eq!(of(&planned, "model.bin"), "placed");
    let ended = sandbox.sync(MODEL, &[]).await;
    let edited = "replaces 1 file that was changed since hfdown put it there: config.json\n";
    assert!(ended.stderr.contains(edited) && !ended.stderr.contains("did not put there"), "{}", ended.stderr);

    let again = sandbox.sync(MODEL, &[]).await;
    assert!(!again.stderr.contains("replaces") && !again.stderr.contains("note:"), "{}", again.stderr);
}

everywhere! {
    what_hfdown_did_not_put_there_is_told_before_it_is_replaced,
}
