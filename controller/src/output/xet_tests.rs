//! Runs of which some files come compressed.

use hfdown_protocol::FailureKind;
use insta::assert_snapshot;

use super::json::Json;
use super::lines::Lines;
use super::printer::capture;
use super::renderer::Renderer as _;
use super::sample::{self, look, outcome, path, plan, simple};
use super::style::{Style, Verbosity};
use crate::event::Event;
use crate::plan::{Intent, Plan};
use crate::routes::XetRoute;
use crate::tally::Tally;

/// The simple plan, where so many bytes travel for the large file.
fn compressed(wire: u64) -> Plan {
    let mut plan = simple();
    plan.routes.take(hfdown_protocol::FileId(0), XetRoute { wire });
    plan
}

fn said(verbosity: Verbosity, events: &[Event]) -> String {
    let (mut printer, _, conversation) = capture::printer();
    let mut lines = Lines::new(look(Style::Lines, verbosity));
    for event in events {
        lines.event(None, event, std::time::Instant::now(), &mut printer).unwrap();
    }
    conversation.text()
}

#[test]
fn what_travels_is_told_where_it_is_less() {
    let finished = |fetched| Event::Finished(Tally { fetched, written: 548_000_665, ..outcome() });
    let none = Tally { fetched: 0, written: 0, placed: 0, ..outcome() };
    assert_snapshot!(
        [
            said(Verbosity::Normal, &[plan(compressed(474_000_000), Intent::Execute), finished(474_000_665)]),
            said(Verbosity::Normal, &[plan(compressed(600_000_000), Intent::Execute), finished(600_000_665)]),
            said(Verbosity::Normal, &[plan(simple(), Intent::Execute), finished(474_000_665)]),
            said(Verbosity::Normal, &[plan(compressed(1), Intent::Execute), Event::Finished(none)]),
        ]
        .concat(),
        @"
    plan: fetch 2 files (548 MB, 474 MB over the wire), keep 1
    done: 2 files, 548 MB in 4.6 s (119 MB/s), 474 MB over the wire · 1 already there (1.0 MB) · every byte proved
    plan: fetch 2 files (548 MB), keep 1
    done: 2 files, 600 MB in 4.6 s (130 MB/s) · 1 already there (1.0 MB) · every byte proved
    plan: fetch 2 files (548 MB), keep 1
    done: 2 files, 474 MB in 4.6 s (103 MB/s) · 1 already there (1.0 MB) · every byte proved
    plan: fetch 2 files (548 MB, 666 B over the wire), keep 1
    done: 1 file (1.0 MB) already there, in 4.9 s · every byte proved
    "
    );
}

#[test]
fn a_store_that_is_of_no_use_is_told_to_those_who_want_to_know() {
    let failure = || sample::failure(FailureKind::Unreachable);
    let events = [
        Event::FellBack { path: None, failure: failure() },
        Event::FellBack { path: Some(path("model.safetensors")), failure: failure() },
    ];
    assert_eq!(said(Verbosity::Normal, &events), "");
    assert_snapshot!(said(Verbosity::Verbose, &events), @"
    without Xet: some files: it does not work
    without Xet: model.safetensors: it does not work
    ");
    let (mut printer, data, _) = capture::printer();
    let mut json = Json::new(look(Style::Json, Verbosity::Normal));
    for event in &events {
        json.event(None, event, std::time::Instant::now(), &mut printer).unwrap();
    }
    assert_snapshot!(data.text(), @r#"
    {"type":"fell_back","path":null,"kind":"unreachable","why":"it does not work"}
    {"type":"fell_back","path":"model.safetensors","kind":"unreachable","why":"it does not work"}
    "#);
}
