//! Events of fleets in, a screen out.

use std::time::{Duration, Instant};

use hfdown_protocol::Proof;
use indicatif::{InMemoryTerm, ProgressDrawTarget};
use insta::assert_snapshot;

use super::ScreenSize;
use super::sample::{begun, done, ended, fleet, name, no_space, planned, progress, unreachable};
use crate::event::{Agent, Event};
use crate::fleet::{BoxEnding, BoxOutcome, FleetEvent};
use crate::output::bars::{Bars, Screen};
use crate::output::json::Json;
use crate::output::lines::Lines;
use crate::output::printer::Printer;
use crate::output::printer::capture::{self, Captured};
use crate::output::renderer::Renderer;
use crate::output::sample::{keep, listed, look, opened, plan as plan_event, simple_files};
use crate::output::style::{Style, Verbosity};
use crate::plan::{Intent, Plan};
use crate::problem::Exit;
use crate::tally::Tally;

/// What a terminal showed (`tmux capture-pane -p`) while the same events were drawn on it.
macro_rules! picture {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/pictures/", $name)).trim_end()
    };
}

/// A renderer with a clock of its own.
struct FleetScreen {
    terminal: InMemoryTerm,
    renderer: Box<dyn Renderer>,
    printer: Printer,
    data: Captured,
    said: Captured,
    now: Instant,
}

impl FleetScreen {
    fn bars(lines: u16, columns: u16) -> Self {
        let terminal = InMemoryTerm::new(lines, columns);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let size = ScreenSize { lines: lines.into(), columns: columns.into() };
        let screen = Screen::new(target, move || Some(size));
        Self::of(terminal, Box::new(Bars::new(look(Style::Bars, Verbosity::Normal), screen)))
    }

    fn lines(verbosity: Verbosity) -> Self {
        Self::of(InMemoryTerm::new(24, 80), Box::new(Lines::new(look(Style::Lines, verbosity))))
    }

    fn of(terminal: InMemoryTerm, renderer: Box<dyn Renderer>) -> Self {
        let (printer, data, said) = capture::printer();
        Self { terminal, renderer, printer, data, said, now: Instant::now() }
    }

    fn tell(&mut self, number: Option<usize>, event: &Event) {
        let name = number.map(name);
        self.renderer.event(name.as_deref(), event, self.now, &mut self.printer).unwrap();
    }

    fn wait(&mut self, seconds: f32) {
        self.now += Duration::from_secs_f32(seconds);
        self.renderer.catch_up(self.now);
    }

    fn end_box(&mut self, number: usize, outcome: BoxOutcome) {
        self.tell(Some(number), &fleet(FleetEvent::BoxEnded(outcome)));
    }

    /// A fleet that has come so far: the first boxes are done, the last ones wait, two have failed, one is slow, and one is
    /// trying again.
    fn underway(&mut self, boxes: usize) {
        self.tell(None, &listed());
        self.tell(None, &begun(boxes));
        let (finished, waiting) = (boxes / 5, boxes - boxes / 5);
        for number in 1..=waiting {
            self.tell(Some(number), &fleet(FleetEvent::BoxBegun));
            if number < waiting {
                self.tell(Some(number), &opened(Agent::Cached));
                self.tell(Some(number), &planned());
            }
        }
        self.wait(0.3);
        for number in 1..=finished {
            self.end_box(number, done());
        }
        self.end_box(finished + 2, no_space());
        for second in 1..=10 {
            for number in (finished + 1..waiting).filter(|number| *number != finished + 2) {
                let slow = if number == finished + 1 { 10 } else { 1 };
                let rate = (100_000_000 + 1_000_000 * number as u64) / slow;
                self.tell(Some(number), &progress(400_000_000 + rate * second, rate));
            }
            self.wait(1.0);
        }
        if boxes > 20 {
            self.end_box(waiting, unreachable(waiting));
            let why = "the link to the agent broke: it was reset".to_owned();
            let wait = Duration::from_secs(2);
            self.tell(Some(finished + 9), &Event::Reconnecting { why, attempt: 3, of: 8, wait });
        }
        self.wait(1.0);
    }

    fn finish(&mut self, boxes: usize) {
        let outcome = |number| match number {
            17 | 44 => no_space(),
            101 => unreachable(101),
            _ => done(),
        };
        for number in 1..=boxes {
            self.end_box(number, outcome(number));
        }
        self.tell(None, &ended(boxes, outcome));
        self.renderer.finish();
    }
}

#[test]
fn a_fleet_that_fits_has_a_row_for_each_box() {
    let mut screen = FleetScreen::bars(24, 80);
    screen.underway(5);
    assert_eq!(screen.terminal.contents(), picture!("screen-5-80x24.txt"));
    let mut screen = FleetScreen::bars(40, 120);
    screen.underway(5);
    assert_eq!(screen.terminal.contents(), picture!("screen-5-120x40.txt"));
}

#[test]
fn a_large_fleet_shows_what_is_wrong_and_counts_the_rest() {
    let mut screen = FleetScreen::bars(24, 80);
    screen.underway(200);
    assert_eq!(screen.terminal.contents(), picture!("screen-200-80x24.txt"));
    let mut screen = FleetScreen::bars(40, 120);
    screen.underway(200);
    assert_eq!(screen.terminal.contents(), picture!("screen-200-120x40.txt"));
}

#[test]
fn a_low_and_a_narrow_terminal_show_what_they_can() {
    for (lines, columns) in [(2, 80), (3, 80), (5, 80), (24, 40), (24, 26), (24, 16)] {
        let mut screen = FleetScreen::bars(lines, columns);
        screen.underway(200);
        let contents = screen.terminal.contents();
        assert!(contents.lines().all(|line| line.chars().count() <= columns.into()), "{contents}");
        if lines >= 3 && columns >= 40 {
            assert!(contents.contains("of 200"), "{lines}×{columns}: {contents}");
        }
    }
    let mut screen = FleetScreen::bars(5, 80);
    screen.underway(200);
    assert_snapshot!("200_boxes_80x5", screen.terminal.contents());
}

#[test]
fn rows_stay_where_they_are_until_their_boxes_have_ended() {
    let mut screen = FleetScreen::bars(24, 80);
    screen.underway(200);
    let row = |screen: &FleetScreen, number: usize| {
        let contents = screen.terminal.contents();
        contents.lines().position(|line| line.trim_start().starts_with(&name(number)))
    };
    let (first, last) = (row(&screen, 43).unwrap(), row(&screen, 48).unwrap());
    screen.end_box(45, done());
    screen.wait(1.0);
    assert_eq!((row(&screen, 43), row(&screen, 48), row(&screen, 45)), (Some(first), Some(last), None));
}

#[test]
fn nothing_that_moves_remains_and_equal_ends_are_told_at_once() {
    let mut screen = FleetScreen::bars(60, 120);
    screen.underway(200);
    screen.finish(200);
    assert_snapshot!("200_boxes_ended", screen.terminal.contents());
}

#[test]
fn a_log_has_a_line_per_box_and_the_total_now_and_then() {
    let mut screen = FleetScreen::lines(Verbosity::Normal);
    screen.underway(5);
    screen.finish(5);
    assert_snapshot!(screen.said.text(), @"
    openai-community/gpt2 @ 607a30d · 26 files · 5.2 GB
    5 boxes
    gpu001: done, 13 GB
    gpu003: failed: no space (needs 13 GB, 9.0 GB free)
    gpu001: done, 13 GB
    gpu002: done, 13 GB
    gpu003: done, 13 GB
    gpu004: done, 13 GB
    gpu005: done, 13 GB
    5 boxes: done, 13 GB each · $0.52
    total: 5 boxes · 65 GB in 2 m 04 s (524 MB/s) · 1.2 GB not fetched again · $0.52, < $0.01 saved, without 3 boxes of unknown price
    ");
    assert_eq!(screen.data.text(), "");
}

#[test]
fn quiet_has_what_failed_and_nothing_else() {
    let mut screen = FleetScreen::lines(Verbosity::Quiet);
    screen.underway(200);
    screen.finish(200);
    assert_snapshot!(screen.said.text(), @"
    error: gpu017 (and 1 other): cannot fetch acme/large to /workspace
    caused by: there is no space

    hint: make room

    error: gpu101: cannot reach root@10.0.0.101:22
    caused by: 10.0.0.101:22 refused the connection

    hint: check the port, then try again

    gpu[017,044]: no space (needs 13 GB, 9.0 GB free) · $0.03
    gpu101: unreachable: connection refused
    ");
}

#[test]
fn what_many_boxes_say_is_said_once() {
    let mut screen = FleetScreen::lines(Verbosity::Normal);
    screen.tell(None, &begun(50));
    for number in 1..=50 {
        screen.tell(Some(number), &Event::Warning { text: "the disk can't lock files".to_owned() });
        let why = format!("10.0.0.{number}:22 refused the connection");
        screen.tell(Some(number), &Event::NotReady { why, left: Duration::from_secs(180) });
    }
    screen.tell(Some(7), &Event::Warning { text: "another one".to_owned() });
    screen.finish(50);
    let said = screen.said.text();
    let said: Vec<_> = said.lines().filter(|line| !line.contains(": done")).collect();
    assert_snapshot!(said.join("\n"), @"
    50 boxes
    gpu001: warning: the disk can't lock files
    gpu001: 10.0.0.1:22 refused the connection; a box that was just started does that: trying for 3 m 00 s
    gpu007: warning: another one
    gpu017: failed: no space (needs 13 GB, 9.0 GB free)
    gpu044: failed: no space (needs 13 GB, 9.0 GB free)
    the same on 49 others, gpu[002-050]: warning: the disk can't lock files
    the same on 49 others, gpu[002-050]: 10.0.0.1:22 refused the connection; a box that was just started does that: trying for 3 m 00 s
    error: gpu017 (and 1 other): cannot fetch acme/large to /workspace
    caused by: there is no space

    hint: make room

    gpu[017,044]: no space (needs 13 GB, 9.0 GB free)
    total: 48 of 50 boxes · 624 GB in 2 m 04 s (5.0 GB/s) · $6.24, without 25 boxes of unknown price
    ");
}

#[test]
fn plans_of_a_dry_run_are_gathered_and_summed_up() {
    let mut screen = FleetScreen::lines(Verbosity::Normal);
    screen.tell(None, &begun(50));
    let outcome = |number: usize| {
        let tally = Tally { intent: Intent::DryRun, ..Tally::default() };
        let exit = Exit::Done;
        if number == 9 {
            unreachable(9)
        } else {
            BoxOutcome { exit, ending: BoxEnding::Finished(tally), elapsed: Duration::ZERO }
        }
    };
    for number in (1..=50).filter(|number| *number != 9) {
        let plan =
            if number < 40 { Plan::of(simple_files()) } else { Plan::of([keep("a", 9_000, Proof::Read)]) };
        screen.tell(Some(number), &plan_event(plan, Intent::DryRun));
        screen.end_box(number, outcome(number));
    }
    screen.end_box(9, unreachable(9));
    screen.tell(None, &ended(50, outcome));
    assert_snapshot!(screen.data.text(), @"
    11 boxes, gpu[040-050]: nothing to do, 1 file there already
    38 boxes, gpu[001-008,010-039]: fetch 2 files (548 MB), keep 1
    ");
    let said = screen.said.text();
    let end: Vec<_> = said.lines().rev().take(2).collect();
    assert_snapshot!(end.join("\n"), @"
    total: 49 of 50 boxes · 21 GB to fetch · $0.21, without 25 boxes of unknown price · dry run: nothing was changed
    gpu009: unreachable: connection refused
    ");
}

#[test]
fn programs_have_an_object_per_box_and_one_for_all() {
    let mut screen =
        FleetScreen::of(InMemoryTerm::new(24, 80), Box::new(Json::new(look(Style::Json, Verbosity::Normal))));
    screen.tell(None, &begun(3));
    for number in 1..=2 {
        screen.tell(Some(number), &fleet(FleetEvent::BoxBegun));
        screen.tell(Some(number), &planned());
    }
    let outcome = |number| match number {
        1 => done(),
        2 => no_space(),
        _ => BoxOutcome { exit: Exit::Cancelled, ending: BoxEnding::NotBegun, elapsed: Duration::ZERO },
    };
    for number in 1..=3 {
        screen.end_box(number, outcome(number));
    }
    screen.tell(None, &ended(3, outcome));
    let data = screen.data.text();
    let lines: Vec<_> = data.lines().filter(|line| !line.contains(r#""type":"plan""#)).collect();
    assert_snapshot!(lines.join("\n"), @r#"
    {"type":"fleet","boxes":[{"name":"gpu001","ssh":"ssh -p 22 root@10.0.0.1","folder":"/workspace","dollars_per_tb":null},{"name":"gpu002","ssh":"ssh -p 22 root@10.0.0.2","folder":"/workspace","dollars_per_tb":20.0},{"name":"gpu003","ssh":"ssh -p 22 root@10.0.0.3","folder":"/workspace","dollars_per_tb":null}],"jobs":256}
    {"type":"box_started","box":"gpu001"}
    {"type":"box_started","box":"gpu002"}
    {"type":"box_finished","outcome":"done","text":"done, 13 GB","exit_code":0,"placed":1,"failed":0,"kept":0,"kept_bytes":0,"resumed":400000000,"to_fetch":13000000000,"fetched":13000000000,"removed":0,"retries":0,"elapsed_seconds":123.0,"rate":108333333,"dollars":null,"dollars_saved":null,"dollars_to_fetch":null,"error":null,"box":"gpu001"}
    {"type":"error","message":"cannot fetch acme/large to /workspace","causes":["there is no space"],"hint":"make room","exit_code":1,"box":"gpu002"}
    {"type":"box_finished","outcome":"failed","text":"no space (needs 13 GB, 9.0 GB free)","exit_code":1,"placed":0,"failed":0,"kept":0,"kept_bytes":0,"resumed":400000000,"to_fetch":13000000000,"fetched":0,"removed":0,"retries":0,"elapsed_seconds":7.0,"rate":null,"dollars":0.0,"dollars_saved":0.008,"dollars_to_fetch":0.26,"error":"cannot fetch acme/large to /workspace: there is no space","box":"gpu002"}
    {"type":"box_finished","outcome":"not_begun","text":"not begun","exit_code":130,"placed":0,"failed":0,"kept":0,"kept_bytes":0,"resumed":0,"to_fetch":null,"fetched":0,"removed":0,"retries":0,"elapsed_seconds":0.0,"rate":null,"dollars":null,"dollars_saved":null,"dollars_to_fetch":null,"error":null,"box":"gpu003"}
    {"type":"fleet_finished","boxes":3,"done":1,"failed":1,"stopped":1,"to_fetch":26000000000,"fetched":13000000000,"not_fetched":800000000,"retries":0,"rate":104838709,"dollars":0.0,"dollars_saved":0.008,"dollars_to_fetch":0.26,"unpriced":2,"elapsed_seconds":124.0,"exit_code":3,"groups":[{"outcome":"done","text":"done, 13 GB","exit_code":0,"count":1,"boxes":"gpu001"},{"outcome":"failed","text":"no space (needs 13 GB, 9.0 GB free)","exit_code":1,"count":1,"boxes":"gpu002"},{"outcome":"not_begun","text":"not begun","exit_code":130,"count":1,"boxes":"gpu003"}]}
    "#);
    assert_eq!(
        screen.said.text().lines().next().unwrap(),
        "error: gpu002: cannot fetch acme/large to /workspace"
    );
}
