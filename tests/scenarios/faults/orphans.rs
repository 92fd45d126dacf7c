//! Agents whose controller is gone: none outlives it by more than a minute, and what it has fetched can be gone on
//! from.

use std::time::Duration;

use hfdown_tests::processes;
use hfdown_tests::proxy::Proxy;
use hfdown_tests::sandbox::{DestinationKind, Sandbox, ended};
use hfdown_tests::ssh_host::SshHost;
use tokio::process::Child;

use super::faulty::{FILE, MODEL, SIZE, cdn, publish};
use crate::places::HFDOWN;

/// A minute, and as much again as a machine that is busy with other tests may need to notice.
const A_MINUTE: Duration = Duration::from_secs(60 + 30);

/// Of the 2 MB that each of four connections has received.
const BEGUN: u64 = 5_000_000;

/// A run that has come to a halt in mid-file, through a wire.
struct OrphanedRun {
    sandbox: Sandbox,
    proxy: Proxy,
    stall: hfdown_tests::hub::StallHandle,
    child: Child,
}

async fn halted(place: DestinationKind) -> Option<OrphanedRun> {
    let sandbox = Sandbox::start(place, HFDOWN).await?;
    publish(&sandbox);
    let proxy = Proxy::to(host(&sandbox).port()).await;
    let stall = sandbox.hub.stall(2_000_000, cdn());
    // The stall is no fault here.
    let mut command = sandbox.syncing_via(proxy.port(), MODEL, &[]);
    let child = command.env("HF_HUB_DOWNLOAD_TIMEOUT", "600").spawn().expect("the program starts");
    stall.reached_by(4).await;
    // What was sent has been written as well, but for what each connection gathers.
    while sandbox.claimed() < BEGUN {
        tokio::task::yield_now().await;
    }
    assert_eq!(host(&sandbox).agent_pids().len(), 1);
    Some(OrphanedRun { sandbox, proxy, stall, child })
}

fn host(sandbox: &Sandbox) -> &SshHost {
    sandbox.host.as_ref().expect("it is a box")
}

impl OrphanedRun {
    async fn left_alone(&self) {
        let gone = async {
            while !host(&self.sandbox).agent_pids().is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(A_MINUTE, gone).await.expect("no orphan stays");
    }

    /// The next run goes on from what the orphan had.
    async fn resumes(self) {
        let Self { sandbox, stall, child, .. } = self;
        ended(child).await;
        stall.release();
        let before = sandbox.hub.bytes_sent(hfdown_tests::hub::HubOrigin::Cdn);
        let ended = sandbox.sync(MODEL, &[]).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let again = sandbox.hub.bytes_sent(hfdown_tests::hub::HubOrigin::Cdn) - before;
        assert!(again <= SIZE - BEGUN, "{again} bytes were sent again");
        assert!(sandbox.read(FILE).is_some());
    }
}

async fn a_controller_that_is_killed(place: DestinationKind) {
    let Some(mut halted) = halted(place).await else { return };
    halted.child.kill().await.expect("it runs");
    halted.left_alone().await;
    halted.resumes().await;
}

/// Nothing tells the box: no end of a stream, no packet. The agent counts for itself.
#[tokio::test]
async fn a_controller_that_is_killed_behind_a_silent_link() {
    let Some(mut halted) = halted(DestinationKind::Sshd).await else { return };
    halted.proxy.hush();
    halted.child.kill().await.expect("it runs");
    let began = tokio::time::Instant::now();
    let agent = host(&halted.sandbox).agent_pids();
    halted.left_alone().await;
    assert_eq!(agent.len(), 1, "the death of its controller was no news to it");
    assert_eq!(halted.proxy.open(), 1, "nor is the connection at its end");
    // An agent that gives up too early loses transfers to links that are only slow.
    assert!(began.elapsed() > Duration::from_secs(40), "it waited {:?}", began.elapsed());
    assert!(processes::all().len() > 1, "processes can be seen here");
    halted.resumes().await;
}

on_boxes! {
    a_controller_that_is_killed,
}
