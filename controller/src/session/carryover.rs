//! What one conversation leaves to the next of the same run: links break, and what was done stays done.

use std::collections::HashSet;

use hfdown_protocol::{RepoPath, TransferStatus};

use crate::plan::Plan;
use crate::tally::Tally;

/// What is known of a run whatever becomes of its link.
#[derive(Debug, Clone, Default)]
pub struct Carryover {
    /// What it has come to.
    pub tally: Tally,
    /// Bytes of all files that were to be fetched at first.
    pub(super) total: u64,
    /// Bytes of those that had arrived, as far as was heard.
    pub(super) done: u64,
    /// Files whose failure has been told. They are tried again, but not told again.
    pub(super) told: HashSet<RepoPath>,
}

impl Carryover {
    /// The whole of what is to be done, of which nothing has been.
    pub fn of_plan(plan: &Plan) -> Self {
        Self { tally: Tally::of_plan(plan), ..Self::default() }
    }

    /// How many bytes of all files are there, as far as was heard, and how many are to be.
    pub fn bytes(&self) -> (u64, u64) {
        (self.done, self.total)
    }

    /// What a detached transfer has come to before this client joined it.
    pub(super) fn of_status(status: &TransferStatus) -> Self {
        // The agent's own counts, which come at the end, have all of what it fetched and removed.
        let tally = Tally { fetched: 0, written: 0, removed: 0, ..Tally::of_status(status) };
        Self { tally, total: status.bytes, done: status.done, told: HashSet::new() }
    }
}
