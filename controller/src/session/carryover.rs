//! What one conversation leaves to the next of the same run: links break, and what was done stays done.

use std::collections::HashSet;

use hfdown_protocol::{DiskWarning, RepoPath, TransferStatus};

use super::session::cleaned;
use crate::event::Event;
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
    /// What its disk can't do, as far as it has been told: the agent of each conversation finds it out.
    warned: Vec<DiskWarning>,
}

impl Carryover {
    /// The whole of what is to be done is known, and nothing of it has been.
    pub fn begin(&mut self, plan: &Plan) {
        let warned = std::mem::take(&mut self.warned);
        *self = Self { tally: Tally::of_plan(plan), warned, ..Self::default() };
    }

    /// What is told of a warning of the folder's agent: each kind once.
    pub(super) fn warning(&mut self, root: &str, warning: DiskWarning) -> Option<Event> {
        if self.warned.iter().any(|known| known.is_like(&warning)) {
            return None;
        }
        let warning = match warning {
            DiskWarning::HubMetadata { failure } => DiskWarning::HubMetadata { failure: cleaned(&failure) },
            warning => warning,
        };
        self.warned.push(warning.clone());
        Some(Event::DiskWarning { root: root.to_owned(), warning })
    }

    /// How many bytes of all files are there, as far as was heard, and how many are to be.
    pub fn bytes(&self) -> (u64, u64) {
        (self.done, self.total)
    }

    /// What a detached transfer has come to before this client joined it.
    pub(super) fn of_status(status: &TransferStatus) -> Self {
        // The agent's own counts, which come at the end, have all of what it fetched and removed.
        let tally = Tally { fetched: 0, written: 0, removed: 0, ..Tally::of_status(status) };
        Self { tally, total: status.bytes, done: status.done, ..Self::default() }
    }
}
