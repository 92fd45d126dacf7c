//! Where connections come for work and say how it went. A connection that waits for something to do is woken when there
//! is something.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hfdown_protocol::FileId;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::file_state::{Assignment, FileState, Turn};
use super::jobs::FilesToFetch;
use super::lease::{Lease, Piece};
use super::leased_part::LeasedPart;
use super::queue::{Queue, Rank};
use super::retries::NextStep;
use crate::environment::RetryTiming;
use crate::fault::FetchFault;
use crate::part::Part;

/// Hands out the work of one transfer.
#[derive(Debug)]
pub(super) struct Scheduler {
    queue: Mutex<Queue>,
    changed: Notify,
    /// How many connections may work.
    allowed: AtomicUsize,
    timing: RetryTiming,
}

impl Scheduler {
    pub(super) fn new(files: FilesToFetch, connections: usize, digests: usize, timing: RetryTiming) -> Self {
        Self {
            queue: Mutex::new(Queue::new(files, digests)),
            changed: Notify::new(),
            allowed: AtomicUsize::new(connections),
            timing,
        }
    }

    /// From now on so many connections may work; the others finish what they have.
    pub(super) fn allow(&self, connections: usize) {
        if self.allowed.swap(connections, Ordering::Relaxed) < connections {
            self.changed.notify_waiters();
        }
    }

    /// Connections above what is allowed are to stop where they are: the link is worse off with them. What they had
    /// before them is left to the others.
    pub(super) fn drop_surplus(&self) {
        self.queue().drop_surplus(self.allowed.load(Ordering::Relaxed));
        self.changed.notify_waiters();
    }

    /// The next thing to do for this connection, when there is one and it may work; none when every file is placed or
    /// lost.
    pub(super) async fn next(&self, connection: usize) -> Option<Assignment> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let wake = {
                let mut queue = self.queue();
                if queue.unsettled == 0 {
                    return None;
                }
                let now = Instant::now();
                let allowed = self.allowed.load(Ordering::Relaxed);
                if connection >= allowed {
                    None
                } else if let Some(assignment) = queue.assign(now, connection, allowed as u64) {
                    return Some(assignment);
                } else {
                    queue.next_wake(now)
                }
            };
            match wake {
                Some(wake) => drop(tokio::time::timeout_at(wake, changed).await),
                None => changed.await,
            }
        }
    }

    /// A large file's part is open: its missing ranges can be leased.
    pub(super) fn opened(&self, index: usize, part: Arc<Part>) {
        self.queue().opened(index, part);
        self.changed.notify_waiters();
    }

    /// The bytes of a small file have come, or failed to. False when another connection fetches it by now.
    pub(super) fn carried(&self, index: usize, lease: &Arc<Lease>) -> bool {
        self.queue().carried(index, lease, Instant::now())
    }

    /// A piece has been fetched up to its end.
    pub(super) fn fetched(&self, piece: &Piece) {
        let mut queue = self.queue();
        queue.speeds.hear(&piece.lease, Instant::now());
        // Should anything be missing all the same, it is leased again: nothing is ever waited for in vain.
        queue.give_back(piece);
        drop(queue);
        self.changed.notify_waiters();
    }

    /// The digest of a large file has come so far.
    pub(super) fn digested(&self, index: usize, position: u64) {
        let mut queue = self.queue();
        let in_flight = queue.files.get_mut(&index).and_then(FileState::in_flight_mut);
        let has_more_room = in_flight.is_some_and(|in_flight| in_flight.digested(position));
        drop(queue);
        if has_more_room {
            self.changed.notify_waiters();
        }
    }

    /// The digest of a large file waits for bytes.
    pub(super) fn digest_waits(&self, index: usize) {
        let mut queue = self.queue();
        let in_flight = queue.files.get_mut(&index).and_then(FileState::in_flight_mut);
        in_flight.into_iter().for_each(LeasedPart::digest_waits);
    }

    /// The digest of a large file is right. False when the file was lost meanwhile.
    pub(super) fn proved(&self, index: usize) -> bool {
        self.queue().proved(index)
    }

    /// An attempt failed: what it did not fetch can be leased again, when the wait is over.
    pub(super) fn faulted(&self, index: usize, piece: Option<&Piece>, fault: &FetchFault) -> NextStep {
        let mut queue = self.queue();
        let now = Instant::now();
        // It was settled before.
        let Some(state) = queue.files.get_mut(&index) else { return NextStep::Silently };
        // Under the lock, so that where a file may be cut does not change while it is being leased.
        if matches!(fault, FetchFault::RangeIgnored { .. }) {
            state.file.source.range_was_ignored();
        }
        let next_step = state.next_step(fault, now, &self.timing);
        if let (FetchFault::RateLimited { .. }, NextStep::Again { wait, .. }) = (fault, &next_step) {
            queue.patient_until = queue.patient_until.max(Some(now + *wait));
        }
        match (&next_step, piece) {
            (NextStep::Lost | NextStep::Stop, _) => drop(queue.settle(index)),
            (_, Some(piece)) => queue.give_back(piece),
            // A file whose bytes were wrong has cost its time already.
            (_, None) if matches!(fault, FetchFault::Corrupt(_)) => queue.wait_again(index, Rank::First),
            (_, None) => queue.wait_again(index, Rank::Last),
        }
        drop(queue);
        self.changed.notify_waiters();
        next_step
    }

    /// A file that was to be begun has to wait: another program fetches its bytes.
    pub(super) fn put_off(&self, index: usize, turn: Turn, until: Instant) {
        self.queue().put_off(index, turn, until);
        self.changed.notify_waiters();
    }

    /// A file is placed or lost. False when it was settled before.
    pub(super) fn settled(&self, index: usize) -> bool {
        let is_first = self.queue().settle(index);
        self.changed.notify_waiters();
        is_first
    }

    /// Shows the large files in flight and how much of each is on disk. None of them is settled before `look` returns,
    /// so that nothing it says of them comes after the last word on them. It must not block.
    pub(super) fn look_at_flights(&self, look: impl FnOnce(Vec<(FileId, u64)>)) {
        let queue = self.queue();
        look(queue.open_files().map(|file| (file.wanted.id, file.counts.done())).collect());
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
