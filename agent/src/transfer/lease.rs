//! What one connection works on, and how another takes over the rest of it.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::file_transfer::FileTransfer;
use crate::part::Part;
use crate::source::Extent;

/// A range that one connection works on, or a small file as a whole. Another may take over its end, or all that is
/// left.
#[derive(Debug)]
pub(super) struct Lease {
    /// The connection that works on it.
    pub(super) connection: usize,
    pub(super) start: u64,
    position: AtomicU64,
    end: AtomicU64,
    asked: Instant,
    answered: OnceLock<Instant>,
    /// In bytes per second, while they are waited for; none before it is known.
    speed: AtomicU64,
    taken_over: CancellationToken,
}

/// The speed of a lease of which it is not known.
const UNKNOWN: u64 = u64::MAX;

/// A leased range of a large file.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// The file's place in the queue.
    pub(super) index: usize,
    pub(super) file: Arc<FileTransfer>,
    pub(super) part: Arc<Part>,
    pub(super) lease: Arc<Lease>,
    pub(super) extent: Extent,
}

impl Lease {
    pub(super) fn new(connection: usize, range: Range<u64>) -> Self {
        let (position, end) = (AtomicU64::new(range.start), AtomicU64::new(range.end));
        let (answered, taken_over) = (OnceLock::new(), CancellationToken::new());
        let speed = AtomicU64::new(UNKNOWN);
        let asked = Instant::now();
        Self { connection, start: range.start, position, end, asked, answered, speed, taken_over }
    }

    /// A server's answer has begun.
    pub(super) fn answered(&self, now: Instant) {
        // A lease is one request.
        let _ = self.answered.set(now);
    }

    pub(super) fn answered_at(&self) -> Option<Instant> {
        self.answered.get().copied()
    }

    /// How long the server took to answer, if it has.
    pub(super) fn answer_time(&self) -> Option<Duration> {
        self.answered.get().map(|answered| answered.saturating_duration_since(self.asked))
    }

    /// So many bytes per second have come of late.
    pub(super) fn comes_at(&self, bytes_per_second: u64) {
        self.speed.store(bytes_per_second.min(UNKNOWN - 1), Ordering::Relaxed);
    }

    /// How fast bytes come of late.
    pub(super) fn speed(&self) -> Option<u64> {
        Some(self.speed.load(Ordering::Relaxed)).filter(|speed| *speed != UNKNOWN)
    }

    /// Bytes that are still to come.
    pub(super) fn left(&self) -> u64 {
        self.end().saturating_sub(self.position())
    }

    /// Bytes that have come.
    pub(super) fn brought(&self) -> u64 {
        self.position().saturating_sub(self.start)
    }

    /// Another connection does all that is left, which is from there on: this one is to stop.
    pub(super) fn hand_over(&self, position: u64) {
        self.cut(position);
        self.taken_over.cancel();
    }

    /// Ends when another connection does what is left.
    pub(super) async fn taken_over(&self) {
        self.taken_over.cancelled().await;
    }

    pub(super) fn position(&self) -> u64 {
        self.position.load(Ordering::Acquire)
    }

    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Another connection has taken over what follows.
    pub(super) fn cut(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }

    /// Everything before this is on disk, or in memory if the file is a small one.
    pub(super) fn advance(&self, position: u64) {
        self.position.store(position, Ordering::Release);
    }
}
