//! `--no-trace`: a box is left as it was found, but for the model.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hfdown::link::AgentImage;
use hfdown_tests::hub::{Content, HubOrigin, When};
use hfdown_tests::processes;
use hfdown_tests::proxy::free_port;
use hfdown_tests::sandbox::{DestinationKind, Sandbox, ended, run};
use hfdown_tests::ssh_host::{HostOptions, SshHost};

const MODEL: &str = "acme/model";
const FILE: &str = "model.safetensors";
const SIZE: u64 = 20_000_000;
const NO_TRACE: &str = "--no-trace";

fn publish(sandbox: &Sandbox) {
    sandbox.hub.model(MODEL).file("sub/config.json", "{}").lfs(FILE, Content::random(5, SIZE)).commit();
}

fn host(sandbox: &Sandbox) -> &SshHost {
    sandbox.host.as_ref().unwrap()
}

/// Every file and folder below a folder.
fn everything(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
            found.insert(entry.path());
        }
    }
    found
}

/// The destination has the model and nothing else.
fn assert_only_the_model(sandbox: &Sandbox) {
    let root = sandbox.root();
    let model = [FILE, "sub", "sub/config.json"].map(|name| root.join(name));
    assert_eq!(everything(&root), BTreeSet::from(model));
    assert!(sandbox.read(FILE).is_some_and(|bytes| bytes == Content::random(5, SIZE).to_vec()));
}

async fn sync(sandbox: &Sandbox, more: &[&str]) -> String {
    let ended = sandbox.sync(MODEL, more).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    ended.stderr
}

async fn a_box_is_left_as_it_was(sandbox: Sandbox) {
    publish(&sandbox);
    let home = host(&sandbox).home();
    let before = everything(home);
    let said = sync(&sandbox, &[NO_TRACE]).await;
    assert!(!said.contains("warning"), "{said}");
    assert_only_the_model(&sandbox);
    assert_eq!(everything(home), before);
    // Nothing remembers what was proved, so it is read, and found right.
    let sent = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    sync(&sandbox, &[NO_TRACE, "--dry-run"]).await;
    sync(&sandbox, &[NO_TRACE]).await;
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), sent);
    assert_only_the_model(&sandbox);
    assert_eq!(everything(home), before);
}

async fn what_earlier_runs_left_goes_as_well(sandbox: Sandbox) {
    publish(&sandbox);
    let home = host(&sandbox).home();
    std::fs::create_dir(home.join(".cache")).unwrap();
    let before = everything(home);
    sync(&sandbox, &[]).await;
    assert!(sandbox.root().join(".cache/hfdown/records").exists());
    assert_eq!(everything(home).len(), before.len() + 2, "an agent and its folder");
    let other = home.join(".cache/hfdown/agent-0000000000000000");
    std::fs::write(&other, "").unwrap();
    sync(&sandbox, &[NO_TRACE]).await;
    assert!(!sandbox.root().join(".cache/hfdown").exists());
    // `hf` may have written these.
    assert!(sandbox.root().join(".cache/huggingface").exists());
    let stays = BTreeSet::from([home.join(".cache/hfdown"), other.clone()]);
    assert_eq!(everything(home).difference(&before).cloned().collect::<BTreeSet<_>>(), stays);
    std::fs::remove_file(other).unwrap();
    sync(&sandbox, &[NO_TRACE]).await;
    assert_eq!(everything(home), before);
}

async fn a_run_that_is_cut_off_leaves_its_parts_and_says_so(sandbox: Sandbox) {
    publish(&sandbox);
    let home = host(&sandbox).home();
    let before = everything(home);
    for end in [processes::interrupt as fn(u32), processes::kill] {
        let stall = sandbox.hub.stall(1_500_000, When::file(FILE).at(HubOrigin::Cdn));
        let child = sandbox.syncing(MODEL, &[NO_TRACE]).spawn().unwrap();
        stall.reached_by(4).await;
        assert_eq!(host(&sandbox).agent_pids().len(), 1);
        while everything(home) != before {
            // The agent runs, and its file goes.
            tokio::task::yield_now().await;
        }
        end(child.id().unwrap());
        let ended = ended(child).await;
        if ended.code == 130 {
            let said = format!("stays in {}/.cache/hfdown on the box", sandbox.root().display());
            assert!(ended.stderr.contains(&said), "{}", ended.stderr);
        }
        while !host(&sandbox).agent_pids().is_empty() {
            tokio::task::yield_now().await;
        }
        stall.release();
        assert!(sandbox.claimed() > 0, "there is something to go on from");
        assert_eq!(everything(home), before);
    }
    sync(&sandbox, &[NO_TRACE]).await;
    assert_only_the_model(&sandbox);
    let sent = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    assert!(sent < 2 * SIZE, "it was gone on from: {sent} bytes were sent for {SIZE}");
    assert_eq!(everything(home), before);
}

async fn a_run_that_never_reached_the_box_speaks_of_no_parts_there(sandbox: Sandbox) {
    publish(&sandbox);
    let ended = run(sandbox.syncing_via(free_port(), MODEL, &[NO_TRACE, "--wait", "0"])).await;
    assert_eq!(ended.code, 6, "{}", ended.stderr);
    assert!(!ended.stderr.contains("on the box"), "{}", ended.stderr);
}

async fn nothing_stays_in_folders_outside_of_home_either(sandbox: Sandbox) {
    publish(&sandbox);
    let Some(agent) = sandbox.own_agent() else { return };
    let name = AgentImage::read(&agent).unwrap().file_name();
    // A file where the folder should be.
    std::fs::write(host(&sandbox).home().join(".cache"), "").unwrap();
    let stall = sandbox.hub.stall(1_500_000, When::file(FILE).at(HubOrigin::Cdn));
    let mut command = sandbox.syncing(MODEL, &[NO_TRACE]);
    let child = command.env("HFDOWN_AGENT_X86_64", &agent).spawn().unwrap();
    stall.reached().await;
    let runs = processes::Process { pid: host(&sandbox).agent_pids()[0] }.arguments()[0].clone();
    assert!(["/dev/shm/", "/tmp/"].iter().any(|folder| runs.starts_with(folder)), "{runs}");
    assert!(runs.ends_with(&name), "{runs}");
    stall.release();
    let ended = ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(!Path::new(&runs).exists());
    assert_only_the_model(&sandbox);
}

async fn a_hijacked_box(channels: Option<u32>) {
    let shell = Some(PathBuf::from("/bin/bash"));
    let bashrc = Some("[ -e ~/.no_auto_tmux ] || { echo no sessions; exit 1; }".to_owned());
    let options = HostOptions { shell, bashrc, channels, ..HostOptions::default() };
    let Some(sandbox) = Sandbox::start_with(DestinationKind::Sshd, crate::places::HFDOWN, options).await
    else {
        return;
    };
    publish(&sandbox);
    let home = host(&sandbox).home();
    let before = everything(home);
    let said = sync(&sandbox, &[NO_TRACE]).await;
    let words = "placed ~/.no_auto_tmux there by sftp, and removed it again";
    assert!(said.contains(words), "{said}");
    assert_only_the_model(&sandbox);
    assert_eq!(everything(home), before);
    let said = sync(&sandbox, &[]).await;
    assert!(said.contains("placed ~/.no_auto_tmux there by sftp\n"), "{said}");
    assert!(home.join(".no_auto_tmux").exists());
}

#[tokio::test]
async fn a_file_that_had_to_be_placed_goes_again() {
    a_hijacked_box(None).await;
}

/// Nothing can be removed while the agent runs, so it is done afterwards.
#[tokio::test]
async fn a_server_that_allows_one_channel_is_swept_at_the_end() {
    a_hijacked_box(Some(1)).await;
}

on_boxes! {
    a_box_is_left_as_it_was,
    what_earlier_runs_left_goes_as_well,
    a_run_that_is_cut_off_leaves_its_parts_and_says_so,
    a_run_that_never_reached_the_box_speaks_of_no_parts_there,
    nothing_stays_in_folders_outside_of_home_either,
}
