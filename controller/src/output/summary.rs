//! The last sentence of a run: its result, and no more than is true.

use std::time::Duration;

use hfdown_protocol::{End, TransferStatus};

use crate::plan::{Intent, Plan};
use crate::tally::Tally;
use crate::text::units::{bytes, count, duration, mean_rate, rate};

/// A difference between the run and its transfer that is worth a word.
const OVERHEAD: Duration = Duration::from_secs(1);

/// What the plan promised, as far as the summary has to know.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PlanTotals {
    /// Files to fetch.
    to_fetch: usize,
    /// Kept files of which only the size is known.
    by_size: usize,
    /// Whether some of them come compressed.
    is_compressed: bool,
    /// What was typed.
    command: RunKind,
}

/// What brought a run about.
#[derive(Debug, Clone, Copy, Default)]
enum RunKind {
    /// A transfer, which the same command goes on with.
    #[default]
    Transfer,
    /// A look at one, or its end.
    Attachment,
}

impl PlanTotals {
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            to_fetch: plan.to_fetch().count(),
            by_size: plan.kept_by_size(),
            is_compressed: !plan.routes.is_plain(),
            command: RunKind::Transfer,
        }
    }

    /// The same of a transfer that was detached.
    pub(super) fn of_status(status: &TransferStatus) -> Self {
        Self {
            to_fetch: status.files as usize,
            by_size: status.skipped.by_size as usize,
            is_compressed: false,
            command: RunKind::Attachment,
        }
    }

    /// Kept files of which only the size is known.
    pub(super) fn by_size(self) -> usize {
        self.by_size
    }
}

/// The sentence; what was cut short has a hint below it.
pub(super) fn summary(outcome: &Tally, expected: PlanTotals) -> String {
    if outcome.intent == Intent::DryRun {
        return "dry run: nothing was changed".to_owned();
    }
    let is_cut_short = outcome.end == End::Cancelled;
    let mut parts = vec![opening(outcome, expected)];
    if outcome.kept > 0 && (outcome.placed > 0 || outcome.fetched > 0 || outcome.failed() > 0 || is_cut_short)
    {
        parts.push(format!("{} already there ({})", outcome.kept, bytes(outcome.kept_bytes)));
    }
    if outcome.failed() > 0 {
        parts.push(format!("{} failed", outcome.failed()));
    }
    if outcome.removed > 0 {
        parts.push(format!("{} removed", outcome.removed));
    }
    if outcome.fetched > 0 && outcome.elapsed >= outcome.transfer + OVERHEAD {
        parts.push(format!("{} in all", duration(outcome.elapsed)));
    }
    if is_cut_short {
        parts.push("what arrived is kept".to_owned());
        let hint = match expected.command {
            RunKind::Transfer => "run the same command again to go on",
            RunKind::Attachment => "run `hfdown rsync-to-vast` again to go on",
        };
        return format!("{}\nhint: {hint}", parts.join(" · "));
    }
    parts.extend(proof(outcome, expected));
    let sentence = parts.join(" · ");
    match &outcome.snapshot {
        Some(snapshot) if outcome.failed() == 0 => format!("{sentence}\nsnapshot: {snapshot}"),
        _ => sentence,
    }
}

fn opening(outcome: &Tally, expected: PlanTotals) -> String {
    let of_all = || match expected.to_fetch {
        all if all == outcome.placed as usize => count(outcome.placed, "file"),
        all => format!("{} of {}", outcome.placed, count(all, "file")),
    };
    let is_smaller = expected.is_compressed && outcome.fetched < outcome.written;
    let (size, wire) = if is_smaller {
        (outcome.written, format!(", {} over the wire", bytes(outcome.fetched)))
    } else {
        (outcome.fetched, String::new())
    };
    let fetched = match (size, mean_rate(size, outcome.transfer)) {
        (0, _) | (_, None) => format!("{} in {}{wire}", bytes(size), duration(outcome.elapsed)),
        (size, Some(mean)) => {
            format!("{} in {} ({}){wire}", bytes(size), duration(outcome.transfer), rate(mean))
        }
    };
    match (outcome.end, outcome.failed()) {
        (End::Cancelled, _) => format!("cancelled: {}, {fetched}", of_all()),
        (End::Complete, 1..) if expected.to_fetch > 0 => format!("incomplete: {}, {fetched}", of_all()),
        (End::Complete, 1..) => format!("incomplete: nothing fetched in {}", duration(outcome.elapsed)),
        (End::Complete, 0) if outcome.placed == 0 && outcome.fetched == 0 && outcome.kept == 0 => {
            format!("done: nothing to fetch in {}", duration(outcome.elapsed))
        }
        (End::Complete, 0) if outcome.placed == 0 && outcome.fetched == 0 => {
            let (files, size) = (count(outcome.kept, "file"), bytes(outcome.kept_bytes));
            format!("done: {files} ({size}) already there, in {}", duration(outcome.elapsed))
        }
        (End::Complete, 0) => format!("done: {}, {fetched}", of_all()),
    }
}

/// What may be said of the files that are there now.
fn proof(outcome: &Tally, expected: PlanTotals) -> Option<String> {
    let kept = usize::try_from(outcome.kept).unwrap_or(usize::MAX);
    match expected.by_size {
        _ if outcome.failed() > 0 => None,
        _ if outcome.placed == 0 && kept == 0 => None,
        0 => Some("every byte proved".to_owned()),
        by_size if outcome.placed == 0 && by_size >= kept => Some("only sizes were compared".to_owned()),
        by_size => Some(format!("every byte proved but for {by_size} compared by size only")),
    }
}
