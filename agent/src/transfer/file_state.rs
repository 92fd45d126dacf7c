//! One file's state in the queue: the stage that it is in, and how often it has failed.

use std::ops::Range;
use std::sync::Arc;

use tokio::time::Instant;

use super::file_transfer::FileTransfer;
use super::lease::{Lease, Piece};
use super::leased_part::LeasedPart;
use super::retries::{NextStep, Retries};
use crate::environment::RetryTiming;
use crate::fault::FetchFault;
use crate::source::{Cuts, Extent};

/// One file of the queue.
#[derive(Debug)]
pub(super) struct FileState {
    pub(super) file: Arc<FileTransfer>,
    pub(super) stage: FileStage,
    pub(super) retries: Retries,
    /// How often a connection that was too slow for it had it taken over.
    pub(super) takeovers: u32,
}

/// Where a file is on its way.
///
/// ```text
///               ┌─▶ Opening ─▶ InFlight ─┐
///   Waiting ────┤                        ├─▶ Placing ─▶ placed: it has no state any more
///      ▲        └─▶ Small ───────────────┘
///      └── a fault that is worth another attempt
/// ```
#[derive(Debug)]
pub(super) enum FileStage {
    /// No connection works on it.
    Waiting(Turn),
    /// A large file: a connection opens its part.
    Opening,
    /// A large file: its part is open, and connections fetch ranges of it.
    InFlight(LeasedPart),
    /// A small file: a connection fetches it whole.
    Small(Arc<Lease>),
    /// Its bytes are right, or all of them are in memory. It is about to get its name.
    Placing,
}

/// Which time it is that a file is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    First,
    Again,
}

/// What a connection is to do next. A file comes with its place in the queue.
#[derive(Debug)]
pub(super) enum Assignment {
    /// Open the part of a large file and hand it to [`Scheduler::opened`](super::scheduler::Scheduler::opened).
    Open(usize, Arc<FileTransfer>, Turn),
    /// Fetch a small file whole, and ask [`Scheduler::carried`](super::scheduler::Scheduler::carried) whether it is
    /// still this connection's.
    Small(usize, Arc<FileTransfer>, Arc<Lease>, Turn),
    /// Fetch a range.
    Piece(Piece),
}

impl FileState {
    pub(super) fn new(file: Arc<FileTransfer>) -> Self {
        Self { file, stage: FileStage::Waiting(Turn::First), retries: Retries::default(), takeovers: 0 }
    }

    /// Whether its next attempt may begin.
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        self.retries.is_ready(now)
    }

    pub(super) fn cuts(&self) -> Cuts {
        self.file.source.cuts()
    }

    pub(super) fn in_flight(&self) -> Option<&LeasedPart> {
        match &self.stage {
            FileStage::InFlight(in_flight) => Some(in_flight),
            _ => None,
        }
    }

    pub(super) fn in_flight_mut(&mut self) -> Option<&mut LeasedPart> {
        match &mut self.stage {
            FileStage::InFlight(in_flight) => Some(in_flight),
            _ => None,
        }
    }

    /// Leases a range of a file in flight, widened to where its source may be cut.
    pub(super) fn lease(&mut self, index: usize, connection: usize, range: Range<u64>) -> Option<Piece> {
        let (file, cuts) = (Arc::clone(&self.file), self.cuts());
        let range = cuts.widen(range, file.wanted.size);
        let extent = if cuts.divide() { Extent::Range(range.clone()) } else { Extent::Whole };
        let in_flight = self.in_flight_mut()?;
        in_flight.unleased.remove(range.clone());
        let (lease, part) = (in_flight.lease(connection, range), Arc::clone(&in_flight.part));
        Some(Piece { index, file, part, lease, extent })
    }

    /// What follows from a fault.
    pub(super) fn next_step(&mut self, fault: &FetchFault, now: Instant, timing: &RetryTiming) -> NextStep {
        self.retries.next_step(fault, self.file.counts.done(), now, timing)
    }
}
