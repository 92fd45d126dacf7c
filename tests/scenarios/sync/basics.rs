//! What is fetched, what is left alone, what is removed.

use hfdown_tests::hub::{Content, HubOrigin};
use hfdown_tests::sandbox::Sandbox;

const MODEL: &str = "acme/tiny";
const WEIGHTS: u64 = 9_000_001;

/// A model with every kind of file: regular, LFS, nested, empty, and twins of equal content.
fn publish(sandbox: &Sandbox) {
    sandbox
        .hub
        .model(MODEL)
        .file("config.json", "{\"layers\": 2}")
        .file("empty.txt", "")
        .file("onnx/config.json", "{\"layers\": 2}")
        .lfs("model.safetensors", Content::random(1, WEIGHTS))
        .lfs("onnx/model.onnx", Content::random(2, 300_000))
        .commit();
}

const ALL: [&str; 5] =
    ["config.json", "empty.txt", "model.safetensors", "onnx/config.json", "onnx/model.onnx"];

/// Bodies that were asked for: what a resolve redirects to is counted once.
fn bodies(sandbox: &Sandbox) -> Vec<String> {
    let mut files: Vec<String> = sandbox
        .hub
        .requests()
        .iter()
        .filter(|request| {
            request.method == "GET"
                && matches!(request.status, 200 | 206)
                && !request.path.contains("/api/models/")
        })
        .map(|request| request.path.clone())
        .collect();
    files.sort();
    files.dedup();
    files
}

async fn the_first_sync_fetches_everything_and_the_second_nothing(sandbox: Sandbox) {
    publish(&sandbox);
    let first = sandbox.sync(MODEL, &[]).await;
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert_eq!(sandbox.files(), ALL);
    assert_eq!(sandbox.read("model.safetensors").unwrap(), Content::random(1, WEIGHTS).to_vec());
    assert_eq!(sandbox.read("onnx/model.onnx").unwrap(), Content::random(2, 300_000).to_vec());
    assert_eq!(sandbox.read("onnx/config.json").unwrap(), b"{\"layers\": 2}");
    assert!(first.stderr.contains("done: 5 files"), "{}", first.stderr);

    sandbox.hub.forget_requests();
    let second = sandbox.sync(MODEL, &[]).await;
    assert_eq!(second.code, 0, "{}", second.stderr);
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0);
    assert!(
        sandbox.hub.requests().iter().all(|request| !request.path.contains("resolve")),
        "{:?}",
        bodies(&sandbox)
    );
    assert!(second.stderr.contains("5 files are there already"), "{}", second.stderr);
}

async fn only_what_changed_is_fetched(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let root = sandbox.root();
    let mut weights = sandbox.read("model.safetensors").unwrap();
    let damages: [(&str, &dyn Fn()); 5] = [
        ("model.safetensors", &|| {
            // The same size, another byte.
            let mut weights = weights.clone();
            weights[4_500_000] ^= 1;
            std::fs::write(root.join("model.safetensors"), weights).unwrap();
        }),
        ("onnx/model.onnx", &|| std::fs::remove_file(root.join("onnx/model.onnx")).unwrap()),
        ("onnx/model.onnx", &|| {
            std::fs::OpenOptions::new()
                .write(true)
                .open(root.join("onnx/model.onnx"))
                .unwrap()
                .set_len(100)
                .unwrap();
        }),
        ("config.json", &|| std::fs::write(root.join("config.json"), "{\"layers\": 2} and more").unwrap()),
        ("onnx/config.json", &|| std::fs::write(root.join("onnx/config.json"), "{\"layers\": 3}").unwrap()),
    ];
    for (file, damage) in damages {
        damage();
        sandbox.hub.forget_requests();
        let ended = sandbox.sync(MODEL, &[]).await;
        assert_eq!(ended.code, 0, "{file}: {}", ended.stderr);
        assert!(ended.stderr.contains("done: 1 file,"), "{file}: {}", ended.stderr);
        let asked: Vec<_> = sandbox.hub.requests();
        let others = ALL.iter().filter(|other| **other != file);
        for other in others {
            let path = format!("/{other}");
            let strangers = asked.iter().filter(|request| {
                request.path.contains("resolve/")
                    && request.path.ends_with(&path)
                    && !request.path.ends_with(&format!("/{file}"))
            });
            assert_eq!(strangers.count(), 0, "{other} was asked for when {file} was damaged");
        }
    }
    assert_eq!(sandbox.read("model.safetensors").unwrap(), weights);
    weights.clear();
}

async fn sizes_are_enough_where_that_is_asked_for(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let path = sandbox.root().join("onnx/model.onnx");
    let mut damaged = std::fs::read(&path).unwrap();
    damaged[7] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let ended = sandbox.sync(MODEL, &["--no-checksum"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(std::fs::read(&path).unwrap(), damaged, "only sizes were to be compared");
    let ended = sandbox.sync(MODEL, &["--checksum"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(std::fs::read(&path).unwrap(), Content::random(2, 300_000).to_vec());
}

async fn delete_removes_only_what_an_earlier_sync_placed(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    std::fs::write(sandbox.root().join("notes.txt"), "mine").unwrap();
    sandbox
        .hub
        .model(MODEL)
        .remove("onnx/model.onnx")
        .remove("onnx/config.json")
        .remove("empty.txt")
        .commit();
    std::fs::write(sandbox.root().join("empty.txt"), "edited by hand").unwrap();

    let kept = sandbox.sync(MODEL, &[]).await;
    assert_eq!(kept.code, 0, "{}", kept.stderr);
    assert!(sandbox.files().contains(&"onnx/model.onnx".to_owned()), "without --delete nothing goes");

    let ended = sandbox.sync(MODEL, &["--delete"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.files(), ["config.json", "empty.txt", "model.safetensors", "notes.txt"]);
    assert!(!sandbox.root().join("onnx").exists(), "a folder that was emptied goes too");
    assert_eq!(sandbox.read("empty.txt").unwrap(), b"edited by hand");
}

async fn a_dry_run_says_what_it_would_do_and_touches_nothing(sandbox: Sandbox) {
    publish(&sandbox);
    let ended = sandbox.sync(MODEL, &["--dry-run"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(!sandbox.root().exists());
    for file in ALL {
        assert!(ended.stdout.contains(file), "{}", ended.stdout);
    }
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    std::fs::remove_file(sandbox.root().join("config.json")).unwrap();
    let ended = sandbox.sync(MODEL, &["--dry-run"]).await;
    assert!(
        ended.stdout.contains("config.json") && !ended.stdout.contains("model.safetensors"),
        "{}",
        ended.stdout
    );
    assert!(!sandbox.root().join("config.json").exists());
}

async fn a_renamed_model_and_old_revisions_are_found(sandbox: Sandbox) {
    publish(&sandbox);
    sandbox.hub.rename("tiny", MODEL);
    sandbox.hub.model(MODEL).tag("v1").commit();
    sandbox.hub.model(MODEL).file("config.json", "{\"layers\": 4}").commit();
    let ended = sandbox.sync("tiny", &["--revision", "v1"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.read("config.json").unwrap(), b"{\"layers\": 2}");
    let ended = sandbox.sync("tiny", &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.read("config.json").unwrap(), b"{\"layers\": 4}");
}

async fn events_are_json_lines_when_asked_for(sandbox: Sandbox) {
    publish(&sandbox);
    let ended = sandbox.sync(MODEL, &["--json"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let lines: Vec<serde_json::Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect("a line is an object")).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["type"].as_str().expect("it has a type")).collect();
    for kind in ["listed", "opened", "plan", "started", "placed", "finished"] {
        assert!(kinds.contains(&kind), "{kind} is missing among {kinds:?}");
    }
    assert_eq!(kinds.iter().filter(|kind| **kind == "placed").count(), ALL.len());
    assert_eq!(ended.stderr, "");
}

everywhere! {
    the_first_sync_fetches_everything_and_the_second_nothing,
    only_what_changed_is_fetched,
    sizes_are_enough_where_that_is_asked_for,
    delete_removes_only_what_an_earlier_sync_placed,
    a_dry_run_says_what_it_would_do_and_touches_nothing,
    a_renamed_model_and_old_revisions_are_found,
    events_are_json_lines_when_asked_for,
}
