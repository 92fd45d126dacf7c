//! What may be said of a transfer, and what is made of it.

use super::*;
use hfdown_protocol::{Digest, Failure, FailureKind, Proof, RepoPath};

use crate::hub::ListedFile;
use crate::plan::Reason;

fn fetch(partial: u64) -> Action {
    Action::Fetch { reason: Reason::Missing, replaces: None, partial }
}

/// Files of these sizes, and what is to be done about each.
fn planned(files: &[(u64, Action)]) -> Plan {
    let digest = Digest::Sha256([0; 32]);
    Plan::of((0..).zip(files).map(|(id, (size, action))| {
        let path = RepoPath::new(format!("file-{id}")).unwrap();
        (ListedFile { path, size: *size, digest }, action.clone())
    }))
}

fn plan(sizes: &[u64]) -> Plan {
    planned(&sizes.iter().map(|size| (*size, fetch(0))).collect::<Vec<_>>())
}

fn tick(done: u64) -> Report {
    Report::Tick { files: vec![Ticked { file: FileId(0), done }] }
}

fn failure() -> Failure {
    Failure::new(FailureKind::Unreachable, "it does not work")
}

#[tokio::test(start_paused = true)]
async fn a_stall_is_seen_though_nothing_is_heard() {
    let plan = plan(&[100_000]);
    let mut run = Carryover::default();
    let mut monitor = TransferMonitor::new(&plan, &mut run);
    monitor.event(Report::Started { file: FileId(0), resumed: 0 }).unwrap();
    for second in 1..=10 {
        tokio::time::advance(Duration::from_secs(1)).await;
        monitor.event(tick(second * 1000)).unwrap();
        monitor.sample();
    }
    let moving = monitor.sample();
    assert_eq!((moving.rate, moving.in_flight[0].rate), (1000, 1000));
    for _ in 0..70 {
        tokio::time::advance(Duration::from_millis(100)).await;
        monitor.sample();
    }
    let stalled = monitor.sample();
    assert_eq!((stalled.done, stalled.rate, stalled.left), (10_000, 0, None));
    assert_eq!(stalled.in_flight[0].rate, 0);
}

#[test]
fn what_is_said_of_a_file_after_the_last_word_on_it_is_overheard() {
    let plan = plan(&[10]);
    let mut run = Carryover::default();
    let mut monitor = TransferMonitor::new(&plan, &mut run);
    let file = FileId(0);
    monitor.event(Report::Placed { file, fetched: 10, written: 10 }).unwrap();
    assert!(monitor.event(tick(5)).unwrap().is_none());
    let retrying = Report::Retrying { file, attempt: 1, failure: failure(), wait_ms: 0 };
    assert!(monitor.event(retrying).unwrap().is_none());
    assert!(monitor.unsettled(file).unwrap().is_none());
    assert_eq!(monitor.sample().done, 10);
    // But there is only one last word, and other files are none of its business.
    assert!(monitor.event(Report::Placed { file, fetched: 10, written: 10 }).is_err());
    assert!(monitor.event(Report::Failed { file, failure: failure(), fetched: 0, written: 0 }).is_err());
    assert!(monitor.unsettled(FileId(1)).is_err());
}

/// A transfer of which one file is placed.
fn placed_one<'a>(plan: &'a Plan, run: &'a mut Carryover) -> TransferMonitor<'a> {
    let mut monitor = TransferMonitor::new(plan, run);
    monitor.event(Report::Placed { file: FileId(0), fetched: 10, written: 10 }).unwrap();
    monitor
}

#[test]
fn a_summary_that_leaves_files_out_is_refused() {
    let plan = plan(&[10, 10]);
    let said = Summary { placed: 2, failed: u32::MAX, ..Summary::default() };
    assert!(placed_one(&plan, &mut Carryover::default()).finish(said).is_err());
    let cut_short = Summary { end: End::Cancelled, ..said };
    assert!(placed_one(&plan, &mut Carryover::default()).finish(cut_short).is_ok());
    let mut run = Carryover::default();
    let mut whole = placed_one(&plan, &mut run);
    whole.event(Report::Failed { file: FileId(1), failure: failure(), fetched: 0, written: 0 }).unwrap();
    whole.finish(said).unwrap();
    drop(whole);
    // The agent's figures are checked, not believed.
    assert_eq!((run.tally.placed, run.tally.failed()), (1, 1));
}

#[test]
fn a_file_that_fails_again_after_the_link_broke_is_told_and_counted_once() {
    let plan = plan(&[10, 10]);
    let failed = |file| Report::Failed { file: FileId(file), failure: failure(), fetched: 0, written: 0 };
    let mut run = Carryover::default();
    let mut monitor = TransferMonitor::new(&plan, &mut run);
    assert!(monitor.event(failed(0)).unwrap().is_some());
    assert!(monitor.event(failed(1)).unwrap().is_some());
    drop(monitor);
    let mut monitor = TransferMonitor::new(&plan, &mut run);
    assert!(monitor.event(failed(0)).unwrap().is_none());
    // What is had after all is told.
    assert!(monitor.event(Report::Placed { file: FileId(1), fetched: 10, written: 10 }).unwrap().is_some());
    monitor.finish(Summary::default()).unwrap();
    drop(monitor);
    assert_eq!((run.tally.placed, run.tally.failed()), (1, 1));
    assert_eq!(run.tally.failures().collect::<Vec<_>>(), [FailureKind::Unreachable]);
}

#[tokio::test(start_paused = true)]
async fn a_transfer_goes_on_where_the_last_one_was_cut_off() {
    let mut run = Carryover::default();
    let first = plan(&[100, 50]);
    let mut monitor = TransferMonitor::new(&first, &mut run);
    monitor.start_clock();
    monitor.event(Report::Placed { file: FileId(1), fetched: 50, written: 50 }).unwrap();
    monitor.event(Report::Started { file: FileId(0), resumed: 10 }).unwrap();
    monitor.event(tick(40)).unwrap();
    assert_eq!(monitor.sample().done, 90);
    tokio::time::advance(Duration::from_secs(1)).await;
    drop(monitor);
    assert_eq!((run.tally.placed, run.tally.fetched), (1, 80));
    // The next survey finds the one in place, and of the other what had reached the disk.
    let second = planned(&[(100, fetch(48))]);
    let mut monitor = TransferMonitor::resumed(&second, &mut run);
    monitor.start_clock();
    let sample = monitor.sample();
    assert_eq!((sample.done, sample.total), (98, 150));
    monitor.event(Report::Placed { file: FileId(0), fetched: 52, written: 52 }).unwrap();
    assert_eq!(monitor.sample().done, 150);
    tokio::time::advance(Duration::from_secs(1)).await;
    drop(monitor);
    // Eight bytes had arrived without being heard of.
    let took = run.tally.transfer;
    assert_eq!((run.tally.placed, run.tally.fetched, took), (2, 140, Duration::from_secs(2)));
}

#[test]
fn what_arrived_unheard_counts_once_though_the_next_link_breaks_at_once() {
    let mut run = Carryover::default();
    let first = plan(&[100]);
    let mut monitor = TransferMonitor::new(&first, &mut run);
    monitor.event(Report::Started { file: FileId(0), resumed: 0 }).unwrap();
    monitor.event(tick(40)).unwrap();
    drop(monitor);
    let second = planned(&[(100, fetch(48))]);
    // Dropped before anything is said, as when the link breaks while the plan is ordered.
    drop(TransferMonitor::resumed(&second, &mut run));
    drop(TransferMonitor::resumed(&second, &mut run));
    assert_eq!(run.tally.fetched, 48);
}

#[test]
fn a_file_that_was_placed_while_the_link_broke_counts_as_placed() {
    let first = plan(&[100, 50]);
    let mut run = Carryover::default();
    run.begin(&first);
    let mut monitor = TransferMonitor::new(&first, &mut run);
    monitor.event(Report::Started { file: FileId(0), resumed: 0 }).unwrap();
    drop(monitor);
    // `Placed` was on its way when the link broke: the next survey finds the file in place.
    let second = planned(&[(100, Action::Keep { proof: Proof::Recorded }), (50, fetch(0))]);
    let mut monitor = TransferMonitor::resumed(&second, &mut run);
    monitor.event(Report::Placed { file: FileId(1), fetched: 50, written: 50 }).unwrap();
    drop(monitor);
    assert_eq!((run.tally.placed, run.tally.kept, run.tally.fetched), (2, 0, 150));
}
