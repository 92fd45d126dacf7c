//! What programs are told of each box and of all together, the same in `--json` and in a report. Fields are added, never
//! renamed or removed.

use std::time::Duration;

use serde::Serialize;

use super::fleet_board::Board;
use super::groups::{OutcomeGroup, groups, outcome};
use super::record::BoxRecord;
use super::totals::FleetTotals;
use crate::fleet::{BoxEnding, fold};
use crate::problem::Exit;
use crate::text::Seconds;
use crate::text::units::mean_rate;

/// One box.
#[derive(Debug, Serialize)]
pub(crate) struct BoxFields {
    pub(crate) outcome: &'static str,
    pub(crate) text: String,
    pub(crate) exit_code: u8,
    pub(crate) placed: u32,
    pub(crate) failed: u32,
    pub(crate) kept: u32,
    pub(crate) kept_bytes: u64,
    pub(crate) resumed: u64,
    /// Bytes that its plan missed.
    pub(crate) to_fetch: Option<u64>,
    pub(crate) fetched: u64,
    pub(crate) removed: u32,
    pub(crate) retries: u32,
    pub(crate) elapsed_seconds: Seconds,
    pub(crate) rate: Option<u64>,
    /// The price of what was fetched.
    pub(crate) dollars: Option<f64>,
    /// Of what was there.
    pub(crate) dollars_saved: Option<f64>,
    /// Of what its plan missed.
    pub(crate) dollars_to_fetch: Option<f64>,
    pub(crate) error: Option<String>,
}

/// All boxes together.
#[derive(Debug, Serialize)]
pub(crate) struct FleetFields {
    pub(crate) boxes: usize,
    /// Those that ended with exit code 0.
    pub(crate) done: usize,
    /// Those that did not, though they were not stopped.
    pub(crate) failed: usize,
    pub(crate) stopped: usize,
    /// Bytes that plans missed, where there were any.
    pub(crate) to_fetch: Option<u64>,
    pub(crate) fetched: u64,
    pub(crate) not_fetched: u64,
    pub(crate) retries: u32,
    pub(crate) rate: Option<u64>,
    pub(crate) dollars: Option<f64>,
    pub(crate) dollars_saved: Option<f64>,
    pub(crate) dollars_to_fetch: Option<f64>,
    /// Boxes without a known price, where some have one.
    pub(crate) unpriced: Option<usize>,
}

/// Boxes that came to the same end.
#[derive(Debug, Serialize)]
pub(crate) struct GroupFields {
    pub(crate) outcome: &'static str,
    pub(crate) text: String,
    pub(crate) exit_code: u8,
    pub(crate) count: usize,
    pub(crate) boxes: String,
}

impl BoxFields {
    /// Of one whose end may not be known.
    pub(crate) fn of(record: &BoxRecord) -> Self {
        let ended = record.outcome.as_ref();
        let (word, text) = ended.map_or_else(|| ("unknown", String::new()), |ended| outcome(record, ended));
        let error = ended.and_then(|ended| match &ended.ending {
            BoxEnding::Failed(problem) => Some(problem.in_one_line()),
            _ => None,
        });
        let (tally, cost) = (record.tally(), record.cost());
        Self {
            outcome: word,
            text,
            exit_code: record.exit().code(),
            placed: tally.placed,
            failed: tally.failed(),
            kept: tally.kept,
            kept_bytes: tally.kept_bytes,
            resumed: record.plan.map_or(0, |plan| plan.resumed()),
            to_fetch: record.plan.map(|plan| plan.missing),
            fetched: tally.fetched,
            removed: tally.removed,
            retries: record.retries,
            elapsed_seconds: Seconds(ended.map_or(Duration::ZERO, |ended| ended.elapsed)),
            rate: mean_rate(tally.fetched, tally.transfer).filter(|_| tally.fetched > 0),
            dollars: cost.map(|cost| cost.fetched),
            dollars_saved: cost.map(|cost| cost.spared),
            dollars_to_fetch: record.price_to_fetch(),
            error,
        }
    }
}

impl FleetFields {
    /// Of a command that took so long.
    pub(crate) fn of(board: &Board, elapsed: Duration) -> Self {
        let totals = FleetTotals::of(board);
        let boxes = board.boxes();
        let of = |is: fn(&BoxRecord) -> bool| boxes.iter().filter(|record| is(record)).count();
        let (done, stopped) = (of(|record| record.exit() == Exit::Done), of(BoxRecord::is_stopped));
        Self {
            boxes: boxes.len(),
            done,
            failed: boxes.len() - done - stopped,
            stopped,
            to_fetch: totals.to_fetch,
            fetched: totals.fetched,
            not_fetched: totals.spared,
            retries: totals.retries,
            rate: totals.rate(elapsed),
            dollars: totals.cost.map(|cost| cost.fetched),
            dollars_saved: totals.cost.map(|cost| cost.spared),
            dollars_to_fetch: totals.price_to_fetch,
            unpriced: totals.cost.map(|_| totals.unpriced),
        }
    }
}

impl GroupFields {
    /// The groups of a board.
    pub(crate) fn of(board: &Board) -> Vec<Self> {
        let fields = |OutcomeGroup { name, words, exit, names, .. }: OutcomeGroup| Self {
            outcome: name,
            text: words,
            exit_code: exit.code(),
            count: names.len(),
            boxes: fold(names.iter().map(|name| &**name)),
        };
        groups(board).into_iter().map(fields).collect()
    }
}
