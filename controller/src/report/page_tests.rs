//! What is in a page.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::event::{Event, Progress};
use crate::fleet::{BoxEnding, BoxOutcome, FleetEvent, FleetTarget, Price};
use crate::problem::{Exit, Problem};
use crate::report::Recorder;
use crate::tally::Tally;

const HOSTILE: &str = "</td><script>alert(\"1\")</script>\u{202e}";

/// The reports of a fleet whose last box has failed.
fn reports(boxes: usize) -> (serde_json::Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let paths = [folder.path().join("report.json"), folder.path().join("report.html")];
    let mut recorder = Recorder::new(&paths).unwrap().unwrap();
    let now = Instant::now();
    let name = |number: usize| if number == 2 { HOSTILE.to_owned() } else { format!("gpu{number:03}") };
    let fleet = |event| Event::Fleet(Box::new(event));
    let target = |number| FleetTarget {
        name: Arc::from(name(number).as_str()),
        ssh: "ssh root@h".to_owned(),
        folder: None,
        price: Some(Price { dollars_per_tb: 20.0 }),
    };
    let targets = (1..=boxes).map(target).collect();
    recorder.hear(None, &fleet(FleetEvent::Begun { targets, jobs: 256 }), now);
    let size = 13_000_000_000;
    for number in 1..=boxes {
        let name = name(number);
        let mut hear = |at: f64, event: &Event| {
            recorder.hear(Some(&name), event, now + Duration::from_secs_f64(at));
        };
        let start = number as f64 / 20.0;
        hear(start, &fleet(FleetEvent::BoxBegun));
        let rate = 100 + number as u64 * 37 % 90;
        let mut done = 0;
        for second in 1..=60 {
            if number % 7 == 3 && second == 20 {
                let why = "the link broke".to_owned();
                hear(
                    start + 19.5,
                    &Event::Reconnecting { why, attempt: 1, of: 8, wait: Duration::from_secs(1) },
                );
            }
            if !(number % 7 == 3 && (20..26).contains(&second)) {
                done = size.min(done + rate * 2_000_000);
                let progress = Progress { done, total: size, ..Progress::default() };
                hear(start + f64::from(second), &Event::Progress(progress));
            }
        }
        let ending = if number == boxes {
            let problem = Problem::new(Exit::Unreachable, "cannot reach root@h").because("<refused>");
            BoxEnding::Failed(problem.in_brief("unreachable: <refused>"))
        } else {
            let transfer = Duration::from_secs(60);
            BoxEnding::Finished(Tally { placed: 1, fetched: size, transfer, ..Tally::default() })
        };
        let exit = if number == boxes { Exit::Unreachable } else { Exit::Done };
        let outcome = BoxOutcome { exit, ending, elapsed: Duration::from_secs(61) };
        hear(start + 61.0, &fleet(FleetEvent::BoxEnded(outcome)));
    }
    recorder.write_after(&Ok(Exit::Partial), Duration::from_secs_f64(63.0 + boxes as f64 / 20.0)).unwrap();
    let [json, page] = paths.map(|path| std::fs::read_to_string(path).unwrap());
    (serde_json::from_str(&json).unwrap(), page)
}

#[test]
fn a_page_needs_nothing_else_and_nothing_in_it_is_anothers_markup() {
    let (_, page) = reports(5);
    assert_eq!(page.matches("<script>").count(), 1);
    assert_eq!(page.matches("</script>").count(), 1);
    assert!(page.contains("&lt;script&gt;alert(&quot;1&quot;)") && !page.contains('\u{202e}'));
    for outside in ["http:", "https:", "//", "url(", " src=", "@import", " style=", " onclick="] {
        assert!(!page.contains(outside), "{outside}");
    }
    for (before, after) in [("<style>", "</style>"), ("<script>", "</script>")] {
        let text = page.split_once(before).and_then(|(_, rest)| rest.split_once(after)).unwrap().0;
        let digest = BASE64.encode(&Sha256::digest(text));
        assert!(page.contains(&format!("'sha256-{digest}'")), "the policy allows it");
    }
    assert_eq!(page.matches("<svg").count(), 5);
    assert_eq!(page.matches("class=\"mark\"").count(), 2, "one was tried again, and the legend");
}

#[test]
fn the_file_for_programs_has_every_box_and_its_timeline() {
    let (report, _) = reports(200);
    assert_eq!(report["exit_code"], 3);
    assert_eq!((&report["totals"]["boxes"], &report["totals"]["done"]), (&200.into(), &199.into()));
    assert_eq!(report["boxes"].as_array().unwrap().len(), 200);
    let last = &report["boxes"][199];
    assert_eq!((&last["outcome"], &last["exit_code"]), (&"failed".into(), &6.into()));
    assert_eq!(last["error"], "cannot reach root@h: <refused>");
    let third = &report["boxes"][2];
    assert_eq!(third["retries"], 1);
    assert_eq!(third["timeline"]["retries"].as_array().unwrap().len(), 1);
    let states: Vec<_> = third["timeline"]["states"]
        .as_array()
        .unwrap()
        .iter()
        .map(|state| state[1].as_str().unwrap())
        .collect();
    assert_eq!(states, ["waiting", "connecting", "fetching", "retrying", "fetching", "done"]);
    assert_eq!(report["boxes"][0]["dollars"], 0.26);
    assert_eq!(report["groups"][1]["boxes"], "gpu200");
}
