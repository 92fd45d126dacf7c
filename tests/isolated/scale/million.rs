//! As many files as one conversation may speak of: what they cost in memory, and that nothing costs more for each of them
//! the more there are.

use std::process::Stdio;
use std::time::{Duration, Instant};

use hfdown_tests::crowd::{CROWD, Crowd, CrowdNames};
use hfdown_tests::processes::{Process, interrupt};
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, ended};
use tokio::process::Command;

use crate::HFDOWN;

/// What a run has resident that has no files.
const BASE: u64 = 40 << 20;
/// What each file may cost beside that, the controller and the agent in its process together.
const EACH: u64 = 160;

/// The end of a program, and its peak of resident memory.
async fn measured(command: &mut Command) -> (Ended, u64) {
    let child = command.spawn().unwrap();
    let process = Process { pid: child.id().unwrap() };
    let mut end = std::pin::pin!(ended(child));
    let mut peak = 0;
    loop {
        // The kernel keeps the peak, so that looking now and then is enough.
        tokio::select! {
            ended = &mut end => return (ended, peak),
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
        peak = peak.max(process.peak_memory());
    }
}

struct CrowdTrial {
    sandbox: Sandbox,
    crowd: Crowd,
    files: usize,
}

impl CrowdTrial {
    async fn of(names: CrowdNames, files: usize) -> Self {
        let sandbox = Sandbox::start(DestinationKind::Here, HFDOWN).await.expect("it needs nothing");
        Self { sandbox, crowd: Crowd::start(names, files), files }
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = self.sandbox.syncing(&format!("datasets/{CROWD}"), more);
        command.env("HF_ENDPOINT", &self.crowd.endpoint);
        command
    }

    /// Runs, and checks what it needed.
    async fn run(&self, what: &str, more: &[&str]) -> Ended {
        let began = Instant::now();
        let (ended, peak) = measured(&mut self.command(more)).await;
        eprintln!("{what}: {} files, {peak} bytes resident, {:?}", self.files, began.elapsed());
        assert_eq!(ended.code, 0, "{what}: {}", ended.stderr);
        assert!(peak > 0, "the process was seen");
        let allowed = BASE + EACH * self.files as u64;
        assert!(peak <= allowed, "{what}: {peak} bytes were resident, and {allowed} may be");
        ended
    }
}

#[tokio::test]
async fn a_plan_for_many_files_costs_little_for_each() {
    for (names, more) in [(CrowdNames::Shards, "--quiet"), (CrowdNames::OwnFolders, "--json")] {
        let trial = CrowdTrial::of(names, 100_000).await;
        let planned = trial.run("dry run", &["--dry-run", more]).await;
        assert!(planned.stdout.contains("0099999"), "the last one is in it");
    }
}

#[tokio::test]
async fn many_files_are_synced_with_little_memory_for_each() {
    let trial = CrowdTrial::of(CrowdNames::Shards, 20_000).await;
    trial.run("first run", &["--quiet"]).await;
    assert_eq!(trial.sandbox.files().len(), trial.files);
    assert_eq!(trial.crowd.served(), trial.files);
    let second = trial.run("second run", &[]).await;
    assert!(second.stderr.contains("20000 files are there already"), "{}", second.stderr);
    assert_eq!(trial.crowd.served(), trial.files);
}

#[tokio::test]
async fn a_listing_can_be_stopped_between_its_pages() {
    for command in ["sync", "info"] {
        let trial = CrowdTrial::of(CrowdNames::Shards, 1_000_000).await;
        let mut child = if command == "info" {
            let mut info = trial.sandbox.hfdown(["info", &format!("datasets/{CROWD}")]);
            info.env("HF_ENDPOINT", &trial.crowd.endpoint).stdout(Stdio::null()).spawn().unwrap()
        } else {
            trial.command(&["--quiet"]).spawn().unwrap()
        };
        while trial.crowd.pages() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            assert!(child.try_wait().unwrap().is_none(), "{command} has ended");
        }
        interrupt(child.id().unwrap());
        assert_eq!(child.wait().await.unwrap().code(), Some(130), "{command}");
        assert!(trial.crowd.pages() < 1_000, "{command} went on");
    }
}

#[tokio::test]
#[ignore = "a minute"]
async fn one_file_too_many_is_refused_with_the_limit() {
    let trial = CrowdTrial::of(CrowdNames::Shards, 1_000_001).await;
    let (ended, _) = measured(&mut trial.command(&["--dry-run"])).await;
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("it lists more than hfdown takes: 1,000,000 files"), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: git with git-lfs"), "{}", ended.stderr);
}

/// A million files, if `names` are such.
async fn a_million(names: CrowdNames) {
    const FILES: usize = 1_000_000;
    let trial = CrowdTrial::of(names, FILES).await;
    trial.run("dry run", &["--dry-run", "--quiet"]).await;
    trial.run("dry run in JSON", &["--dry-run", "--json"]).await;
    // Killed in the middle.
    let mut child = trial.command(&["--quiet"]).spawn().unwrap();
    while trial.crowd.served() < FILES / 3 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
    }
    child.kill().await.unwrap();
    trial.run("the rest", &["--quiet"]).await;
    let again = trial.crowd.served() - FILES;
    assert!(again < 2_000, "{again} files were fetched twice");
    trial.run("second run", &["--quiet"]).await;
    trial.run("second run with verbose", &["--verbose"]).await;
    assert_eq!(trial.crowd.served(), FILES + again);
}

#[tokio::test]
#[ignore = "many minutes, and a million files on the disk"]
async fn a_million_files_in_shards() {
    a_million(CrowdNames::Shards).await;
}

#[tokio::test]
#[ignore = "many minutes, and a million files on the disk"]
async fn a_million_files_with_long_names() {
    a_million(CrowdNames::Long).await;
}

#[tokio::test]
#[ignore = "many minutes, and a million files on the disk"]
async fn a_million_files_in_one_folder() {
    a_million(CrowdNames::OneFolder).await;
}

#[tokio::test]
#[ignore = "many minutes, and a million files on the disk"]
async fn a_million_folders() {
    a_million(CrowdNames::OwnFolders).await;
}
