//! What the controller holds in memory for each box that is at work.

use std::fmt::Write as _;
use std::time::Duration;

use hfdown_tests::hub::{Content, HubOrigin, When};
use hfdown_tests::processes::Process;
use hfdown_tests::sandbox::{DestinationKind, Sandbox, ended};

use crate::HFDOWN;

const MODEL: &str = "acme/shared";
const FILE: &str = "model.safetensors";
const SIZE: u64 = 400_000;
/// What a box may take here beside those that there are already. A connection, its buffers and what is said over it are about
/// half of this in a program that is not optimised.
const OF_A_BOX: u64 = 300 << 10;

/// The peak of a controller with so many boxes at work at once: folders of one, each with an agent of its own.
async fn peak(boxes: usize) -> Option<u64> {
    let sandbox = Sandbox::start(DestinationKind::InProcess, HFDOWN).await?;
    sandbox.hub.model(MODEL).lfs(FILE, Content::random(1, SIZE)).commit();
    let stall = sandbox.hub.stall(1000, When::file(FILE).at(HubOrigin::Cdn));
    let ssh = sandbox.host.as_ref()?.command();
    let hosts = sandbox.scratch().join("hosts");
    let mut lines = String::new();
    for number in 0..boxes {
        writeln!(lines, "box{number} = {ssh} -> model-{number}").unwrap();
    }
    std::fs::write(&hosts, lines).unwrap();
    let hosts = hosts.to_str()?;
    let child = sandbox.hfdown(["rsync-to-vast", MODEL, "--hosts", hosts, "--quiet"]).spawn().unwrap();
    let controller = Process { pid: child.id().unwrap() };
    let mut end = std::pin::pin!(ended(child));
    let mut peak = 0;
    let ended = loop {
        tokio::select! {
            ended = &mut end => break ended,
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        peak = peak.max(controller.peak_memory());
        let at_work = sandbox.hub.requests_for(FILE);
        if at_work.iter().filter(|request| request.origin == HubOrigin::Cdn).count() >= boxes {
            stall.release();
        }
    };
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    Some(peak)
}

#[tokio::test]
async fn memory_grows_little_with_each_box() {
    let (Some(few), Some(many)) = (peak(5).await, peak(60).await) else { return };
    let of_a_box = many.saturating_sub(few) / 55;
    eprintln!("5 boxes: {few} bytes resident here, 60: {many}, which is {of_a_box} for each");
    assert!(few > 0 && of_a_box <= OF_A_BOX, "{of_a_box} bytes were resident for each");
}
