//! Hubs whose operator means no good, and boxes that would be told what they read.

use hfdown_tests::hub::{Content, HubFault, HubOrigin, When};
use hfdown_tests::sandbox::{Sandbox, run};

use axum::response::Response;

use crate::stranger::Stranger;

const TOKEN: &str = "hf_verySecretTokenOfTheTests";
const MODEL: &str = "acme/private";
const SMALL: &str = "config.json";
const LARGE: &str = "model.safetensors";
const RIGHT: &[u8] = b"the right bytes of a small file";
/// What a box must not hear: an answer of the user's own network.
const SECRET: &str = "the passwords of the user's router";

/// An agent that keeps a copy of all that it hears, started in the real one's place.
fn tapped_agent(sandbox: &Sandbox) -> std::path::PathBuf {
    let path = sandbox.scratch().join("tapped-agent");
    let real = env!("CARGO_BIN_EXE_hfdown-agent-tested");
    let tap = sandbox.scratch().join("heard");
    std::fs::write(&path, format!("#!/bin/sh\ntee '{}' | {real} \"$@\"\n", tap.display())).unwrap();
    path
}

fn publish(sandbox: &Sandbox) {
    let model = sandbox.hub.model(MODEL).file(SMALL, RIGHT).lfs(LARGE, Content::random(3, 1_000_000));
    model.private(TOKEN).commit();
}

async fn sync(sandbox: &Sandbox) -> hfdown_tests::sandbox::Ended {
    let mut command = sandbox.syncing(MODEL, &["--verbose"]);
    command.env("HF_TOKEN", TOKEN).env("HFDOWN_AGENT_X86_64", tapped_agent(sandbox));
    run(command).await
}

/// Whether a box has heard this. An agent of this process is no box.
fn heard(sandbox: &Sandbox, text: &[u8]) -> bool {
    let Some(_) = &sandbox.host else { return false };
    let bytes = std::fs::read(sandbox.scratch().join("heard")).unwrap();
    assert!(bytes.len() > 100, "the tap recorded the conversation");
    bytes.windows(text.len()).any(|window| window == text)
}

async fn what_a_small_file_is_redirected_to_is_not_read(sandbox: Sandbox) {
    publish(&sandbox);
    let stranger = Stranger::start(|_| Response::new(SECRET.into())).await;
    let target = format!("{}/admin", stranger.endpoint);
    let when = When::file(SMALL).at(HubOrigin::Hub).method("GET");
    let armed = sandbox.hub.fault(HubFault::RedirectTo(target), when);
    let ended = sync(&sandbox).await;
    assert_eq!((ended.code, armed.times_struck()), (3, 1), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("leads to {}", stranger.endpoint)), "{}", ended.stderr);
    assert_eq!(stranger.asked(), []);
    assert!(!heard(&sandbox, SECRET.as_bytes()));
    assert_eq!(sandbox.files(), [LARGE]);
}

async fn wrong_bytes_of_a_small_file_stay_here(sandbox: Sandbox) {
    publish(&sandbox);
    let wrong = [&[RIGHT[0] ^ 0xff], &RIGHT[1..]].concat();
    let small = When::file(SMALL).at(HubOrigin::Hub);
    let armed = sandbox.hub.fault(HubFault::WrongBytes { at: 0 }, small.clone());
    let ended = sync(&sandbox).await;
    assert_eq!((ended.code, armed.times_struck()), (7, 2), "{}", ended.stderr);
    assert!(ended.stderr.contains("where the Hub lists"), "{}", ended.stderr);
    assert!(!heard(&sandbox, &wrong[1..]));
    assert_eq!(sandbox.files(), [LARGE]);
    armed.lift();

    let once = sandbox.hub.fault(HubFault::WrongBytes { at: 0 }, small.first(1));
    let ended = sync(&sandbox).await;
    assert_eq!((ended.code, once.times_struck()), (0, 1), "{}", ended.stderr);
    assert_eq!(sandbox.read(SMALL).as_deref(), Some(RIGHT));
    assert!(!heard(&sandbox, &wrong));
}

everywhere! {
    what_a_small_file_is_redirected_to_is_not_read,
    wrong_bytes_of_a_small_file_stay_here,
}
