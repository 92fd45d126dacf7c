//! Fleets for tests: boxes that come along at different rates, some of which fail.

use std::sync::Arc;
use std::time::Duration;

use hfdown_protocol::{End, FailureKind, Scarcity};

use crate::event::{Event, Progress};
use crate::failure::kind_in_brief;
use crate::fleet::{BoxEnding, BoxOutcome, FleetEvent, FleetOutcome, FleetTarget, Price};
use crate::output::sample;
use crate::plan::{Intent, Plan};
use crate::problem::{Exit, Problem};
use crate::tally::Tally;

/// What each box is to have.
pub(super) const SIZE: u64 = 13_400_000_000;

pub(super) fn name(number: usize) -> String {
    format!("gpu{number:03}")
}

pub(super) fn begun(boxes: usize) -> Event {
    let target = |number| FleetTarget {
        name: name(number).into(),
        ssh: format!("ssh -p 22 root@10.0.0.{number}"),
        folder: Some("/workspace".to_owned()),
        price: (number % 2 == 0).then_some(Price { dollars_per_tb: 20.0 }),
    };
    fleet(FleetEvent::Begun { targets: (1..=boxes).map(target).collect(), jobs: 256 })
}

pub(super) fn fleet(event: FleetEvent) -> Event {
    Event::Fleet(Box::new(event))
}

pub(super) fn planned() -> Event {
    let files = [sample::fetch("model.safetensors", SIZE, crate::plan::Reason::Missing, 400_000_000)];
    sample::plan(Plan::of(files), Intent::Execute)
}

pub(super) fn progress(done: u64, rate: u64) -> Event {
    let left = (SIZE - done).checked_div(rate).map(Duration::from_secs);
    Event::Progress(Progress { done, total: SIZE, rate, left, in_flight: Vec::new() })
}

pub(super) fn done() -> BoxOutcome {
    let tally = Tally {
        to_fetch: 1,
        placed: 1,
        fetched: SIZE - 400_000_000,
        written: SIZE,
        transfer: Duration::from_secs(120),
        elapsed: Duration::from_secs(123),
        end: End::Complete,
        ..Tally::default()
    };
    let ending = BoxEnding::Finished(tally);
    BoxOutcome { exit: Exit::Done, ending, elapsed: Duration::from_secs(123) }
}

pub(super) fn failed(problem: Problem) -> BoxOutcome {
    BoxOutcome { exit: problem.exit, ending: BoxEnding::Failed(problem), elapsed: Duration::from_secs(7) }
}

pub(super) fn unreachable(number: usize) -> BoxOutcome {
    let problem = Problem::new(Exit::Unreachable, format!("cannot reach root@10.0.0.{number}:22"))
        .because(format!("10.0.0.{number}:22 refused the connection"))
        .hint("check the port, then try again")
        .in_brief("unreachable: connection refused");
    failed(problem)
}

pub(super) fn no_space() -> BoxOutcome {
    let kind = FailureKind::NoSpace { needed: SIZE, free: 9_000_000_000, scarcity: Scarcity::Bytes };
    let problem = Problem::new(Exit::Failed, "cannot fetch acme/large to /workspace")
        .because("there is no space")
        .hint("make room")
        .in_brief(kind_in_brief(kind));
    failed(problem)
}

/// What every box has come to, by its number.
pub(super) fn ended(boxes: usize, of: impl Fn(usize) -> BoxOutcome) -> Event {
    let outcomes: Vec<_> = (1..=boxes).map(|number| (Arc::from(name(number).as_str()), of(number))).collect();
    let exit = FleetOutcome::exit_of(&outcomes, false);
    let fleet_outcome = FleetOutcome { boxes: outcomes, exit, elapsed: Duration::from_secs(124) };
    fleet(FleetEvent::Ended(Arc::new(fleet_outcome)))
}
