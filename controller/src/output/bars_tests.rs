//! Events in, a screen out: indicatif's own terminal in memory.

use std::io::Write;

use hfdown_protocol::FailureKind;
use indicatif::InMemoryTerm;
use insta::assert_snapshot;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::event::Agent;
use crate::output::printer::capture::{self, Captured};
use crate::output::sample::{self, BOX, look, plan, simple};
use crate::output::style::{Style, Verbosity};
use crate::plan::Intent;
use crate::problem::Exit;

/// Bars on a terminal in memory, with a clock of their own.
struct FakeScreen {
    terminal: InMemoryTerm,
    bars: Bars,
    printer: Printer,
    data: Captured,
    said: Captured,
    now: Instant,
}

impl FakeScreen {
    fn new(columns: u16) -> Self {
        let terminal = InMemoryTerm::new(24, columns);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let screen = Screen::new(target, move || Some(ScreenSize { lines: 24, columns: columns.into() }));
        let bars = Bars::new(look(Style::Bars, Verbosity::Normal), screen);
        let (printer, data, said) = capture::printer();
        Self { terminal, bars, printer, data, said, now: Instant::now() }
    }

    /// Tells an event, 100 ms after the one before.
    fn tell(&mut self, name: Option<&str>, event: &Event) {
        self.now += Duration::from_millis(100);
        self.bars.event(name, event, self.now, &mut self.printer).unwrap();
    }

    fn sample(&mut self, name: Option<&str>) {
        self.tell(name, &Event::Progress(sample::progress()));
    }
}

#[test]
fn a_long_listing_is_a_row_that_goes() {
    let mut screen = FakeScreen::new(80);
    for page in 1..=3 {
        screen.tell(None, &Event::Listing { files: 1_000 * page });
    }
    assert_eq!(screen.terminal.contents(), "");
    screen.tell(None, &Event::Listing { files: 312_000 });
    assert_eq!(screen.terminal.contents(), "  listing: 312,000 files so far");
    // A run on a box asks the Hub as well.
    screen.tell(Some(BOX), &sample::listed());
    assert_eq!(screen.terminal.contents(), "openai-community/gpt2 @ 607a30d · 26 files · 5.2 GB");
}

#[test]
fn a_run_shows_bars_and_leaves_sentences() {
    let mut screen = FakeScreen::new(80);
    for event in [sample::listed(), sample::opened(Agent::Cached)] {
        screen.tell(Some(BOX), &event);
    }
    for _ in 0..5 {
        screen.tell(Some(BOX), &Event::Surveying { read: 340, of: 1_000 });
    }
    assert_snapshot!(screen.terminal.contents(), @"
    openai-community/gpt2 @ 607a30d · 26 files · 5.2 GB
    142.214.185.187:20544 · linux x86_64 · 118 GB free · agent ready in 0.8 s
      142.214.185.187:20544  checking 34 % of 1.0 kB
    ");
    screen.tell(Some(BOX), &plan(simple(), Intent::Execute));
    for _ in 0..5 {
        screen.sample(Some(BOX));
    }
    assert_snapshot!(screen.terminal.contents(), @"
    openai-community/gpt2 @ 607a30d · 26 files · 5.2 GB
    142.214.185.187:20544 · linux x86_64 · 118 GB free · agent ready in 0.8 s
    plan: fetch 2 files (548 MB), keep 1
      model.safetensors      ━━━━━━━━━       70 %  389 MB  118 MB/s
      142.214.185.187:20544  ━━━━━━━━━╸      73 %  405 MB  121 MB/s  1 s left
    ");
    screen.tell(Some(BOX), &Event::Finished(sample::outcome()));
    screen.bars.finish();
    assert_snapshot!(screen.terminal.contents(), @"
    openai-community/gpt2 @ 607a30d · 26 files · 5.2 GB
    142.214.185.187:20544 · linux x86_64 · 118 GB free · agent ready in 0.8 s
    plan: fetch 2 files (548 MB), keep 1
    done: 2 files, 548 MB in 4.6 s (119 MB/s) · 1 already there (1.0 MB) · every byt
    e proved
    ");
    assert_eq!((screen.data.text(), screen.said.text()), (String::new(), String::new()));
}

#[test]
fn steps_aside_for_a_prompt_and_comes_back() {
    let mut screen = FakeScreen::new(80);
    screen.tell(None, &sample::listed());
    for _ in 0..5 {
        screen.sample(None);
    }
    let drawn = screen.terminal.contents();
    screen.bars.step_aside();
    assert_snapshot!(screen.terminal.contents(), @"openai-community/gpt2 @ 607a30d · 26 files · 5.2 GB");
    screen.sample(None);
    assert_eq!(screen.terminal.contents(), drawn);
}

#[test]
fn what_is_over_soon_has_no_bar() {
    let mut screen = FakeScreen::new(120);
    for shown in [false, false, false, true] {
        screen.sample(None);
        assert_eq!(!screen.terminal.contents().is_empty(), shown);
    }
    screen.tell(None, &Event::Finished(sample::outcome()));
    screen.sample(None);
    assert_eq!(screen.terminal.contents().lines().count(), 1, "the next one waits again");
}

#[test]
fn sentences_go_above_the_bars() {
    let mut screen = FakeScreen::new(40);
    for _ in 0..4 {
        screen.sample(None);
    }
    let failure = sample::failure(FailureKind::NotFound);
    screen.tell(None, &Event::Failed { path: "config.json".to_owned(), failure });
    let log = screen.bars.log(&screen.printer);
    log.make_writer().write_all(b"a line of a log\n").unwrap();
    assert_snapshot!(screen.terminal.contents(), @"
    error: cannot fetch config.json: it does
     not work
    a line of a log
      model.…rs   70 %  118 MB/s
      total       73 %  121 MB/s  1 s
    ");
}

#[test]
fn fewer_files_leave_no_row_behind() {
    let mut screen = FakeScreen::new(80);
    for _ in 0..4 {
        screen.sample(None);
    }
    let over = crate::event::Progress { in_flight: Vec::new(), ..sample::progress() };
    screen.tell(None, &Event::Progress(over));
    assert_eq!(screen.terminal.contents().lines().count(), 1);
}

#[test]
fn boxes_share_the_screen_and_are_named_from_the_second_on() {
    let mut screen = FakeScreen::new(80);
    for name in ["oslo", "rome"] {
        screen.tell(Some(name), &sample::opened(Agent::Cached));
        screen.tell(Some(name), &plan(simple(), Intent::Execute));
    }
    for _ in 0..3 {
        screen.sample(Some("oslo"));
        screen.sample(Some("rome"));
    }
    assert_snapshot!(screen.terminal.contents(), @"
    oslo · linux x86_64 · 118 GB free · agent ready in 0.8 s
    plan: fetch 2 files (548 MB), keep 1
    rome: linux x86_64 · 118 GB free · agent ready in 0.8 s
    rome: plan: fetch 2 files (548 MB), keep 1
      oslo  ━━━━━━━━━━━━━━━━━━━━━━           73 %  405 MB  121 MB/s  1 s left
      rome  ━━━━━━━━━━━━━━━━━━━━━━           73 %  405 MB  121 MB/s  1 s left
    ");
    screen.tell(Some("oslo"), &Event::Finished(sample::outcome()));
    assert_snapshot!(screen.terminal.contents(), @"
    oslo · linux x86_64 · 118 GB free · agent ready in 0.8 s
    plan: fetch 2 files (548 MB), keep 1
    rome: linux x86_64 · 118 GB free · agent ready in 0.8 s
    rome: plan: fetch 2 files (548 MB), keep 1
    oslo: done: 2 files, 548 MB in 4.6 s (119 MB/s) · 1 already there (1.0 MB) · eve
    ry byte proved
      model.safetensors  ━━━━━━━━━━━━        70 %  389 MB  118 MB/s
      rome               ━━━━━━━━━━━━╸       73 %  405 MB  121 MB/s  1 s left
    ");
}

#[test]
fn what_the_terminal_writes_for_ctrl_c_leaves_no_row_behind() {
    let mut screen = FakeScreen::new(80);
    for _ in 0..5 {
        screen.sample(None);
    }
    indicatif::TermLike::write_str(&screen.terminal, "^C").unwrap();
    screen.tell(None, &Event::Cancelling);
    screen.bars.finish();
    assert_eq!(screen.terminal.contents(), "stopping; press Ctrl-C again to end at once");
}

#[test]
fn an_error_is_the_last_thing_on_the_screen() {
    let mut screen = FakeScreen::new(80);
    for _ in 0..4 {
        screen.sample(None);
    }
    let problem = Problem::new(Exit::Unreachable, "cannot reach the box").because("it went away");
    screen.bars.problem(&problem, &mut screen.printer).unwrap();
    assert_eq!(screen.terminal.contents(), "", "no bar is left");
    assert_eq!(screen.said.text(), "error: cannot reach the box\ncaused by: it went away\n");
}

#[test]
fn a_dry_runs_data_goes_to_standard_output() {
    let mut screen = FakeScreen::new(80);
    screen.tell(None, &plan(simple(), Intent::DryRun));
    assert_snapshot!(screen.data.text(), @"
    fetch    548 MB  model.safetensors  (not there)
    fetch     665 B  config.json  (other size)
    ");
    assert_eq!(screen.terminal.contents(), "plan: fetch 2 files (548 MB), keep 1");
}

#[test]
fn where_nothing_can_be_drawn_sentences_are_printed() {
    let mut screen = FakeScreen::new(80);
    let hidden = Screen::new(ProgressDrawTarget::hidden(), || None);
    screen.bars = Bars::new(look(Style::Bars, Verbosity::Normal), hidden);
    screen.tell(None, &sample::listed());
    screen.bars.finish();
    screen.bars.log(&screen.printer).make_writer().write_all(b"a log\n").unwrap();
    assert_eq!(screen.said.text(), "openai-community/gpt2 @ 607a30d · 26 files · 5.2 GB\na log\n");
}
