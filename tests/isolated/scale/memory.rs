//! What a sync holds in memory at most, on both sides, whatever the sizes of a model's files.

use std::time::Duration;

use hfdown_tests::hub::{Content, Mirror};
use hfdown_tests::processes::Process;
use hfdown_tests::sandbox::{DestinationKind, Sandbox, ended};
use hfdown_tests::ssh_host::SshHost;

use crate::HFDOWN;

const MODEL: &str = "acme/mixed";
const TOKEN: &str = "hf_owner";
/// What each side may have resident.
const ALLOWED: u64 = 64 << 20;

/// Half of a model is in one file, a quarter in files an eighth of that size, and so on down to files of a few bytes.
fn sizes(total: u64) -> Vec<u64> {
    let mut sizes = vec![total / 2];
    let (mut share, mut size) = (total / 4, total / 16);
    while size > 100_000 && sizes.len() < 2_000 {
        sizes.extend((0..share / size).map(|_| size + 1));
        share /= 2;
        size /= 8;
    }
    // The largest that are held in memory whole, and the smallest.
    sizes.extend((0..64).map(|_| 1 << 20));
    sizes.extend((0..200).map(|size| size * 10));
    sizes
}

/// Who sends the files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SentBy {
    /// A CDN, to the agent.
    Cdn,
    /// A mirror that wants the token, to the controller, which passes them on.
    Mirror,
}

async fn stays_small(place: DestinationKind, total: u64, sent_by: SentBy) {
    let Some(sandbox) = Sandbox::start(place, HFDOWN).await else { return };
    let sizes = sizes(total);
    let draft = sandbox.hub.model(MODEL);
    (0..)
        .zip(&sizes)
        .fold(draft, |draft, (seed, size)| {
            draft.lfs(&format!("file-{seed}.bin"), Content::random(seed, *size))
        })
        .commit();
    let more: &[&str] = match (sent_by, place) {
        (SentBy::Cdn, _) => &["--quiet"],
        // As many connections as a user may ask for.
        (SentBy::Mirror, DestinationKind::Here) => &["--quiet", "--connections", "64"],
        (SentBy::Mirror, _) => &["--quiet", "--connections", "64", "--through-controller"],
    };
    let mut command = sandbox.syncing(MODEL, more);
    if sent_by == SentBy::Mirror {
        sandbox.hub.token(TOKEN);
        sandbox.hub.mirror(Mirror::default());
        command.env("HF_TOKEN", TOKEN).env("HF_ENDPOINT", sandbox.hub.endpoint());
    }
    let child = command.spawn().unwrap();
    let controller = Process { pid: child.id().unwrap() };
    let mut end = std::pin::pin!(ended(child));
    let (mut here, mut there) = (0, 0);
    let ended = loop {
        // The kernel keeps the peak, so that looking now and then is enough.
        tokio::select! {
            ended = &mut end => break ended,
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        here = here.max(controller.peak_memory());
        for pid in sandbox.host.iter().flat_map(SshHost::agent_pids) {
            there = there.max(Process { pid }.peak_memory());
        }
    };
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.files().len(), sizes.len());
    let bytes: u64 = sizes.iter().sum();
    eprintln!(
        "{place:?}: {} files, {bytes} bytes: {here} bytes resident here, {there} on the box",
        sizes.len()
    );
    assert!(here > 0 && (sandbox.host.is_none() || there > 0), "the processes were seen");
    assert!(here <= ALLOWED, "{here} bytes were resident here");
    assert!(there <= ALLOWED, "{there} bytes were resident on the box");
}

const SOME: u64 = 400_000_000;
const ALL: u64 = 20_000_000_000;

#[tokio::test]
async fn memory_does_not_grow_with_a_model_here() {
    stays_small(DestinationKind::Here, SOME, SentBy::Cdn).await;
}

#[tokio::test]
async fn memory_does_not_grow_with_a_model_on_either_side_of_a_link() {
    stays_small(DestinationKind::Sshd, SOME, SentBy::Cdn).await;
}

#[tokio::test]
async fn memory_does_not_grow_with_a_model_that_is_relayed_here() {
    stays_small(DestinationKind::Here, SOME, SentBy::Mirror).await;
}

#[tokio::test]
async fn memory_does_not_grow_with_a_model_that_is_relayed_over_a_link() {
    stays_small(DestinationKind::Sshd, SOME, SentBy::Mirror).await;
}

#[tokio::test]
#[ignore = "minutes, and 20 GB of disk"]
async fn memory_does_not_grow_with_20_gb_here() {
    stays_small(DestinationKind::Here, ALL, SentBy::Cdn).await;
}

#[tokio::test]
#[ignore = "minutes, and 20 GB of disk"]
async fn memory_does_not_grow_with_20_gb_on_either_side_of_a_link() {
    stays_small(DestinationKind::Sshd, ALL, SentBy::Cdn).await;
}
