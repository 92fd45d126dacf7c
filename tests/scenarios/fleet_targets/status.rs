//! `hfdown status`: what is there of what should be. No file is read, nothing is changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use hfdown_tests::hub::{Content, HubOrigin, When};
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, ended, run};
use hfdown_tests::ssh_host::SshHost;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::places::HFDOWN;

const MODEL: &str = "acme/tiny";
const FILE: &str = "model.safetensors";
const SIZE: u64 = 3_000_000;
const STOP: u64 = 1_000_000;

fn publish(sandbox: &Sandbox, seed: u64) {
    let draft = sandbox.hub.model(MODEL).file("config.json", "{}");
    draft.lfs(FILE, Content::random(seed, SIZE)).commit();
}

/// The state that is told of the destination, with the object that says so.
async fn status(sandbox: &Sandbox, model: &[&str], more: &[&str]) -> (i32, serde_json::Value) {
    let root = sandbox.root();
    let ssh = sandbox.host.as_ref().map(SshHost::command);
    let place = ssh.as_deref().into_iter().chain(root.to_str());
    let words = ["status"].into_iter().chain(model.iter().copied()).chain(place).chain(more.iter().copied());
    let Ended { code, stdout, stderr } = run(sandbox.hfdown(words.chain(["--json"]))).await;
    let mut objects = stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let told = objects.rfind(|object| object["type"] == "status");
    (code, told.unwrap_or_else(|| panic!("{code}: {stdout}{stderr}")))
}

/// Everything below a folder: when it changed, and what is in it. But for the agent, which notes when it was last used.
fn seen(folder: &Path) -> BTreeMap<String, (SystemTime, Vec<u8>)> {
    let mut seen = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, metadata) = (entry.path(), entry.metadata().unwrap());
            if entry.file_name().to_string_lossy().starts_with("agent-") {
                continue;
            }
            let content = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            seen.insert(path.display().to_string(), (metadata.modified().unwrap(), content));
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    seen
}

async fn every_state_is_told_and_nothing_is_changed(sandbox: Sandbox) {
    publish(&sandbox, 1);
    let (code, told) = status(&sandbox, &[MODEL], &[]).await;
    assert_eq!((code, &told["state"], &told["files"]), (3, &"absent".into(), &0.into()), "{told}");
    assert_eq!(status(&sandbox, &[], &[]).await.1["state"], "absent");
    assert!(!sandbox.root().exists());

    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let asked = sandbox.hub.requests().len();
    for (model, more) in [(&[MODEL][..], &[][..]), (&[], &[]), (&[], &["--model", MODEL])] {
        let (code, told) = status(&sandbox, model, more).await;
        assert_eq!((code, &told["state"]), (0, &"complete".into()), "{model:?} {more:?}: {told}");
        assert_eq!((&told["files"], &told["by_size"]), (&2.into(), &0.into()), "{told}");
    }
    assert!(sandbox.hub.requests()[asked..].iter().all(|request| !request.path.contains("/resolve/")));

    // What looks otherwise than it was proved is not believed, and not read.
    let (before, home) = (seen(&sandbox.root()), sandbox.host.as_ref().map(|host| seen(host.home())));
    let file = sandbox.root().join(FILE);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole).unwrap();
    let changed = seen(&sandbox.root());
    let (code, told) = status(&sandbox, &[MODEL], &[]).await;
    assert_eq!((code, &told["state"], &told["files"]), (3, &"partial".into(), &1.into()), "{told}");
    fs::remove_file(&file).unwrap();
    let removed = seen(&sandbox.root());
    let (code, told) = status(&sandbox, &[MODEL], &[]).await;
    assert_eq!((code, &told["state"], &told["bytes"]), (3, &"partial".into(), &2.into()), "{told}");
    assert_eq!(status(&sandbox, &[], &[]).await.1["state"], "partial");
    assert_eq!(removed, seen(&sandbox.root()));
    assert!(before.keys().eq(changed.keys()));
    assert_eq!(home, sandbox.host.as_ref().map(|host| seen(host.home())));

    // The Hub goes on; the record does not know.
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    publish(&sandbox, 2);
    let (code, told) = status(&sandbox, &[MODEL], &[]).await;
    assert_eq!((code, &told["state"]), (3, &"other_commit".into()), "{told}");
    assert_eq!(status(&sandbox, &[], &[]).await.0, 0);
}

/// As `hf` leaves it: the sizes are right, and nothing is on record.
async fn what_is_on_no_record_is_compared_by_size_and_told_so(sandbox: Sandbox) {
    publish(&sandbox, 1);
    fs::create_dir_all(sandbox.root()).unwrap();
    fs::write(sandbox.root().join("config.json"), "{}").unwrap();
    fs::write(sandbox.root().join(FILE), vec![0; usize::try_from(SIZE).unwrap()]).unwrap();
    let before = seen(&sandbox.root());
    let (code, told) = status(&sandbox, &[MODEL], &[]).await;
    assert_eq!((code, &told["state"], &told["by_size"]), (0, &"complete".into(), &2.into()), "{told}");
    assert_eq!(before, seen(&sandbox.root()));
    assert_eq!(status(&sandbox, &[], &[]).await.1["state"], "absent");
}

async fn a_detached_transfer_is_seen_and_not_disturbed(sandbox: Sandbox) {
    publish(&sandbox, 1);
    let stall = sandbox.hub.stall(STOP, When::file(FILE).at(HubOrigin::Cdn));
    assert_eq!(sandbox.sync(MODEL, &["--detach"]).await.code, 0);
    stall.reached().await;
    let (root, ssh) = (sandbox.root(), sandbox.host.as_ref().map(SshHost::command).unwrap());
    let mut watching = sandbox.hfdown(["attach", &ssh, root.to_str().unwrap(), "--json"]).spawn().unwrap();
    let mut said = BufReader::new(watching.stdout.take().unwrap()).lines();
    while !said.next_line().await.unwrap().unwrap().contains(r#""type":"joined""#) {}
    for model in [&[MODEL][..], &[]] {
        let (code, told) = status(&sandbox, model, &[]).await;
        assert_eq!((code, &told["state"]), (3, &"running".into()), "{told}");
        assert_eq!((&told["of_files"], &told["of_bytes"]), (&2.into(), &(SIZE + 2).into()), "{told}");
    }
    stall.release();
    while said.next_line().await.unwrap().is_some() {}
    let Ended { code, stderr, .. } = ended(watching).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(status(&sandbox, &[MODEL], &[]).await.0, 0);
}

#[tokio::test]
async fn of_a_fleet_each_target_is_told_and_one_code() {
    let Some(sandbox) = Sandbox::start(DestinationKind::InProcess, HFDOWN).await else { return };
    publish(&sandbox, 1);
    let ssh = sandbox.host.as_ref().map(SshHost::command).unwrap();
    let folder = |name: &str| sandbox.scratch().join(name).display().to_string();
    let push = async |folder: &str| run(sandbox.hfdown(["push", MODEL, &ssh, folder])).await.code;
    assert_eq!((push(&folder("a")).await, push(&folder("b")).await), (0, 0));
    let hosts = sandbox.scratch().join("hosts.txt");
    let told = async |lines: &str, words: &[&str]| {
        fs::write(&hosts, lines).unwrap();
        let named = ["--hosts", hosts.to_str().unwrap(), "--json"];
        let words = ["status"].iter().chain(words).chain(&named);
        let Ended { code, stdout, stderr } = run(sandbox.hfdown(words)).await;
        let objects = stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let states = objects.filter(|object| object["type"] == "status");
        let mut states: Vec<String> = states
            .map(|object| {
                format!("{} {}", object["box"].as_str().unwrap(), object["state"].as_str().unwrap())
            })
            .collect();
        states.sort();
        (code, states, format!("{stdout}{stderr}"))
    };
    let both = format!("one = {ssh} -> {}\ntwo = {ssh} -> {}\n", folder("a"), folder("b"));
    let (code, states, said) = told(&both, &[MODEL]).await;
    assert_eq!((code, states.join(", ").as_str()), (0, "one complete, two complete"), "{said}");

    // Of three, one has another commit; and one is not there.
    publish(&sandbox, 2);
    assert_eq!(push(&folder("c")).await, 0);
    let three = format!("{both}three = {ssh} -> {}\n", folder("c"));
    let (code, states, said) = told(&three, &[]).await;
    let expected = "one complete, three other_commit, two complete";
    assert_eq!((code, states.join(", ").as_str()), (3, expected), "{said}");
    assert!(said.contains("\"done\":2") && said.contains("three: another commit"), "{said}");
    let (code, states, said) = told(&three, &[MODEL]).await;
    let expected = "one other_commit, three complete, two other_commit";
    assert_eq!((code, states.join(", ").as_str()), (3, expected), "{said}");
    let gone = format!("{both}gone = root@127.0.0.1:9\n");
    let (code, states, said) = told(&gone, &["--wait", "0", "/nowhere"]).await;
    assert_eq!((code, states.len()), (3, 2), "{said}");
    let (code, ..) = told("gone = root@127.0.0.1:9\n", &["--wait", "0", "/nowhere"]).await;
    assert_eq!(code, 6);
}

#[tokio::test]
async fn what_is_missing_is_asked_for() {
    let Some(sandbox) = Sandbox::start(DestinationKind::Here, HFDOWN).await else { return };
    for (words, part) in [
        (&["status"][..], "DIR is missing"),
        (&["status", "ssh root@h"], "DIR is missing"),
        (&["status", "--cache"], "MODEL is missing"),
        (&["status", "root@h", "--cache"], "MODEL is missing"),
    ] {
        let Ended { code, stderr, .. } = run(sandbox.hfdown(words)).await;
        assert_eq!(code, 2, "{words:?}: {stderr}");
        assert!(stderr.contains(part), "{words:?}: {stderr}");
    }
}

async fn a_snapshot_in_the_hub_cache_has_a_state(sandbox: Sandbox) {
    publish(&sandbox, 1);
    let cache = sandbox.scratch().join("cache").display().to_string();
    let ssh = sandbox.host.as_ref().map(SshHost::command);
    let told = async || {
        let words =
            ["status", MODEL].into_iter().chain(ssh.as_deref()).chain(["--cache-dir", &cache, "--json"]);
        let Ended { code, stdout, stderr } = run(sandbox.hfdown(words)).await;
        let mut objects = stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let told = objects.rfind(|object| object["type"] == "status");
        (code, told.unwrap_or_else(|| panic!("{stdout}{stderr}"))["state"].clone())
    };
    assert_eq!(told().await, (3, "absent".into()));
    let words = match &ssh {
        Some(ssh) => vec!["push", MODEL, ssh, "--cache-dir", &cache],
        None => vec!["download", MODEL, "--cache-dir", &cache],
    };
    let Ended { code, stderr, .. } = run(sandbox.hfdown(words)).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(told().await, (0, "complete".into()));
}

everywhere! {
    every_state_is_told_and_nothing_is_changed,
}
here_and_on_a_box! {
    what_is_on_no_record_is_compared_by_size_and_told_so,
    a_snapshot_in_the_hub_cache_has_a_state,
}
on_boxes! {
    a_detached_transfer_is_seen_and_not_disturbed,
}
