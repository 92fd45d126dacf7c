//! Files that are chosen by their names: here, on boxes, in each way that a run can go.

use hfdown_tests::hub::{Content, HubOrigin};
use hfdown_tests::sandbox::{Ended, Sandbox, run};
use serde_json::Value;

pub(super) const MODEL: &str = "acme/tiny";
const WEIGHTS: u64 = 9_000_001;
const CHOICE: [&str; 6] = ["--include", "*.json", "--include", "onnx/", "--exclude", "onnx/*.onnx"];

pub(super) fn publish(sandbox: &Sandbox) {
    sandbox
        .hub
        .model(MODEL)
        .file("config.json", "{\"layers\": 2}")
        .file("empty.txt", "")
        .file("onnx/notes.txt", "as it was exported")
        .lfs("model.safetensors", Content::random(1, WEIGHTS))
        .lfs("onnx/model.onnx", Content::random(2, 300_000))
        .commit();
}

pub(super) fn objects(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn object(objects: &[Value], kind: &str) -> Value {
    let of_kind = objects.iter().find(|object| object["type"] == kind);
    of_kind.unwrap_or_else(|| panic!("there is no {kind}: {objects:?}")).clone()
}

async fn only_what_is_chosen_is_fetched(sandbox: Sandbox) {
    publish(&sandbox);
    let dry = sandbox.sync(MODEL, &[&CHOICE[..], &["--dry-run"]].concat()).await;
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    assert_eq!(dry.stdout.lines().count(), 2, "{}", dry.stdout);
    let headline = "plan: fetch 2 files (31 B) · 2 of 5 files (31 B of 9.3 MB)\n";
    assert!(dry.stderr.contains(headline), "{}", dry.stderr);
    assert!(!sandbox.root().exists());

    let first = sandbox.sync(MODEL, &CHOICE).await;
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert!(first.stderr.contains(headline), "{}", first.stderr);
    assert_eq!(sandbox.files(), ["config.json", "onnx/notes.txt"]);
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0);

    let second = sandbox.sync(MODEL, &[&CHOICE[..], &["--json"]].concat()).await;
    assert_eq!(second.code, 0, "{}", second.stderr);
    let objects = objects(&second.stdout);
    let listed = object(&objects, "listed");
    assert_eq!((&listed["files"], &listed["bytes"]), (&2.into(), &31.into()));
    assert_eq!((&listed["of_files"], &listed["of_bytes"]), (&5.into(), &9_300_032.into()));
    let plan = object(&objects, "plan");
    assert_eq!(plan["fetch"].as_array().unwrap().len(), 0);
    assert_eq!(plan["keep"]["files"], 2);
    assert_eq!((&plan["left_out"]["files"], &plan["left_out"]["bytes"]), (&3.into(), &9_300_001.into()));

    // Another choice fetches its own, and the whole the rest.
    let weights = sandbox.sync(MODEL, &["--include", "model.*"]).await;
    assert_eq!(weights.code, 0, "{}", weights.stderr);
    assert_eq!(sandbox.files(), ["config.json", "model.safetensors", "onnx/notes.txt"]);
    sandbox.hub.forget_requests();
    let whole = sandbox.sync(MODEL, &[]).await;
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    assert!(whole.stderr.contains("plan: fetch 2 files (300 kB), keep 3\n"), "{}", whole.stderr);
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 300_000);
}

async fn a_detached_box_fetches_what_is_chosen(sandbox: Sandbox) {
    publish(&sandbox);
    let words = ["--detach", "--include", "onnx/", "--include", "config.json"];
    let Ended { code, stderr, .. } = sandbox.sync(MODEL, &words).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("3 of 5 files"), "{stderr}");
    let (root, ssh) = (sandbox.root(), sandbox.host.as_ref().unwrap().command());
    let ended = run(sandbox.hfdown(["attach", &ssh, root.to_str().unwrap()])).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.files(), ["config.json", "onnx/model.onnx", "onnx/notes.txt"]);
}

async fn a_pattern_that_matches_nothing_beside_one_that_does_is_told(sandbox: Sandbox) {
    publish(&sandbox);
    let words = [
        "--include",
        "config.json",
        "--include",
        "Model.safetensors",
        "--exclude",
        "*.ONNX",
        "--exclude",
        "*.pt",
        "--exclude",
        "training.args",
    ];
    let ended = sandbox.sync(MODEL, &words).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let warnings: Vec<_> = ended.stderr.lines().filter(|line| line.contains("warning: ")).collect();
    // A pattern of `--exclude` with wildcards may well be for other repositories, unless it is nearly right.
    let [included, excluded, literal] = &warnings[..] else { panic!("{}", ended.stderr) };
    let near = "no file matches --include `Model.safetensors` (the nearest is `model.safetensors`)";
    assert!(included.ends_with(near), "{included}");
    assert!(
        excluded.ends_with("no file matches --exclude `*.ONNX` (the nearest is `onnx/model.onnx`)"),
        "{excluded}"
    );
    assert!(literal.ends_with("no file matches --exclude `training.args`"), "{literal}");

    // What has a name that means something else as a pattern.
    sandbox.hub.model(MODEL).file("[odd] name.txt", "x").commit();
    let ended = sandbox.sync(MODEL, &["--include", "[odd] name.txt"]).await;
    assert!(ended.stderr.contains("hint: the nearest is `[[]odd] name.txt`; "), "{}", ended.stderr);
    let ended = sandbox.sync(MODEL, &["--include", "[[]odd] name.txt"]).await;
    assert_eq!((ended.code, sandbox.read("[odd] name.txt").unwrap()), (0, b"x".to_vec()), "{}", ended.stderr);
}

async fn a_download_takes_the_same_options(sandbox: Sandbox) {
    publish(&sandbox);
    sandbox.hub.model(MODEL).branch("other").file("onnx/more.json", "{}").commit();
    let words = ["download", MODEL, "models", "--revision", "other", "--include", "onnx/"];
    let ended = run(sandbox.hfdown(words)).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let there = |file: &str| sandbox.scratch().join("models").join(file).exists();
    assert!(there("onnx/more.json") && there("onnx/model.onnx") && !there("config.json"));
}

everywhere! {
    only_what_is_chosen_is_fetched,
}

on_boxes! {
    a_detached_box_fetches_what_is_chosen,
}

here! {
    a_pattern_that_matches_nothing_beside_one_that_does_is_told,
    a_download_takes_the_same_options,
}
