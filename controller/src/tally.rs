//! What a run has come to: one count, from what an agent reports to the last line and the exit code.
//!
//! It begins with the first plan, or with the status of a transfer that was detached, is carried from one conversation
//! to the next, and is drawn when the run is over.

use std::time::Duration;

use hfdown_protocol::{End, FailureKind, Skipped, TransferStatus};

use crate::plan::{Intent, Plan};

/// The counts of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Files to fetch.
    pub to_fetch: u32,
    /// Files placed.
    pub placed: u32,
    /// Files that could not be had, as far as the last conversation tells: the next one tries them again.
    pub lost: u32,
    /// Files that can't have their place.
    pub refused: u32,
    /// Files that were there already.
    pub kept: u32,
    /// Bytes of those.
    pub kept_bytes: u64,
    /// How many of them were compared by size only.
    pub by_size: u32,
    /// Extraneous files removed.
    pub removed: u32,
    /// Bytes that came over the network, repeated ones included.
    pub fetched: u64,
    /// Bytes of files that were written, wherever they came from.
    pub written: u64,
    /// How long the transfers took: the rate is `fetched` over this.
    pub transfer: Duration,
    /// How long the run took, from the command's start.
    pub elapsed: Duration,
    /// Where the snapshot is, in a hub cache.
    pub snapshot: Option<String>,
    /// Whether the plan was carried out to its end.
    pub end: End,
    /// Whether it was only shown.
    pub intent: Intent,
    /// Why files can't have their place, or were lost before this run, each kind once.
    pub(crate) refusals: Vec<FailureKind>,
    /// Why files were lost in the last conversation, each kind once.
    pub(crate) losses: Vec<FailureKind>,
}

impl Tally {
    /// A plan of which nothing has been carried out yet.
    pub fn of_plan(plan: &Plan) -> Self {
        let to_fetch = u32::try_from(plan.to_fetch().count()).unwrap_or(u32::MAX);
        Self {
            to_fetch,
            refusals: FailureKind::distinct(plan.refusals()),
            ..Self::of_skipped(plan.skipped())
        }
    }

    /// A detached transfer, as its agent or its record tells.
    pub fn of_status(status: &TransferStatus) -> Self {
        let TransferStatus { age, files, summary, skipped, failures, .. } = status;
        Self {
            to_fetch: *files,
            placed: summary.placed,
            lost: summary.failed,
            removed: summary.removed,
            fetched: summary.fetched,
            written: summary.written,
            transfer: Duration::from_secs(*age),
            end: summary.end,
            refusals: failures.clone(),
            ..Self::of_skipped(*skipped)
        }
    }

    fn of_skipped(skipped: Skipped) -> Self {
        let Skipped { kept, kept_bytes, by_size, refused } = skipped;
        Self { refused, kept, kept_bytes, by_size, ..Self::default() }
    }

    /// A file could not be had.
    pub fn lose(&mut self, kind: FailureKind) {
        self.lost = self.lost.saturating_add(1);
        self.losses = FailureKind::distinct(self.losses.drain(..).chain([kind]));
    }

    /// Another conversation begins: lost files are tried again.
    pub fn retry_lost(&mut self) {
        self.lost = 0;
        self.losses.clear();
    }

    /// The same run once all has gone well: what a dry run and a run that is left to its box are judged by.
    #[must_use]
    pub fn as_planned(&self) -> Self {
        let mut planned = Self { placed: self.to_fetch, ..self.clone() };
        planned.retry_lost();
        planned
    }

    /// Files that are not in place.
    pub fn failed(&self) -> u32 {
        self.lost.saturating_add(self.refused)
    }

    /// Why, each kind once and some perhaps twice.
    pub fn failures(&self) -> impl Iterator<Item = FailureKind> {
        self.losses.iter().chain(&self.refusals).copied()
    }

    /// Files that are in place.
    pub fn in_place(&self) -> u32 {
        self.placed.saturating_add(self.kept)
    }
}
