//! A large file in flight: which of its ranges nobody works on, who works on the others, and how far its digest has
//! come.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::part::{Part, RangeSet};

/// When so much waits for the digest, one connection is enough; at twice as much it is one too many. It is read back,
/// so it had better still be in the page cache, on small boxes too; and what waits when the last byte arrives is what a
/// person waits for.
pub(super) const BACKLOG: u64 = 128 << 20;

/// A large file whose part is open.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) part: Arc<Part>,
    pub(super) unleased: RangeSet,
    pub(super) leases: Vec<Arc<Lease>>,
    digested: u64,
    /// Up to here the digest is excused: it is what an earlier run left, or what had been handed out when the digest
    /// last had nothing to do. Ranges side by side arrive in bursts, and a burst is soon done.
    excused: u64,
}

impl InFlight {
    pub(super) fn new(part: Arc<Part>) -> Self {
        let (unleased, excused) = (part.missing(), part.front());
        Self { part, unleased, leases: Vec::new(), digested: 0, excused }
    }

    /// Bytes that have not arrived yet.
    pub(super) fn left(&self) -> u64 {
        let leased = self.leases.iter().map(|lease| lease.left());
        self.unleased.total() + leased.sum::<u64>()
    }

    /// The digest has come so far. True when more connections may work on the file than before.
    pub(super) fn digested(&mut self, position: u64) -> bool {
        let before = self.room();
        self.digested = position;
        self.room() > before
    }

    /// The digest has come to the front, and waits for bytes.
    pub(super) fn digest_waits(&mut self) {
        let handed_out = self.leases.iter().map(|lease| lease.end()).max();
        self.excused = self.excused.max(handed_out.unwrap_or_default());
    }

    /// More connections may work on it than do.
    pub(super) fn has_room(&self) -> bool {
        self.leases.len() < self.room()
    }

    /// More arrives than is proved.
    pub(super) fn digest_trails(&self) -> bool {
        self.room() < usize::MAX
    }

    /// How many connections may work on it. Bytes that wait for others before them don't count: those others are what
    /// is to be fetched then.
    fn room(&self) -> usize {
        let backlog = self.part.front().saturating_sub(self.digested);
        if self.digested < self.excused || backlog <= BACKLOG {
            usize::MAX
        } else {
            // Not none at once: both the link and the digest would have to wait in turn.
            usize::from(backlog <= 2 * BACKLOG)
        }
    }
}

/// A range that one connection works on, or a small file as a whole. Another may take over its end, or all that is
/// left.
#[derive(Debug)]
pub(super) struct Lease {
    /// The connection that works on it.
    pub(super) connection: usize,
    pub(super) start: u64,
    position: AtomicU64,
    end: AtomicU64,
    answered: OnceLock<Instant>,
    taken_over: CancellationToken,
}

impl Lease {
    pub(super) fn new(connection: usize, range: Range<u64>) -> Self {
        let (position, end) = (AtomicU64::new(range.start), AtomicU64::new(range.end));
        let (answered, taken_over) = (OnceLock::new(), CancellationToken::new());
        Self { connection, start: range.start, position, end, answered, taken_over }
    }

    /// The answer has begun.
    pub(super) fn answered(&self, now: Instant) {
        // A lease is one request.
        let _ = self.answered.set(now);
    }

    pub(super) fn answered_at(&self) -> Option<Instant> {
        self.answered.get().copied()
    }

    /// Bytes that are still to come.
    pub(super) fn left(&self) -> u64 {
        self.end().saturating_sub(self.position())
    }

    /// Bytes that have come.
    pub(super) fn brought(&self) -> u64 {
        self.position().saturating_sub(self.start)
    }

    /// Somebody else does all that is left, which is from there on: who works on it is to stop.
    pub(super) fn hand_over(&self, position: u64) {
        self.cut(position);
        self.taken_over.cancel();
    }

    /// Ends when somebody else does what is left.
    pub(super) async fn taken_over(&self) {
        self.taken_over.cancelled().await;
    }

    pub(super) fn position(&self) -> u64 {
        self.position.load(Ordering::Acquire)
    }

    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Somebody else has taken over what follows.
    pub(super) fn cut(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }

    /// Everything before this is on disk, or in memory if the file is a small one.
    pub(super) fn advance(&self, position: u64) {
        self.position.store(position, Ordering::Release);
    }
}
