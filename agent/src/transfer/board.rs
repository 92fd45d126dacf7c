//! Where connections come for work, and where what came of it is told: whoever waits for something to do is woken when
//! there is something.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hfdown_protocol::FileId;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::fault::{Fault, RetryDecision};
use super::flight::{Flight, Lease};
use super::slot::{Asks, Assignment, Course, Piece};
use super::task::Task;
use super::work::Work;
use crate::environment::Patience;
use crate::part::Part;

/// The work of one transfer.
#[derive(Debug)]
pub(super) struct Board {
    work: Mutex<Work>,
    changed: Notify,
    /// How many connections may work.
    allowed: AtomicUsize,
    patience: Patience,
}

impl Board {
    pub(super) fn new(tasks: Vec<Arc<Task>>, connections: usize, digests: usize, patience: Patience) -> Self {
        Self {
            work: Mutex::new(Work::new(tasks, digests)),
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
        self.work().drop_surplus(self.allowed.load(Ordering::Relaxed));
        self.changed.notify_waiters();
    }

    /// The next thing to do for this connection, when there is one and it may work; none when every file is placed or
    /// lost.
    pub(super) async fn next(&self, connection: usize) -> Option<Assignment> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let wake = {
                let mut work = self.work();
                if work.unsettled == 0 {
                    return None;
                }
                let now = Instant::now();
                let allowed = self.allowed.load(Ordering::Relaxed);
                if connection >= allowed {
                    None
                } else if let Some(assignment) = work.assign(now, connection, allowed as u64) {
                    return Some(assignment);
                } else {
                    work.next_wake(now)
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
        let mut work = self.work();
        work.slots[slot].flight = Some(Flight::new(part));
        work.active.push(slot);
        drop(work);
        self.changed.notify_waiters();
    }

    /// The bytes of a small file have come, or failed to. False when somebody else fetches it by now.
    pub(super) fn carried(&self, lease: &Arc<Lease>) -> bool {
        let mut work = self.work();
        work.speeds.hear(lease, Instant::now());
        let before = work.small.len();
        work.small.retain(|(_, other)| !Arc::ptr_eq(other, lease));
        work.small.len() < before
    }

    /// A piece has been fetched up to its end.
    pub(super) fn fetched(&self, piece: &Piece) {
        let mut work = self.work();
        work.speeds.hear(&piece.lease, Instant::now());
        // Should anything be missing all the same, somebody else fetches it: nothing is ever waited for in vain.
        work.slots[piece.slot].give_back(piece);
        drop(work);
        self.changed.notify_waiters();
    }

    /// The digest of a large file has come so far.
    pub(super) fn digested(&self, slot: usize, position: u64) {
        let caught_up =
            self.work().slots[slot].flight.as_mut().is_some_and(|flight| flight.digested(position));
        if caught_up {
            self.changed.notify_waiters();
        }
    }

    /// The digest of a large file waits for bytes.
    pub(super) fn digest_waits(&self, slot: usize) {
        self.work().slots[slot].flight.iter_mut().for_each(Flight::digest_waits);
    }

    /// An attempt failed: what it did not fetch is there for everyone again, when the wait is over.
    pub(super) fn faulted(&self, slot: usize, piece: Option<&Piece>, fault: &Fault) -> Course {
        let mut work = self.work();
        let now = Instant::now();
        let course = work.slots[slot].course(fault, now, &self.patience);
        if let (Fault::RateLimited { .. }, Course::Again { wait, .. }) = (fault, &course) {
            work.patient_until = work.patient_until.max(Some(now + *wait));
        }
        match (&course, piece) {
            (Course::Lost | Course::Stop, _) => work.settle(slot),
            (_, Some(piece)) => {
                if fault.retry_decision() == RetryDecision::RetryWhole {
                    work.slots[slot].asks = Asks::Whole;
                }
                work.slots[slot].give_back(piece);
            }
            (_, None) if !work.slots[slot].is_settled => work.waiting.push_back(slot),
            (_, None) => {}
        }
        drop(work);
        self.changed.notify_waiters();
        course
    }

    /// The bytes of a large file turned out wrong. True when it is worth one more try, from nothing.
    pub(super) fn corrupt(&self, slot: usize) -> bool {
        let mut work = self.work();
        work.slots[slot].flight = None;
        work.active.retain(|active| *active != slot);
        let again = !std::mem::replace(&mut work.slots[slot].was_corrupt, true);
        if again {
            work.waiting.push_front(slot);
        } else {
            work.settle(slot);
        }
        drop(work);
        self.changed.notify_waiters();
        again
    }

    /// A file is placed or lost. False when it was settled before.
    pub(super) fn settled(&self, slot: usize) -> bool {
        let first = {
            let mut work = self.work();
            let first = !work.slots[slot].is_settled;
            work.settle(slot);
            first
        };
        self.changed.notify_waiters();
        first
    }

    /// Shows the large files in flight and how much of each is on disk. None of them is settled before `look` returns,
    /// so that nothing it says of them comes after the last word on them. It must not block.
    pub(super) fn look_at_flights(&self, look: impl FnOnce(Vec<(FileId, u64)>)) {
        let work = self.work();
        let tasks = work.active.iter().map(|slot| &work.slots[*slot].task);
        look(tasks.map(|task| (task.wanted.id, task.done.load(Ordering::Relaxed))).collect());
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;
