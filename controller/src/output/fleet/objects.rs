//! A fleet in `--json`.

use crate::board::{Board, BoardTotals, BoxRecord, FleetTotals, groups, outcome};
use crate::fleet::{BoxEnding, BoxOutcome, FleetOutcome, FleetTarget, fold};
use crate::output::object::{FleetGroup, FleetTargetFields, Object, Seconds};
use crate::problem::Problem;
use crate::text::units::mean_rate;

/// A command for many boxes begins.
pub(in crate::output) fn fleet_begun(targets: &[FleetTarget], jobs: usize) -> Object<'_> {
    let boxes = targets.iter().map(|FleetTarget { name, ssh, folder, price }| FleetTargetFields {
        name,
        ssh,
        folder: folder.as_deref(),
        dollars_per_tb: price.map(|price| price.dollars_per_tb),
    });
    Object::Fleet { boxes: boxes.collect(), jobs }
}

/// What has become of a box.
pub(in crate::output) fn box_finished<'a>(record: &'a BoxRecord, ended: &'a BoxOutcome) -> Object<'a> {
    let (name, words) = outcome(record, ended);
    let tally = record.tally();
    let problem = match &ended.ending {
        BoxEnding::Failed(problem) => Some(problem),
        _ => None,
    };
    let cost = record.cost();
    Object::BoxFinished {
        outcome: name,
        text: words,
        exit_code: ended.exit.code(),
        placed: tally.placed,
        failed: tally.failed(),
        kept: tally.kept,
        kept_bytes: tally.kept_bytes,
        resumed: record.plan.map_or(0, |plan| plan.resumed()),
        to_fetch: record.plan.map(|plan| plan.missing),
        fetched: tally.fetched,
        removed: tally.removed,
        retries: record.retries,
        elapsed_seconds: Seconds(ended.elapsed),
        rate: mean_rate(tally.fetched, tally.transfer).filter(|_| tally.fetched > 0),
        dollars: cost.map(|cost| cost.fetched),
        dollars_saved: cost.map(|cost| cost.spared),
        error: problem.map(Problem::in_one_line),
    }
}

/// What has become of all of them.
pub(in crate::output) fn fleet_finished(board: &Board, fleet: &FleetOutcome) -> Object<'static> {
    let BoardTotals { boxes, done, failed, stopped, .. } = BoardTotals::of(board);
    let totals = FleetTotals::of(board);
    let groups = groups(board).into_iter().map(|group| FleetGroup {
        outcome: group.name,
        text: group.words,
        exit_code: group.exit.code(),
        count: group.names.len(),
        boxes: fold(group.names.iter().map(|name| &**name)),
    });
    Object::FleetFinished {
        boxes,
        done,
        failed,
        stopped,
        fetched: totals.fetched,
        not_fetched: totals.spared,
        retries: totals.retries,
        elapsed_seconds: Seconds(fleet.elapsed),
        rate: totals.rate(fleet.elapsed),
        dollars: totals.cost.map(|cost| cost.fetched),
        dollars_saved: totals.cost.map(|cost| cost.spared),
        unpriced: totals.cost.map(|_| totals.unpriced),
        exit_code: fleet.exit.code(),
        groups: groups.collect(),
    }
}
