//! What has become of a box, in words.

use hfdown_protocol::{Conclusion, End, TransferStatus};

use super::record::{BoxRecord, PlanSize};
use crate::failure::kind_in_brief;
use crate::fleet::{BoxEnding, BoxOutcome, BoxStatus, FolderState};
use crate::plan::Intent;
use crate::tally::Tally;
use crate::text::units::{bytes, count, duration};
use crate::verification::VerificationTotals;

/// How good an end is: better ones are told first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum OutcomeRank {
    /// It did what was wanted.
    Done,
    /// There was nothing to do.
    Complete,
    /// It would do so, or goes on by itself.
    Promised,
    /// Some of it failed.
    Incomplete,
    /// It failed.
    Failed,
    /// It took too long.
    TimedOut,
    /// It was stopped.
    Stopped,
    /// Its turn did not come.
    NotBegun,
}

/// An end: what equal ones have in common, and figures that may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OutcomeWords {
    pub(super) rank: OutcomeRank,
    /// A few words.
    pub(super) words: String,
    /// More of it, in parentheses.
    pub(super) detail: Option<String>,
    /// Bytes that are said of each box.
    pub(super) bytes: Option<u64>,
    /// The word for programs.
    pub(super) name: &'static str,
}

impl OutcomeWords {
    fn new(rank: OutcomeRank, name: &'static str, words: impl Into<String>) -> Self {
        Self { rank, words: words.into(), detail: None, bytes: None, name }
    }

    fn with_bytes(self, bytes: u64) -> Self {
        Self { bytes: Some(bytes), ..self }
    }

    fn with_detail(self, detail: Option<String>) -> Self {
        Self { detail, ..self }
    }
}

/// What has become of this one.
pub(super) fn words(record: &BoxRecord, outcome: &BoxOutcome) -> OutcomeWords {
    use OutcomeRank::{Failed, NotBegun, Promised, Stopped, TimedOut};
    match &outcome.ending {
        BoxEnding::Finished(tally) => finished(record, tally),
        BoxEnding::Detached { bytes, .. } => {
            OutcomeWords::new(Promised, "detached", "detached").with_bytes(*bytes)
        }
        BoxEnding::Ended { status, conclusion } => ended(status, conclusion),
        BoxEnding::Status(status) => standing(status),
        BoxEnding::Disconnected => OutcomeWords::new(Promised, "disconnected", "goes on by itself"),
        BoxEnding::Failed(problem) => {
            let brief = problem.brief();
            match brief.strip_suffix(')').and_then(|brief| brief.split_once(" (")) {
                Some((words, detail)) => {
                    OutcomeWords::new(Failed, "failed", words).with_detail(Some(detail.to_owned()))
                }
                None => OutcomeWords::new(Failed, "failed", brief),
            }
        }
        BoxEnding::TimedOut(after) => {
            OutcomeWords::new(TimedOut, "timed_out", format!("given up after {}", duration(*after)))
        }
        BoxEnding::Stopped => OutcomeWords::new(Stopped, "stopped", "stopped, what arrived is kept"),
        BoxEnding::NotBegun => OutcomeWords::new(NotBegun, "not_begun", "not begun"),
    }
}

fn finished(record: &BoxRecord, tally: &Tally) -> OutcomeWords {
    use OutcomeRank::{Complete, Done, Incomplete, Promised, Stopped};
    if tally.end == End::Cancelled {
        return OutcomeWords::new(Stopped, "stopped", "stopped, what arrived is kept");
    }
    match (tally.intent, record.verification) {
        (Intent::DryRun, _) => {
            let plan = record.plan.unwrap_or_default();
            let words = OutcomeWords::new(Promised, "planned", planned(&plan));
            return OutcomeWords { rank: if plan.is_nothing() { Complete } else { words.rank }, ..words };
        }
        (Intent::Verify, Some(totals)) => return verified(&totals),
        _ => {}
    }
    if tally.failed() > 0 {
        let why: Vec<_> = tally.failures().map(kind_in_brief).collect();
        let of = tally.to_fetch.saturating_add(tally.refused);
        let words = format!("incomplete: {} of {} failed", tally.failed(), count(of, "file"));
        return OutcomeWords::new(Incomplete, "incomplete", words).with_detail(joined(why));
    }
    let by_size = (tally.by_size > 0).then(|| format!("{} compared by size only", tally.by_size));
    if tally.placed == 0 && tally.fetched == 0 {
        let words = OutcomeWords::new(Complete, "complete", "complete already");
        return words.with_bytes(tally.kept_bytes).with_detail(by_size);
    }
    OutcomeWords::new(Done, "done", "done").with_bytes(tally.fetched).with_detail(by_size)
}

fn joined(mut why: Vec<String>) -> Option<String> {
    why.dedup();
    (!why.is_empty()).then(|| why.join(", "))
}

fn verified(totals: &VerificationTotals) -> OutcomeWords {
    let VerificationTotals { right, wrong, missing, extra } = totals;
    let extra = (extra.files > 0).then(|| format!("{} extra", extra.files));
    if totals.is_right() {
        let words = format!("every byte is right, {}", count(right.files, "file"));
        return OutcomeWords::new(OutcomeRank::Done, "right", words)
            .with_bytes(right.bytes)
            .with_detail(extra);
    }
    let flaws = [(wrong.files, "wrong"), (missing.files, "missing")].into_iter();
    let flaws = flaws.filter(|(files, _)| *files > 0).map(|(files, what)| format!("{files} {what}"));
    let words = format!("not right: {} of {}", flaws.collect::<Vec<_>>().join(", "), {
        count(right.files.saturating_add(wrong.files).saturating_add(missing.files), "file")
    });
    OutcomeWords::new(OutcomeRank::Incomplete, "not_right", words).with_detail(extra)
}

/// What is there of what should be.
fn standing(status: &BoxStatus) -> OutcomeWords {
    use OutcomeRank::{Complete, Incomplete, Promised};
    let name = status.state.word();
    let share = || format!("{} of {}", status.files, count(status.of_files, "file"));
    match status.state {
        FolderState::Complete => {
            let by_size = (status.by_size > 0).then(|| format!("{} compared by size only", status.by_size));
            OutcomeWords::new(Complete, name, "complete").with_bytes(status.of_bytes).with_detail(by_size)
        }
        FolderState::Partial => OutcomeWords::new(Incomplete, name, "partial").with_detail(Some(share())),
        FolderState::OtherCommit => {
            let commit = status.commit.as_ref().map(|commit| commit.short().to_owned());
            OutcomeWords::new(Incomplete, name, "another commit").with_detail(commit)
        }
        FolderState::Absent => OutcomeWords::new(Incomplete, name, "absent"),
        FolderState::Running => {
            OutcomeWords::new(Promised, name, "a detached transfer is running").with_detail(Some(share()))
        }
    }
}

fn ended(status: &TransferStatus, conclusion: &Conclusion) -> OutcomeWords {
    use OutcomeRank::{Done, Failed, Incomplete, Stopped};
    let lost = status.summary.failed.saturating_add(status.skipped.refused);
    match conclusion {
        Conclusion::Finished if lost > 0 => {
            let words = format!("ended incomplete: {} of {} failed", lost, count(status.files, "file"));
            let why = status.failures.iter().map(|kind| kind_in_brief(*kind)).collect();
            OutcomeWords::new(Incomplete, "incomplete", words).with_detail(joined(why))
        }
        Conclusion::Finished => OutcomeWords::new(Done, "done", "done").with_bytes(status.summary.fetched),
        Conclusion::Stopped => OutcomeWords::new(Stopped, "stopped", "stopped, what arrived is kept"),
        Conclusion::Failed { failure } => {
            OutcomeWords::new(Failed, "failed", format!("failed: {}", kind_in_brief(failure.kind)))
        }
        Conclusion::Vanished => OutcomeWords::new(Failed, "vanished", "ended without a word"),
        Conclusion::Superseded => OutcomeWords::new(Failed, "superseded", "a later run took the folder over"),
    }
}

impl PlanSize {
    fn is_nothing(&self) -> bool {
        self.fetch + self.remove + self.refuse == 0
    }
}

/// A plan: `fetch 3 files (548 MB, resume 12 MB of it), keep 9`.
fn planned(plan: &PlanSize) -> String {
    if plan.is_nothing() {
        return match plan.keep {
            0 => "nothing to do, there are no files".to_owned(),
            keep => format!("nothing to do, {} there already", count(keep, "file")),
        };
    }
    let resumed = match plan.resumed() {
        0 => String::new(),
        resumed => format!(", resume {} of it", bytes(resumed)),
    };
    let wire = if plan.wire < plan.missing {
        format!(", {} over the wire", bytes(plan.wire))
    } else {
        String::new()
    };
    let fetch = match plan.fetch {
        0 => "nothing to fetch".to_owned(),
        files => format!("fetch {} ({}{resumed}{wire})", count(files, "file"), bytes(plan.bytes)),
    };
    let others = [(plan.keep, "keep"), (plan.remove, "remove"), (plan.refuse, "refuse")].into_iter();
    let others = others.filter(|(files, _)| *files > 0).map(|(files, verb)| format!("{verb} {files}"));
    std::iter::once(fetch).chain(others).collect::<Vec<_>>().join(", ")
}
