//! `--no-trace`: a box is left as it was found, but for the model.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hfdown::link::AgentImage;
use hfdown_tests::hub::{Content, Origin, When};
use hfdown_tests::processes;
use hfdown_tests::proxy::free_port;
use hfdown_tests::ssh_host::{HostOptions, SshHost};
use hfdown_tests::stage::{Place, Stage, ended, run};

const MODEL: &str = "acme/model";
const FILE: &str = "model.safetensors";
const SIZE: u64 = 20_000_000;
const NO_TRACE: &str = "--no-trace";

fn publish(stage: &Stage) {
    stage.hub.model(MODEL).file("sub/config.json", "{}").lfs(FILE, Content::random(5, SIZE)).commit();
}

fn host(stage: &Stage) -> &SshHost {
    stage.host.as_ref().unwrap()
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
fn assert_only_the_model(stage: &Stage) {
    let root = stage.root();
    let model = [FILE, "sub", "sub/config.json"].map(|name| root.join(name));
    assert_eq!(everything(&root), BTreeSet::from(model));
    assert!(stage.read(FILE).is_some_and(|bytes| bytes == Content::random(5, SIZE).to_vec()));
}

async fn sync(stage: &Stage, more: &[&str]) -> String {
    let ended = stage.sync(MODEL, more).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    ended.stderr
}

pub(crate) async fn a_box_is_left_as_it_was(stage: Stage) {
    publish(&stage);
    let home = host(&stage).home();
    let before = everything(home);
    let said = sync(&stage, &[NO_TRACE]).await;
    assert!(!said.contains("warning"), "{said}");
    assert_only_the_model(&stage);
    assert_eq!(everything(home), before);
    // Nothing remembers what was proved, so it is read, and found right.
    let sent = stage.hub.bytes_sent(Origin::Cdn);
    sync(&stage, &[NO_TRACE, "--dry-run"]).await;
    sync(&stage, &[NO_TRACE]).await;
    assert_eq!(stage.hub.bytes_sent(Origin::Cdn), sent);
    assert_only_the_model(&stage);
    assert_eq!(everything(home), before);
}

pub(crate) async fn what_earlier_runs_left_goes_as_well(stage: Stage) {
    publish(&stage);
    let home = host(&stage).home();
    std::fs::create_dir(home.join(".cache")).unwrap();
    let before = everything(home);
    sync(&stage, &[]).await;
    assert!(stage.root().join(".cache/hfdown/records").exists());
    assert_eq!(everything(home).len(), before.len() + 2, "an agent and its folder");
    let other = home.join(".cache/hfdown/agent-0000000000000000");
    std::fs::write(&other, "").unwrap();
    sync(&stage, &[NO_TRACE]).await;
    assert!(!stage.root().join(".cache/hfdown").exists());
    // `hf` may have written these.
    assert!(stage.root().join(".cache/huggingface").exists());
    let stays = BTreeSet::from([home.join(".cache/hfdown"), other.clone()]);
    assert_eq!(everything(home).difference(&before).cloned().collect::<BTreeSet<_>>(), stays);
    std::fs::remove_file(other).unwrap();
    sync(&stage, &[NO_TRACE]).await;
    assert_eq!(everything(home), before);
}

pub(crate) async fn a_run_that_is_cut_off_leaves_its_parts_and_says_so(stage: Stage) {
    publish(&stage);
    let home = host(&stage).home();
    let before = everything(home);
    for end in [processes::interrupt as fn(u32), processes::kill] {
        let stall = stage.hub.stall(1_500_000, When::file(FILE).at(Origin::Cdn));
        let child = stage.syncing(MODEL, &[NO_TRACE]).spawn().unwrap();
        stall.reached_by(4).await;
        assert_eq!(host(&stage).agent_pids().len(), 1);
        while everything(home) != before {
            // The agent runs, and its file goes.
            tokio::task::yield_now().await;
        }
        end(child.id().unwrap());
        let ended = ended(child).await;
        if ended.code == 130 {
            let said = format!("stays in {}/.cache/hfdown on the box", stage.root().display());
            assert!(ended.stderr.contains(&said), "{}", ended.stderr);
        }
        while !host(&stage).agent_pids().is_empty() {
            tokio::task::yield_now().await;
        }
        stall.release();
        assert!(stage.claimed() > 0, "there is something to go on from");
        assert_eq!(everything(home), before);
    }
    sync(&stage, &[NO_TRACE]).await;
    assert_only_the_model(&stage);
    let sent = stage.hub.bytes_sent(Origin::Cdn);
    assert!(sent < 2 * SIZE, "it was gone on from: {sent} bytes were sent for {SIZE}");
    assert_eq!(everything(home), before);
}

pub(crate) async fn whoever_never_reached_the_box_speaks_of_no_parts_there(stage: Stage) {
    publish(&stage);
    let ended = run(stage.syncing_via(free_port(), MODEL, &[NO_TRACE, "--wait", "0"])).await;
    assert_eq!(ended.code, 6, "{}", ended.stderr);
    assert!(!ended.stderr.contains("on the box"), "{}", ended.stderr);
}

pub(crate) async fn nothing_stays_in_folders_outside_of_home_either(stage: Stage) {
    publish(&stage);
    let Some(agent) = stage.own_agent() else { return };
    let name = AgentImage::read(&agent).unwrap().file_name();
    // A file where the folder should be.
    std::fs::write(host(&stage).home().join(".cache"), "").unwrap();
    let stall = stage.hub.stall(1_500_000, When::file(FILE).at(Origin::Cdn));
    let mut command = stage.syncing(MODEL, &[NO_TRACE]);
    let child = command.env("HFDOWN_AGENT_X86_64", &agent).spawn().unwrap();
    stall.reached().await;
    let runs = processes::Process { pid: host(&stage).agent_pids()[0] }.arguments()[0].clone();
    assert!(["/dev/shm/", "/tmp/"].iter().any(|folder| runs.starts_with(folder)), "{runs}");
    assert!(runs.ends_with(&name), "{runs}");
    stall.release();
    let ended = ended(child).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(!Path::new(&runs).exists());
    assert_only_the_model(&stage);
}

async fn a_hijacked_box(channels: Option<u32>) {
    let shell = Some(PathBuf::from("/bin/bash"));
    let bashrc = Some("[ -e ~/.no_auto_tmux ] || { echo no sessions; exit 1; }".to_owned());
    let options = HostOptions { shell, bashrc, channels, ..HostOptions::default() };
    let Some(stage) = Stage::set_with(Place::Sshd, crate::HFDOWN, options).await else { return };
    publish(&stage);
    let home = host(&stage).home();
    let before = everything(home);
    let said = sync(&stage, &[NO_TRACE]).await;
    let words = "placed ~/.no_auto_tmux there by sftp, and removed it again";
    assert!(said.contains(words), "{said}");
    assert_only_the_model(&stage);
    assert_eq!(everything(home), before);
    let said = sync(&stage, &[]).await;
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
