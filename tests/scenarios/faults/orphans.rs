//! Agents whose controller is gone: none outlives it by more than a minute, and what it has fetched can be gone on
//! from.

use std::time::Duration;

use hfdown_tests::processes;
use hfdown_tests::proxy::Proxy;
use hfdown_tests::ssh_host::SshHost;
use hfdown_tests::stage::{Place, Stage, ended};
use tokio::process::Child;

use crate::{FILE, HFDOWN, MODEL, SIZE, cdn, publish};

/// A minute, and as much again as a machine that is busy with other tests may need to notice.
const A_MINUTE: Duration = Duration::from_secs(60 + 30);

/// Of the 2 MB that each of four connections has received.
const BEGUN: u64 = 5_000_000;

/// A run that has come to a halt in mid-file, through a wire.
struct Halted {
    stage: Stage,
    proxy: Proxy,
    stall: hfdown_tests::hub::Stall,
    child: Child,
}

async fn halted(place: Place) -> Option<Halted> {
    let stage = Stage::set(place, HFDOWN).await?;
    publish(&stage);
    let proxy = Proxy::to(host(&stage).port()).await;
    let stall = stage.hub.stall(2_000_000, cdn());
    // The stall is no fault here.
    let mut command = stage.syncing_via(proxy.port(), MODEL, &[]);
    let child = command.env("HF_HUB_DOWNLOAD_TIMEOUT", "600").spawn().expect("the program starts");
    stall.reached_by(4).await;
    // What was sent has been written as well, but for what each connection gathers.
    while stage.claimed() < BEGUN {
        tokio::task::yield_now().await;
    }
    assert_eq!(host(&stage).agent_pids().len(), 1);
    Some(Halted { stage, proxy, stall, child })
}

fn host(stage: &Stage) -> &SshHost {
    stage.host.as_ref().expect("it is a box")
}

impl Halted {
    async fn left_alone(&self) {
        let gone = async {
            while !host(&self.stage).agent_pids().is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(A_MINUTE, gone).await.expect("no orphan stays");
    }

    /// The next run goes on from what the orphan had.
    async fn resumes(self) {
        let Self { stage, stall, child, .. } = self;
        ended(child).await;
        stall.release();
        let before = stage.hub.bytes_sent(hfdown_tests::hub::Origin::Cdn);
        let ended = stage.sync(MODEL, &[]).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let again = stage.hub.bytes_sent(hfdown_tests::hub::Origin::Cdn) - before;
        assert!(again <= SIZE - BEGUN, "{again} bytes were sent again");
        assert!(stage.read(FILE).is_some());
    }
}

async fn a_controller_that_is_killed(place: Place) {
    let Some(mut halted) = halted(place).await else { return };
    halted.child.kill().await.expect("it runs");
    halted.left_alone().await;
    halted.resumes().await;
}

/// Nothing tells the box: no end of a stream, no packet. The agent counts for itself.
async fn a_controller_that_is_killed_behind_a_silent_link(place: Place) {
    let Some(mut halted) = halted(place).await else { return };
    halted.proxy.hush();
    halted.child.kill().await.expect("it runs");
    let began = tokio::time::Instant::now();
    let agent = host(&halted.stage).agent_pids();
    halted.left_alone().await;
    assert_eq!(agent.len(), 1, "the death of its controller was no news to it");
    assert_eq!(halted.proxy.open(), 1, "nor is the connection at its end");
    // Whoever gives up too early loses transfers to links that are only slow.
    assert!(began.elapsed() > Duration::from_secs(40), "it waited {:?}", began.elapsed());
    assert!(processes::all().len() > 1, "processes can be seen here");
    halted.resumes().await;
}

mod orphans_in_process {
    use super::*;

    #[tokio::test]
    async fn a_controller_that_is_killed() {
        super::a_controller_that_is_killed(Place::InProcess).await;
    }
}

mod orphans_sshd {
    use super::*;

    #[tokio::test]
    async fn a_controller_that_is_killed() {
        super::a_controller_that_is_killed(Place::Sshd).await;
    }

    #[tokio::test]
    async fn a_controller_that_is_killed_behind_a_silent_link() {
        super::a_controller_that_is_killed_behind_a_silent_link(Place::Sshd).await;
    }
}
