//! The token stays where it is.

use std::path::Path;

use hfdown_tests::hub::{Content, Gate, HubOrigin, When, XET_TOKEN};
use hfdown_tests::processes;
use hfdown_tests::sandbox::{Sandbox, ended};

use crate::xet::weights;

const TOKEN: &str = "hf_verySecretTokenOfTheTests";
const MODEL: &str = "acme/gated";
const FILE: &str = "model.safetensors";

/// An agent that keeps a copy of all it hears and says, started in the real one's place.
fn tapped_agent(sandbox: &Sandbox) -> std::path::PathBuf {
    let path = sandbox.scratch().join("tapped-agent");
    let real = env!("CARGO_BIN_EXE_hfdown-agent-tested");
    let taps = sandbox.scratch().display();
    let script = format!("#!/bin/sh\ntee {taps}/heard | {real} \"$@\" | tee {taps}/said\n");
    std::fs::write(&path, script).unwrap();
    path
}

/// What no token may be part of.
fn assert_free_of_tokens(bytes: &[u8], what: &str) {
    let text = String::from_utf8_lossy(bytes);
    for token in [TOKEN, XET_TOKEN] {
        assert!(!text.contains(token), "{what} has {token}");
    }
}

/// The same of all files below a folder.
fn assert_folder_is_free_of_tokens(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => assert_folder_is_free_of_tokens(&entry.path()),
            kind if kind.is_file() => {
                let bytes = std::fs::read(entry.path()).unwrap_or_default();
                assert_free_of_tokens(&bytes, &entry.path().display().to_string());
            }
            _ => {}
        }
    }
}

async fn a_gated_model_arrives_and_the_token_stays_at_home(sandbox: Sandbox) {
    let content = Content::random(3, 12_000_000);
    let draft = sandbox.hub.model(MODEL).file("config.json", "{}").lfs(FILE, content.clone());
    draft.gated(Gate::Auto, TOKEN).commit();
    arrives_and_tokens_stay_at_home(sandbox, &content, When::file(FILE).at(HubOrigin::Cdn)).await;
}

async fn a_model_out_of_the_xet_store_arrives_and_both_tokens_stay_at_home(sandbox: Sandbox) {
    let content = Content::from(weights(3, 12_000_000));
    let draft = sandbox.hub.model(MODEL).file("config.json", "{}").in_xet(FILE, content.clone());
    draft.private(TOKEN).commit();
    arrives_and_tokens_stay_at_home(sandbox, &content, When::path("/xorbs/")).await;
}

async fn arrives_and_tokens_stay_at_home(sandbox: Sandbox, content: &Content, when: When) {
    let stall = sandbox.hub.stall(1_000_000, when.first(1));
    let mut command = sandbox.syncing(MODEL, &["--verbose"]);
    command.env("HF_TOKEN", TOKEN).env("HFDOWN_AGENT_X86_64", tapped_agent(&sandbox));
    let child = command.spawn().unwrap();
    stall.reached().await;

    // In mid-transfer: whatever runs on the box is looked at from outside.
    let controller = child.id().unwrap();
    if let Some(host) = &sandbox.host {
        let home = host.home().display().to_string();
        let theirs: Vec<_> = processes::all()
            .into_iter()
            .filter(|process| process.pid != controller && process.pid != std::process::id())
            .map(|process| (process.arguments(), process.environment()))
            .filter(|(arguments, environment)| {
                environment.iter().any(|variable| variable.contains(&home))
                    || arguments.iter().any(|word| word == "serve")
            })
            .collect();
        assert!(
            theirs.iter().any(|(arguments, _)| arguments.iter().any(|word| word == "serve")),
            "an agent runs"
        );
        for (arguments, environment) in theirs {
            for text in arguments.iter().chain(&environment) {
                assert_free_of_tokens(text.as_bytes(), "a process on the box");
            }
        }
    }
    stall.release();
    let ended = ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|read| read == content.to_vec()));
    assert_free_of_tokens(ended.stderr.as_bytes(), "stderr");
    assert_free_of_tokens(ended.stdout.as_bytes(), "stdout");
    assert_folder_is_free_of_tokens(&sandbox.root());

    if let Some(host) = &sandbox.host {
        assert_folder_is_free_of_tokens(host.home());
        for tap in ["heard", "said"] {
            let bytes = std::fs::read(sandbox.scratch().join(tap)).unwrap();
            assert!(bytes.len() > 100, "the tap `{tap}` recorded the conversation");
            assert_free_of_tokens(&bytes, &format!("what was {tap}"));
        }
    }
    let requests = sandbox.hub.requests();
    assert!(requests.iter().any(|request| request.origin == HubOrigin::Hub && request.authorized()));
    assert!(requests.iter().filter(|request| request.origin == HubOrigin::Cdn).count() > 0);
    assert!(!requests.iter().any(|request| request.origin == HubOrigin::Cdn && request.authorized()));
}

async fn a_private_repository_works_down_to_its_small_files(sandbox: Sandbox) {
    let config = vec![b'x'; 700_000];
    sandbox
        .hub
        .model("acme/private")
        .file("config.json", config.clone())
        .file("tokenizer.json", vec![b'y'; 2_500_000])
        .lfs(FILE, Content::random(4, 6_000_000))
        .private(TOKEN)
        .commit();
    let mut command = sandbox.syncing("acme/private", &[]);
    command.env("HF_TOKEN", TOKEN);
    let ended = ended(command.spawn().unwrap()).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.read("config.json").unwrap(), config);
    assert_eq!(sandbox.read("tokenizer.json").unwrap(), vec![b'y'; 2_500_000]);
    assert_eq!(sandbox.read(FILE).unwrap(), Content::random(4, 6_000_000).to_vec());
    assert!(
        !sandbox
            .hub
            .requests()
            .iter()
            .any(|request| request.origin == HubOrigin::Cdn && request.authorized())
    );
}

everywhere! {
    a_gated_model_arrives_and_the_token_stays_at_home,
    a_model_out_of_the_xet_store_arrives_and_both_tokens_stay_at_home,
    a_private_repository_works_down_to_its_small_files,
}
