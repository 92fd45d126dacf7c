//! Where connections come for work, and where what came of it is told: whoever waits for something to do is woken when
//! there is something.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hfdown_protocol::FileId;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::file_state::{Asks, Assignment, NextStep, Piece};
use super::file_transfer::FileTransfer;
use super::in_flight::{InFlight, Lease};
use super::queue::Queue;
use crate::environment::RetryTiming;
use crate::fault::{Fault, RetryDecision};
use crate::part::Part;

/// The work of one transfer.
#[derive(Debug)]
pub(super) struct Scheduler {
    queue: Mutex<Queue>,
    changed: Notify,
    /// How many connections may work.
    allowed: AtomicUsize,
    patience: RetryTiming,
}

impl Scheduler {
    pub(super) fn new(
        tasks: Vec<Arc<FileTransfer>>,
        connections: usize,
        digests: usize,
        patience: RetryTiming,
    ) -> Self {
        Self {
            queue: Mutex::new(Queue::new(tasks, digests)),
            changed: Notify::new(),
            allowed: AtomicUsize::new(connections),
            patience,
        }
    }

    /// From now on so many connections may work; those above finish what they have.
    pub(super) fn allow(&self, connections: usize) {
        if self.allowed.swap(connections, Ordering::Relaxed) < connections {
            self.changed.notify_waiters();
        }
    }

    /// Those above what is allowed are to stop where they are: the link is worse off with them. What they had before
    /// them is there for the others.
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

    /// A large file's part is open: its missing ranges are there for everyone.
    pub(super) fn opened(&self, slot: usize, part: Arc<Part>) {
        let mut queue = self.queue();
        queue.slots[slot].flight = Some(InFlight::new(part));
        queue.active.push(slot);
        drop(queue);
        self.changed.notify_waiters();
    }

    /// The bytes of a small file have come, or failed to. False when somebody else fetches it by now.
    pub(super) fn carried(&self, lease: &Arc<Lease>) -> bool {
        let mut queue = self.queue();
        queue.speeds.hear(lease, Instant::now());
        let before = queue.small.len();
        queue.small.retain(|(_, other)| !Arc::ptr_eq(other, lease));
        queue.small.len() < before
    }

    /// A piece has been fetched up to its end.
    pub(super) fn fetched(&self, piece: &Piece) {
        let mut queue = self.queue();
        queue.speeds.hear(&piece.lease, Instant::now());
        // Should anything be missing all the same, somebody else fetches it: nothing is ever waited for in vain.
        queue.slots[piece.slot].give_back(piece);
        drop(queue);
        self.changed.notify_waiters();
    }

    /// The digest of a large file has come so far.
    pub(super) fn digested(&self, slot: usize, position: u64) {
        let caught_up =
            self.queue().slots[slot].flight.as_mut().is_some_and(|flight| flight.digested(position));
        if caught_up {
            self.changed.notify_waiters();
        }
    }

    /// The digest of a large file waits for bytes.
    pub(super) fn digest_waits(&self, slot: usize) {
        self.queue().slots[slot].flight.iter_mut().for_each(InFlight::digest_waits);
    }

    /// An attempt failed: what it did not fetch is there for everyone again, when the wait is over.
    pub(super) fn faulted(&self, slot: usize, piece: Option<&Piece>, fault: &Fault) -> NextStep {
        let mut queue = self.queue();
        let now = Instant::now();
        let next_step = queue.slots[slot].next_step(fault, now, &self.patience);
        if let (Fault::RateLimited { .. }, NextStep::Again { wait, .. }) = (fault, &next_step) {
            queue.patient_until = queue.patient_until.max(Some(now + *wait));
        }
        match (&next_step, piece) {
            (NextStep::Lost | NextStep::Stop, _) => queue.settle(slot),
            (_, Some(piece)) => {
                if fault.retry_decision() == RetryDecision::RetryWhole {
                    queue.slots[slot].asks = Asks::Whole;
                }
                queue.slots[slot].give_back(piece);
            }
            (_, None) if !queue.slots[slot].is_settled => queue.waiting.push_back(slot),
            (_, None) => {}
        }
        drop(queue);
        self.changed.notify_waiters();
        next_step
    }

    /// The bytes of a large file turned out wrong. True when it is worth one more try, from nothing.
    pub(super) fn corrupt(&self, slot: usize) -> bool {
        let mut queue = self.queue();
        queue.slots[slot].flight = None;
        queue.active.retain(|active| *active != slot);
        let again = !std::mem::replace(&mut queue.slots[slot].was_corrupt, true);
        if again {
            queue.waiting.push_front(slot);
        } else {
            queue.settle(slot);
        }
        drop(queue);
        self.changed.notify_waiters();
        again
    }

    /// A file is placed or lost. False when it was settled before.
    pub(super) fn settled(&self, slot: usize) -> bool {
        let first = {
            let mut queue = self.queue();
            let first = !queue.slots[slot].is_settled;
            queue.settle(slot);
            first
        };
        self.changed.notify_waiters();
        first
    }

    /// Shows the large files in flight and how much of each is on disk. None of them is settled before `look` returns,
    /// so that nothing it says of them comes after the last word on them. It must not block.
    pub(super) fn look_at_flights(&self, look: impl FnOnce(Vec<(FileId, u64)>)) {
        let queue = self.queue();
        let tasks = queue.active.iter().map(|slot| &queue.slots[*slot].task);
        look(tasks.map(|task| (task.wanted.id, task.done.load(Ordering::Relaxed))).collect());
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
