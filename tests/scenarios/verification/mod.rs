//! What `hfdown verify` finds in a folder, and what it does about it.

mod cached;
mod found;
mod offline;
mod repair;

use hfdown_tests::hub::Content;
use hfdown_tests::sandbox::{Ended, Sandbox};
use serde_json::Value;

const MODEL: &str = "acme/verified";
const WEIGHTS: u64 = 3_000_000;

/// A model with every kind of file: regular, LFS, nested, empty.
fn publish(sandbox: &Sandbox) {
    sandbox
        .hub
        .model(MODEL)
        .file("config.json", "{\"layers\": 2}")
        .file("empty.txt", "")
        .file("onnx/config.json", "{}")
        .lfs("model.safetensors", Content::random(1, WEIGHTS))
        .lfs("onnx/model.onnx", Content::random(2, 300_000))
        .commit();
}

const FILES: [&str; 5] =
    ["config.json", "empty.txt", "model.safetensors", "onnx/config.json", "onnx/model.onnx"];

/// The objects of a run with `--json` that have this type.
fn objects(ended: &Ended, kind: &str) -> Vec<Value> {
    let objects = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    objects.filter(|object| object["type"] == kind).collect()
}

/// What was said of each file that is not in order: `path state kind`, sorted.
fn flaws(ended: &Ended) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let objects = objects(ended, "checked");
    let flawed = objects.iter().filter(|object| object["state"] != "ok");
    let mut flaws: Vec<_> = flawed
        .map(|object| {
            format!("{} {} {}", text(&object["path"]), text(&object["state"]), text(&object["kind"]))
        })
        .collect();
    flaws.sort();
    flaws
}

/// The lines on standard output, without the box's name before them.
fn told(sandbox: &Sandbox, ended: &Ended) -> Vec<String> {
    let said = crate::refusals::words::plain(sandbox, &ended.stdout);
    said.lines().map(|line| line.strip_prefix("BOX: ").unwrap_or(line).to_owned()).collect()
}
