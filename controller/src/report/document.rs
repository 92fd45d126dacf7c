//! A report as a value: what its JSON is, and what its page is drawn from.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::timeline::Timeline;
use crate::board::{Board, BoxFields, BoxRecord, FleetFields, GroupFields};
use crate::problem::{Exit, Problem};
use crate::text::units::instant;

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
    pub(super) totals: FleetFields,
    pub(super) groups: Vec<GroupFields>,
    pub(super) boxes: Vec<ReportBox>,
}

/// One of them.
#[derive(Debug, Serialize)]
pub(super) struct ReportBox {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) fields: BoxFields,
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
            totals: FleetFields::of(board, elapsed),
            groups: GroupFields::of(board),
            boxes: boxes.map(|(record, timeline)| ReportBox::new(record, timeline)).collect(),
        }
    }
}

impl ReportBox {
    fn new(record: &BoxRecord, timeline: &Timeline) -> Self {
        Self {
            name: if record.name.is_empty() { "here".to_owned() } else { record.name.to_string() },
            fields: BoxFields::of(record),
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
