//! A report as a value: what its JSON is, and what its page is drawn from.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::timeline::Timeline;
use crate::board::{Board, BoxRecord, FleetTotals, groups, outcome};
use crate::fleet::{BoxEnding, fold};
use crate::problem::{Exit, Problem};
use crate::text::units::{instant, mean_rate};

/// The first form of the file. Fields are added, never renamed or removed.
const FORM: u32 = 1;

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct ReportDocument {
    form: u32,
    pub(super) hfdown: &'static str,
    pub(super) model: Option<String>,
    pub(super) commit: Option<String>,
    /// UTC.
    pub(super) began: String,
    pub(super) elapsed_seconds: f64,
    pub(super) exit_code: u8,
    /// The error that ended all of it, if one did.
    pub(super) error: Option<String>,
    pub(super) totals: ReportTotals,
    pub(super) groups: Vec<ReportGroup>,
    pub(super) boxes: Vec<ReportBox>,
}

/// All boxes together.
#[derive(Debug, Serialize)]
pub(super) struct ReportTotals {
    pub(super) boxes: usize,
    /// Those that ended with exit code 0.
    pub(super) done: usize,
    pub(super) fetched: u64,
    pub(super) not_fetched: u64,
    pub(super) retries: u32,
    pub(super) rate: Option<u64>,
    pub(super) dollars: Option<f64>,
    pub(super) dollars_saved: Option<f64>,
    /// Boxes without a known price, where some have one.
    pub(super) unpriced: Option<usize>,
}

/// Boxes that came to the same end.
#[derive(Debug, Serialize)]
pub(super) struct ReportGroup {
    pub(super) outcome: &'static str,
    pub(super) text: String,
    pub(super) exit_code: u8,
    pub(super) count: usize,
    pub(super) boxes: String,
}

/// One of them.
#[derive(Debug, Serialize)]
pub(super) struct ReportBox {
    pub(super) name: String,
    pub(super) outcome: &'static str,
    pub(super) text: String,
    pub(super) exit_code: u8,
    pub(super) error: Option<String>,
    pub(super) placed: u32,
    pub(super) failed: u32,
    pub(super) kept: u32,
    pub(super) kept_bytes: u64,
    pub(super) resumed: u64,
    pub(super) fetched: u64,
    pub(super) retries: u32,
    pub(super) elapsed_seconds: f64,
    pub(super) rate: Option<u64>,
    pub(super) dollars: Option<f64>,
    pub(super) dollars_saved: Option<f64>,
    pub(super) timeline: ReportTimeline,
}

/// How it came along: seconds from the start.
#[derive(Debug, Serialize)]
pub(super) struct ReportTimeline {
    /// Seconds, and bytes on disk.
    pub(super) bytes: Vec<(f64, u64)>,
    /// Of so many.
    pub(super) of_bytes: u64,
    /// When a state began.
    pub(super) states: Vec<(f64, &'static str)>,
    /// When something was tried again.
    pub(super) retries: Vec<f64>,
}

impl ReportDocument {
    pub(super) fn new(
        board: &Board,
        timelines: &[Timeline],
        began: SystemTime,
        elapsed: Duration,
        outcome: &Result<Exit, Problem>,
    ) -> Self {
        let exit = match outcome {
            Ok(exit) => *exit,
            Err(problem) => problem.exit,
        };
        let totals = FleetTotals::of(board);
        let done = board.boxes().iter().filter(|record| exit_of(record) == Exit::Done).count();
        let boxes = board.boxes().iter().zip(timelines);
        Self {
            form: FORM,
            hfdown: env!("CARGO_PKG_VERSION"),
            model: board.model().map(|(model, _)| model.to_owned()),
            commit: board.model().map(|(_, commit)| commit.to_owned()).filter(|commit| !commit.is_empty()),
            began: instant(began),
            elapsed_seconds: elapsed.as_secs_f64(),
            exit_code: exit.code(),
            error: outcome.as_ref().err().map(Problem::in_one_line),
            totals: ReportTotals {
                boxes: board.boxes().len(),
                done,
                fetched: totals.fetched,
                not_fetched: totals.spared,
                retries: totals.retries,
                rate: totals.rate(elapsed),
                dollars: totals.cost.map(|cost| cost.fetched),
                dollars_saved: totals.cost.map(|cost| cost.spared),
                unpriced: totals.cost.map(|_| totals.unpriced),
            },
            groups: groups(board)
                .into_iter()
                .map(|group| ReportGroup {
                    outcome: group.name,
                    text: group.words,
                    exit_code: group.exit.code(),
                    count: group.names.len(),
                    boxes: fold(group.names.iter().map(|name| &**name)),
                })
                .collect(),
            boxes: boxes.map(|(record, timeline)| ReportBox::new(record, timeline)).collect(),
        }
    }
}

fn exit_of(record: &BoxRecord) -> Exit {
    record.outcome.as_ref().map_or(Exit::Failed, |outcome| outcome.exit)
}

impl ReportBox {
    fn new(record: &BoxRecord, timeline: &Timeline) -> Self {
        let ended = record.outcome.as_ref();
        let (word, text) = ended.map_or_else(|| ("unknown", String::new()), |ended| outcome(record, ended));
        let error = ended.and_then(|ended| match &ended.ending {
            BoxEnding::Failed(problem) => Some(problem.in_one_line()),
            _ => None,
        });
        let (tally, cost) = (record.tally(), record.cost());
        let elapsed = ended.map_or(Duration::ZERO, |ended| ended.elapsed);
        Self {
            name: if record.name.is_empty() { "here".to_owned() } else { record.name.to_string() },
            outcome: word,
            text,
            exit_code: exit_of(record).code(),
            error,
            placed: tally.placed,
            failed: tally.failed(),
            kept: tally.kept,
            kept_bytes: tally.kept_bytes,
            resumed: record.plan.map_or(0, |plan| plan.resumed()),
            fetched: tally.fetched,
            retries: record.retries,
            elapsed_seconds: elapsed.as_secs_f64(),
            rate: mean_rate(tally.fetched, tally.transfer).filter(|_| tally.fetched > 0),
            dollars: cost.map(|cost| cost.fetched),
            dollars_saved: cost.map(|cost| cost.spared),
            timeline: ReportTimeline::of(timeline),
        }
    }
}

impl ReportTimeline {
    fn of(timeline: &Timeline) -> Self {
        let seconds = |at: u64| at as f64 / 1_000.0;
        Self {
            bytes: timeline.points.iter().map(|point| (seconds(point.at), point.bytes)).collect(),
            of_bytes: timeline.total,
            states: timeline.states.iter().map(|(at, state)| (seconds(*at), state.word())).collect(),
            retries: timeline.retries.iter().map(|at| seconds(*at)).collect(),
        }
    }
}
