//! What is seen of many boxes of one command: on a terminal, by programs, and in a report.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use hfdown_tests::counterpart::Counterpart;
use hfdown_tests::hub::{HubFault, When};
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, run};
use hfdown_tests::terminal::TestTerminal;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::places::HFDOWN;

const MODEL: &str = "acme/small";
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../controller/schema/events.schema.json");
const VALIDATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/counterparts/validate");

/// A box, as so many targets as it has folders; and one more that is none.
struct SeenFleet {
    sandbox: Sandbox,
    hosts: String,
}

impl SeenFleet {
    async fn start(boxes: usize) -> Self {
        let sandbox = Sandbox::start(DestinationKind::InProcess, HFDOWN).await.unwrap();
        sandbox.hub.model(MODEL).file("config.json", "{}").lfs("model.bin", vec![7; 300_000]).commit();
        let ssh = sandbox.host.as_ref().unwrap().command();
        let folder = |number| sandbox.scratch().join(format!("models/{number}")).display().to_string();
        let good = (1..=boxes).map(|number| format!("gpu{number:03} = {ssh} -> {}", folder(number)));
        let gone = "gone = ssh -p 1 root@127.0.0.1 -> /tmp/gone".to_owned();
        let hosts = good.chain([gone]).collect::<Vec<_>>().join("\n");
        let path = sandbox.scratch().join("hosts");
        fs::write(&path, hosts).unwrap();
        Self { sandbox, hosts: path.display().to_string() }
    }

    fn syncing(&self, more: &[&str]) -> Command {
        let words = ["rsync-to-vast", MODEL, "--hosts", &self.hosts, "--wait", "0"];
        self.sandbox.hfdown(words.iter().chain(more))
    }

    async fn sync(&self, more: &[&str]) -> Ended {
        run(self.syncing(more)).await
    }

    fn path(&self, name: &str) -> String {
        self.sandbox.scratch().join(name).display().to_string()
    }
}

fn objects(ended: &Ended) -> Vec<Value> {
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The validator that others wrote, where it is installed.
async fn validate(lines: &str) {
    let Some(python) = Counterpart::JsonSchema.require() else { return };
    let mut validator = Command::new(python)
        .args([VALIDATE, SCHEMA])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = validator.stdin.take().unwrap();
    let text = lines.to_owned();
    let writing = tokio::spawn(async move { stdin.write_all(text.as_bytes()).await });
    let output = validator.wait_with_output().await.unwrap();
    writing.await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn equal_ends_are_told_at_once_and_a_failure_with_what_to_do() {
    let fleet = SeenFleet::start(12).await;
    let ended = fleet.sync(&[]).await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    let (said, all) =
        (&ended.stderr, ["12 boxes: done, 300 kB each\n", "gone: unreachable: connection refused\n"]);
    assert!(all.iter().all(|line| said.contains(line)), "{said}");
    assert_eq!(said.matches("hint: ").count(), 1, "{said}");
    assert!(said.contains("total: 12 of 13 boxes · 3.6 MB in "), "{said}");
    assert_eq!(said.matches("agent ready").count(), 0, "calm: {said}");
    let again = fleet.sync(&["--quiet"]).await;
    assert!(!again.stderr.contains("done") && again.stderr.contains("gone: unreachable"), "{}", again.stderr);
    let words = ["verify", MODEL, "--hosts", &fleet.hosts, "--wait", "0"];
    let verified = run(fleet.sandbox.hfdown(words)).await;
    assert!(
        verified.stderr.contains("12 boxes: every byte is right, 2 files, 300 kB each\n"),
        "{}",
        verified.stderr
    );
    assert!(verified.stderr.contains("total: 12 of 13 boxes · in "), "{}", verified.stderr);
    let dry = fleet.sync(&["--dry-run"]).await;
    assert!(
        dry.stdout.contains("12 boxes: nothing to do, 2 files there already"),
        "{}{}",
        dry.stdout,
        dry.stderr
    );
}

#[tokio::test]
async fn programs_are_told_of_every_box_once_and_of_all_at_last() {
    let fleet = SeenFleet::start(3).await;
    let ended = fleet.sync(&["--json"]).await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    let objects = objects(&ended);
    let of = |kind: &str| objects.iter().filter(|object| object["type"] == kind).collect::<Vec<_>>();
    let mut finished: Vec<_> =
        of("box_finished").iter().map(|object| object["box"].as_str().unwrap()).collect();
    finished.sort_unstable();
    assert_eq!(finished, ["gone", "gpu001", "gpu002", "gpu003"]);
    let gone = of("box_finished").into_iter().find(|object| object["box"] == "gone").unwrap();
    assert_eq!((&gone["outcome"], &gone["exit_code"]), (&"failed".into(), &6.into()));
    assert_eq!(of("error")[0]["box"], "gone");
    let last = objects.last().unwrap();
    assert_eq!(
        (&last["type"], &last["done"], &last["exit_code"]),
        (&"fleet_finished".into(), &3.into(), &3.into())
    );
    assert_eq!(last["groups"][0]["boxes"], "gpu[001-003]");
    let whole = ["fleet", "fleet_finished", "listed", "listing"];
    let unnamed = objects
        .iter()
        .find(|object| object["box"].is_null() && !whole.contains(&object["type"].as_str().unwrap()));
    assert_eq!(unnamed, None);
}

#[tokio::test]
async fn everything_that_programs_are_told_is_as_the_schema_says() {
    let fleet = SeenFleet::start(2).await;
    let mut lines = String::new();
    for more in
        [&["--json", "--dry-run"][..], &["--json"], &["--json"], &["--json", "--fail-fast", "--checksum"]]
    {
        lines.push_str(&fleet.sync(more).await.stdout);
    }
    let sandbox = &fleet.sandbox;
    let (hosts, home) = (fleet.hosts.as_str(), fleet.path("cache"));
    fs::write(Path::new(&fleet.path("models/1")).join("config.json"), "other").unwrap();
    fs::write(Path::new(&fleet.path("models/1")).join("extra"), "extra").unwrap();
    for words in [
        &["verify", MODEL, "--hosts", hosts, "--wait", "0"][..],
        &["verify", MODEL, &fleet.path("models/1")],
        &["verify", MODEL, &fleet.path("models/1"), "--offline"],
        &["verify", MODEL, &fleet.path("models/1"), "--repair"],
        &["info", MODEL],
        &["info", "acme/none"],
        &["rsync-sync", MODEL, "--cache-dir", &home],
        &["cache", "ls", "--revisions", "--cache-dir", &home],
        &["cache", "verify", "--cache-dir", &home],
        &["cache", "rm", MODEL, "--yes", "--cache-dir", &home],
        &["cache", "prune", "--yes", "--cache-dir", &home],
        &["download", MODEL, &fleet.path("alone")],
        &["file", MODEL, "config.json", &fleet.path("file")],
        &["attach", "--hosts", hosts, "--wait", "0"],
    ] {
        let ended = run(sandbox.hfdown(words.iter().chain(&["--json"]))).await;
        assert!(!ended.stdout.is_empty() || ended.code == 2, "{words:?}: {}", ended.stderr);
        lines.push_str(&ended.stdout);
    }
    // Retries, a file that can't be had, and a transfer that is detached, watched, and over.
    let large = "acme/large";
    sandbox.hub.model(large).lfs("a.bin", vec![1; 3_000_000]).lfs("b.bin", vec![2; 9_000]).commit();
    sandbox.hub.fault(HubFault::CutAfter(1_000_000), When::file("a.bin").first(1));
    let ssh = sandbox.host.as_ref().unwrap().command();
    let root = fleet.path("models/large");
    for words in [
        &["rsync-to-vast", large, &ssh, &root, "--detach"][..],
        &["attach", &ssh, &root],
        &["attach", &ssh, &root],
        &["stop", &ssh, &root],
        &["rsync-to-vast", large, &ssh, &root, "--dry-run"],
        &["download", large, &fleet.path("large"), "--xet", "always"],
    ] {
        lines.push_str(&run(sandbox.hfdown(words.iter().chain(&["--json"]))).await.stdout);
    }
    for kind in [
        "fleet",
        "box_finished",
        "fleet_finished",
        "checked",
        "plan",
        "fell_back",
        "model",
        "recalled",
        "cache",
        "detached",
        "error",
    ] {
        assert!(lines.contains(&format!(r#"{{"type":"{kind}""#)), "{kind} is among them");
    }
    validate(&lines).await;
}

#[tokio::test]
async fn a_report_is_written_however_the_run_ended_and_one_that_cannot_be_is_found_out_first() {
    let fleet = SeenFleet::start(3).await;
    let (json, page) = (fleet.path("report.json"), fleet.path("report.html"));
    let ended = fleet.sync(&["--report", &json, "--report", &page]).await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    let report: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!((&report["model"], &report["exit_code"]), (&MODEL.into(), &3.into()));
    assert_eq!(report["boxes"].as_array().unwrap().len(), 4);
    // A small file may come from this machine.
    assert!(report["boxes"][0]["fetched"].as_u64().unwrap() >= 300_000, "{report}");
    assert_eq!(report["boxes"][3]["outcome"], "failed");
    let page = fs::read_to_string(&page).unwrap();
    assert!(page.contains("gpu002") && page.contains("unreachable: connection refused"), "{page}");
    // A run that never comes to its boxes says why.
    let hosts = fleet.hosts.as_str();
    let words = ["rsync-to-vast", "acme/nothing", "--hosts", hosts, "--report", &json];
    assert_eq!(run(fleet.sandbox.hfdown(words)).await.code, 5);
    let report: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    assert!(report["error"].as_str().is_some_and(|error| error.contains("acme/nothing")), "{report}");
    // What makes no sense leaves it as it is.
    let words = ["rsync-to-vast", "acme/nothing", "--hosts", "nowhere", "--report", &json];
    assert_eq!(run(fleet.sandbox.hfdown(words)).await.code, 2);
    assert_eq!(serde_json::from_str::<Value>(&fs::read_to_string(&json).unwrap()).unwrap(), report);
    for bad in ["report.txt", "nowhere/report.json", "models.html"] {
        let ended = fleet.sync(&["--dry-run", "--report", &fleet.path(bad)]).await;
        if bad == "models.html" {
            assert_eq!(ended.code, 3, "{}", ended.stderr);
        } else {
            assert_eq!(ended.code, 2, "{}", ended.stderr);
            assert!(
                ended.stderr.contains("cannot write a report") && ended.stderr.contains("hint: "),
                "{}",
                ended.stderr
            );
            assert!(!ended.stderr.contains("gone"), "nothing has begun: {}", ended.stderr);
        }
    }
    // A single box may have one too, also where it can't be reached.
    let ssh = fleet.sandbox.host.as_ref().unwrap().command();
    let root = fleet.path("models/1");
    for (ssh, outcome) in [(ssh.as_str(), "complete"), ("ssh -p 1 root@127.0.0.1", "failed")] {
        let words = ["rsync-to-vast", MODEL, ssh, &root, "--wait", "0", "--report", &json];
        let ended = run(fleet.sandbox.hfdown(words)).await;
        let report: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
        assert_eq!(report["boxes"][0]["outcome"], outcome, "{}", ended.stderr);
    }
}

#[tokio::test]
async fn nothing_that_moves_remains_on_a_terminal() {
    let fleet = SeenFleet::start(5).await;
    fleet.sandbox.hub.fault(HubFault::Throttle { bytes_per_second: 150_000 }, When::file("model.bin"));
    for (lines, columns) in [(24, 80), (40, 120), (5, 60)] {
        fs::remove_dir_all(fleet.path("models")).ok();
        let mut terminal = TestTerminal::start_sized(&fleet.syncing(&[]), lines, columns);
        let (said, status) = terminal.ended().await;
        assert_eq!(status.code(), Some(3), "{said}");
        assert!(said.contains("0 of 6 done, 1 failed"), "rows were seen: {said}");
        let mut screen = vt100::Parser::new(lines, columns, 200);
        screen.process(said.as_bytes());
        let left = screen.screen().contents();
        assert!(!left.contains("━") && !left.contains("fetching"), "{left}");
        let left: Vec<_> = left.lines().collect();
        assert!(left.last().unwrap().contains("total: 5 of 6 boxes"), "{left:?}");
    }
}

#[tokio::test]
async fn ctrl_c_leaves_a_clean_screen_and_a_report() {
    let fleet = SeenFleet::start(5).await;
    fleet.sandbox.hub.fault(HubFault::Throttle { bytes_per_second: 20_000 }, When::file("model.bin"));
    let report = fleet.path("report.json");
    let mut terminal = TestTerminal::start_sized(&fleet.syncing(&["--report", &report]), 24, 80);
    let mut said = terminal.until("fetching").await;
    terminal.enter("\u{3}").await;
    let (rest, status) = terminal.ended().await;
    said.push_str(&rest);
    assert_eq!(status.code(), Some(130), "{said}");
    let mut screen = vt100::Parser::new(24, 80, 0);
    screen.process(said.as_bytes());
    let left = screen.screen().contents();
    assert!(!left.contains("fetching") && !left.contains(" at work"), "{left}");
    assert!(left.contains("gpu[001-005]: stopped, what arrived is kept"), "{left}");
    let report: Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!((&report["exit_code"], &report["boxes"][0]["outcome"]), (&130.into(), &"stopped".into()));
}
