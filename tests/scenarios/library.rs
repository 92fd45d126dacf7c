//! hfdown in programs of one's own: the examples do what they say, and what they print is their own.

use std::path::{Path, PathBuf};

use hfdown_tests::counterpart::leave_out;
use hfdown_tests::hub::Content;
use hfdown_tests::sandbox::{Ended, Sandbox, run};
use tokio::process::Command;

use crate::places::HFDOWN;

const MODEL: &str = "acme/tiny";

/// An example of the controller, as cargo builds it beside the program.
fn example(name: &str) -> Option<PathBuf> {
    let path = Path::new(HFDOWN).with_file_name("examples").join(name);
    if !path.exists() {
        leave_out(&format!("the example {name} was not built (cargo build --package hfdown --examples)"));
        return None;
    }
    Some(path)
}

async fn ended(sandbox: &Sandbox, example: &Path, words: &[&str]) -> Ended {
    let like = sandbox.hfdown(words);
    let like = like.as_std();
    let mut command = Command::new(example);
    command.args(like.get_args()).env_clear().current_dir(sandbox.scratch());
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    run(command).await
}

async fn a_program_of_ones_own_syncs_a_selection(sandbox: Sandbox) {
    let Some(example) = example("sync_selection") else { return };
    let weights = Content::random(1, 2_000_000);
    sandbox.hub.model(MODEL).file("config.json", "{}").lfs("model.safetensors", weights).commit();
    let root = sandbox.root().display().to_string();
    let done = ended(&sandbox, &example, &[MODEL, &root, "*.json"]).await;
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{}", done.stdout);
    assert!(done.stdout.ends_with("1 files fetched\n"), "{}", done.stdout);
    assert_eq!(sandbox.files(), ["config.json"]);
    // What can't be done is the program's to tell as well.
    let done = ended(&sandbox, &example, &["acme/none", &root, "*"]).await;
    assert_eq!((done.code, done.stderr.as_str()), (5, ""), "{}", done.stdout);
    assert!(done.stdout.contains("acme/none"), "{}", done.stdout);
    let done = ended(&sandbox, &example, &[MODEL, &root, ""]).await;
    assert_eq!(done.code, 2, "{}", done.stdout);
}

async fn a_program_of_ones_own_pushes_to_a_box(sandbox: Sandbox) {
    let Some(example) = example("push_to_box") else { return };
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
    let root = sandbox.root().display().to_string();
    let ssh = sandbox.host.as_ref().unwrap().command();
    let done = ended(&sandbox, &example, &[MODEL, &ssh, &root, "600"]).await;
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{}", done.stdout);
    assert!(done.stdout.contains(": an agent has "), "{}", done.stdout);
    assert!(done.stdout.ends_with(": 1 files fetched\n"), "{}", done.stdout);
    assert_eq!(sandbox.read("config.json").unwrap(), b"{}");
}

here! {
    a_program_of_ones_own_syncs_a_selection,
}

on_boxes! {
    a_program_of_ones_own_pushes_to_a_box,
}
