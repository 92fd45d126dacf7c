//! Transfers that go on when the laptop's lid is closed.

use hfdown_tests::hub::{Content, HubOrigin, StallHandle, When};
use hfdown_tests::processes::{self, Process};
use hfdown_tests::sandbox::{Ended, Sandbox, ended, run};
use hfdown_tests::ssh_host::SshHost;
use tokio::process::Command;

use super::lost::until_it_says;

pub(super) const MODEL: &str = "acme/large";
pub(super) const FILE: &str = "model.safetensors";
pub(super) const SIZE: u64 = 40_000_000;
/// Where each of the first connections stops.
pub(super) const STOP: u64 = 3_000_000;
pub(super) const TOKEN: &str = "hf_verySecretTokenOfTheTests";

pub(crate) fn host(sandbox: &Sandbox) -> &SshHost {
    sandbox.host.as_ref().unwrap()
}

/// `hfdown attach` or `hfdown stop`.
pub(crate) fn visiting(sandbox: &Sandbox, verb: &str, more: &[&str]) -> Command {
    let (root, ssh) = (sandbox.root(), host(sandbox).command());
    sandbox.hfdown([verb, &ssh, root.to_str().unwrap()].iter().chain(more))
}

pub(super) fn public(sandbox: &Sandbox) -> StallHandle {
    sandbox.hub.token(TOKEN);
    sandbox.hub.model(MODEL).file("config.json", "{}").lfs(FILE, Content::random(7, SIZE)).commit();
    sandbox.hub.stall(STOP, When::file(FILE).at(HubOrigin::Cdn))
}

pub(super) fn private(sandbox: &Sandbox) -> StallHandle {
    let draft = sandbox.hub.model(MODEL).file("config.json", vec![b'x'; 700_000]);
    draft.lfs(FILE, Content::random(7, SIZE)).private(TOKEN).commit();
    sandbox.hub.stall(STOP, When::file(FILE).at(HubOrigin::Cdn))
}

/// Detaches, and finds the one agent that is left.
pub(super) async fn detached(sandbox: &Sandbox, more: &[&str]) -> Process {
    let mut command = sandbox.syncing(MODEL, &[&["--detach"], more].concat());
    command.env("HF_TOKEN", TOKEN);
    let Ended { code, stderr, .. } = run(command).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("detached: the box goes on by itself with 2 files"), "{stderr}");
    assert!(stderr.contains("watch it: hfdown attach 'ssh -p "), "{stderr}");
    while host(sandbox).agent_pids().len() > 1 {
        tokio::task::yield_now().await;
    }
    let pids = host(sandbox).agent_pids();
    assert_eq!(pids.len(), 1, "one agent is left");
    Process { pid: pids[0] }
}

pub(crate) async fn gone(sandbox: &Sandbox) {
    while !host(sandbox).agent_pids().is_empty() {
        tokio::task::yield_now().await;
    }
}

pub(super) fn is_whole(sandbox: &Sandbox) -> bool {
    sandbox.read(FILE).is_some_and(|bytes| bytes == Content::random(7, SIZE).to_vec())
}

/// What a private folder holds beside the agent itself.
pub(super) fn left_beside_the_agent(sandbox: &Sandbox) -> Vec<(String, Vec<u8>)> {
    let folder = host(sandbox).home().join(".cache/hfdown");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with("agent-"));
    // A socket has no content.
    files
        .map(|path| {
            let name = path.extension().unwrap_or_default().to_str().unwrap().to_owned();
            (name, std::fs::read(&path).unwrap_or_default())
        })
        .collect()
}

async fn a_detached_transfer_goes_on_and_is_watched_to_its_end(sandbox: Sandbox) {
    let stall = public(&sandbox);
    let agent = detached(&sandbox, &[]).await;
    assert!(agent.leads_a_session());
    assert!(agent.arguments().iter().any(|word| word == "host"), "{:?}", agent.arguments());
    stall.reached_by(4).await;
    let mut attach = visiting(&sandbox, "attach", &[]).spawn().unwrap();
    let said = until_it_says(&mut attach, "detached ").await;
    stall.release();
    let Ended { code, .. } = ended(attach).await;
    let said = said.await.unwrap();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("acme/large @ ") && said.contains("of 2 files placed"), "{said}");
    assert!(said.contains(": done: 2 files, 40 MB in "), "{said}");
    gone(&sandbox).await;
    assert!(is_whole(&sandbox));
}

async fn a_detached_transfer_ends_by_itself_and_leaves_word(sandbox: Sandbox) {
    let stall = public(&sandbox);
    detached(&sandbox, &[]).await;
    stall.release();
    gone(&sandbox).await;
    assert!(is_whole(&sandbox));
    let Ended { code, stdout, stderr } = run(visiting(&sandbox, "attach", &["--json"])).await;
    assert_eq!(code, 0, "{stderr}");
    let ended: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&ended["type"], &ended["conclusion"]), (&"ended".into(), &"done".into()), "{stdout}");
    assert_eq!((&ended["placed"], &ended["done"]), (&2.into(), &(SIZE + 2).into()), "{stdout}");
    let left = left_beside_the_agent(&sandbox);
    assert_eq!(left.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["record"]);
    // Stopping what has ended is no error, and other folders know nothing of it.
    assert_eq!(run(visiting(&sandbox, "stop", &[])).await.code, 0);
    let elsewhere = sandbox.hfdown(["attach", &host(&sandbox).command(), "/elsewhere"]);
    let Ended { code, stderr, .. } = run(elsewhere).await;
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("no transfer to /elsewhere was detached there"), "{stderr}");
}

async fn watching_can_be_left_and_ending_keeps_what_arrived(sandbox: Sandbox) {
    let stall = public(&sandbox);
    let agent = detached(&sandbox, &[]).await;
    stall.reached_by(4).await;
    while sandbox.claimed() < 3 * STOP {
        tokio::task::yield_now().await;
    }
    let mut attach = visiting(&sandbox, "attach", &[]).spawn().unwrap();
    let said = until_it_says(&mut attach, "detached ").await;
    processes::interrupt(attach.id().unwrap());
    assert_eq!(ended(attach).await.code, 130);
    assert!(said.await.unwrap().contains("left; the transfer goes on"));
    assert!(host(&sandbox).agent_pids().contains(&agent.pid));

    let Ended { code, stderr, .. } = run(visiting(&sandbox, "stop", &[])).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stderr.contains("cancelled: ") && stderr.contains("hint: run `hfdown rsync-to-vast` again"),
        "{stderr}"
    );
    gone(&sandbox).await;
    assert!(sandbox.read(FILE).is_none());
    let kept = sandbox.claimed();
    assert!(kept >= 3 * STOP);
    let Ended { code, stderr, .. } = run(visiting(&sandbox, "attach", &[])).await;
    assert_eq!(code, 130, "{stderr}");
    assert!(stderr.contains(": stopped "), "{stderr}");

    stall.release();
    sandbox.hub.forget_requests();
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    assert!(is_whole(&sandbox));
    assert!(sandbox.hub.bytes_sent(HubOrigin::Cdn) <= SIZE - kept);
}

async fn what_a_private_repository_needs_is_handed_over(sandbox: Sandbox) {
    let stall = private(&sandbox);
    let agent = detached(&sandbox, &[]).await;
    stall.reached_by(4).await;
    let record = left_beside_the_agent(&sandbox);
    assert!(record.iter().any(|(kind, text)| kind == "record" && !text.is_empty()));
    for (kind, text) in record {
        let text = String::from_utf8(text).unwrap();
        assert!(
            !text.contains("http") && !text.contains("ignature") && !text.contains(TOKEN),
            "{kind}: {text}"
        );
    }
    let known = agent.arguments().into_iter().chain(agent.environment());
    assert!(known.into_iter().all(|text| !text.contains(TOKEN) && !text.contains("http")));
    stall.release();
    // No client comes back.
    gone(&sandbox).await;
    assert!(is_whole(&sandbox));
    assert_eq!(sandbox.read("config.json").unwrap(), vec![b'x'; 700_000]);
}

async fn addresses_that_go_stale_are_waited_for_and_then_given_up(sandbox: Sandbox) {
    let stall = private(&sandbox);
    detached(&sandbox, &["--idle-timeout", "2"]).await;
    stall.reached_by(4).await;
    sandbox.hub.expire_signed_addresses();
    stall.release();
    gone(&sandbox).await;
    assert!(!is_whole(&sandbox) && sandbox.claimed() > 0);
    let Ended { code, stderr, .. } = run(visiting(&sandbox, "attach", &[])).await;
    assert_eq!(code, 6, "{stderr}");
    assert!(stderr.contains("the signed addresses have gone stale"), "{stderr}");
    assert!(stderr.contains("no controller came within 2 s"), "{stderr}");
    let mut again = sandbox.syncing(MODEL, &[]);
    again.env("HF_TOKEN", TOKEN);
    assert_eq!(run(again).await.code, 0);
    assert!(is_whole(&sandbox));
}

async fn addresses_that_go_stale_are_renewed_by_the_client_that_attaches(sandbox: Sandbox) {
    let stall = private(&sandbox);
    detached(&sandbox, &[]).await;
    stall.reached_by(4).await;
    sandbox.hub.expire_signed_addresses();
    stall.release();
    // A machine that did not detach it can watch, and has nothing to give.
    let elsewhere = sandbox.scratch().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let mut stranger = visiting(&sandbox, "attach", &[]);
    stranger.env("HOME", &elsewhere).env("HF_TOKEN", TOKEN);
    let mut stranger = stranger.spawn().unwrap();
    let said = until_it_says(&mut stranger, "the addresses of some files have gone stale").await;
    let mut attach = visiting(&sandbox, "attach", &["--json"]);
    attach.env("HF_TOKEN", TOKEN);
    let Ended { code, stdout, stderr } = run(attach).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(ended(stranger).await.code, 1);
    assert!(said.await.unwrap().contains("another controller has joined"));
    gone(&sandbox).await;
    assert!(is_whole(&sandbox));
}

async fn a_second_run_waits_for_the_detached_one(sandbox: Sandbox) {
    let stall = public(&sandbox);
    detached(&sandbox, &[]).await;
    stall.reached_by(4).await;
    let mut second = sandbox.syncing(MODEL, &[]).spawn().unwrap();
    let said = until_it_says(&mut second, "waiting: another run holds the folder").await;
    stall.release();
    assert_eq!(ended(second).await.code, 0);
    assert!(said.await.unwrap().contains("done: 2 files ("));
    assert!(is_whole(&sandbox));
}

async fn a_controller_that_dies_while_handing_over_leaves_no_agent_behind(sandbox: Sandbox) {
    private(&sandbox);
    // The small file's bytes are on their way to the controller, who is to hand them over.
    let asking = sandbox.hub.stall(1, When::file("config.json").at(HubOrigin::Hub).method("GET"));
    let mut command = sandbox.syncing(MODEL, &["--detach"]);
    command.env("HF_TOKEN", TOKEN);
    let mut child = command.spawn().unwrap();
    asking.reached().await;
    while host(&sandbox).agent_pids().len() < 2 {
        tokio::task::yield_now().await;
    }
    child.kill().await.unwrap();
    gone(&sandbox).await;
    assert!(sandbox.read(FILE).is_none());
    let Ended { code, .. } = run(visiting(&sandbox, "attach", &[])).await;
    assert_eq!(code, 5);
}

async fn a_client_that_attaches_amid_many_files_misses_none(sandbox: Sandbox) {
    sandbox.hub.token(TOKEN);
    let files = (0..600).fold(sandbox.hub.model(MODEL), |draft, n| {
        draft.lfs(&format!("file-{n:03}.bin"), Content::random(n, 2_000))
    });
    files.commit();
    let Ended { code, stderr, .. } = sandbox.sync(MODEL, &["--detach"]).await;
    assert_eq!(code, 0, "{stderr}");
    let Ended { code, stdout, stderr } = run(visiting(&sandbox, "attach", &["--json"])).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let last: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["placed"], 600, "{last}");
    gone(&sandbox).await;
    assert_eq!(sandbox.files().len(), 600);
}

async fn nothing_to_do_is_done_at_once(sandbox: Sandbox) {
    public(&sandbox).release();
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let Ended { code, stderr, .. } = sandbox.sync(MODEL, &["--detach"]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("done: 2 files ("), "{stderr}");
    gone(&sandbox).await;
}

on_boxes! {
    a_detached_transfer_goes_on_and_is_watched_to_its_end,
    a_detached_transfer_ends_by_itself_and_leaves_word,
    watching_can_be_left_and_ending_keeps_what_arrived,
    what_a_private_repository_needs_is_handed_over,
    addresses_that_go_stale_are_waited_for_and_then_given_up,
    addresses_that_go_stale_are_renewed_by_the_client_that_attaches,
    a_second_run_waits_for_the_detached_one,
    a_controller_that_dies_while_handing_over_leaves_no_agent_behind,
    a_client_that_attaches_amid_many_files_misses_none,
    nothing_to_do_is_done_at_once,
}
