//! Who fetches what: hands out files and ranges to connections, takes back what they could not do, and lets an idle
//! connection take over a piece of what a slow one still has before it, or all of it from one that is much too slow. A
//! file whose digest trails is left to one connection, and then to none: what arrives must be proved as well, and that
//! is no faster for arriving earlier.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hfdown_protocol::FileId;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::fault::{Fault, Verdict};
use super::flight::{Flight, Lease};
use super::relief::{GLANCE, Speeds};
use super::slot::{Asks, Assignment, Course, Piece, Slot};
use super::task::Task;
use crate::part::Part;
use crate::surroundings::Patience;

/// Files up to this size are fetched whole and held in memory until they are proved.
pub(super) const SMALL: u64 = 1 << 20;
/// The shortest range worth a request of its own.
const SHORTEST_PIECE: u64 = 4 << 20;
/// The longest range of one request: at 40 MB/s and 50 ms a pause of 3 %, and the digest never trails by much.
const LONGEST_PIECE: u64 = 64 << 20;
/// Equal shares of less are not worth one slow connection's time.
const WORTH_SHARING: u64 = 16 << 20;
/// What a connection has received and not yet written when it is told to stop: more than it gathers before it writes.
const IN_HANDS: u64 = 1 << 20;
/// Large files in flight, those included that only wait for their digest or the disk. Each holds two open files, and
/// many systems allow 1,024.
const FLIGHTS: usize = 64;

/// The work of one transfer.
#[derive(Debug)]
pub(super) struct Board {
    state: Mutex<State>,
    changed: Notify,
    /// How many connections may work.
    allowed: AtomicUsize,
    patience: Patience,
}

#[derive(Debug)]
struct State {
    slots: Vec<Slot>,
    /// Files not yet begun, or to be begun again.
    waiting: VecDeque<usize>,
    /// Large files in flight, in the order they were begun.
    active: Vec<usize>,
    /// Small files that connections fetch.
    small: Vec<(usize, Arc<Lease>)>,
    speeds: Speeds,
    /// A server has asked for patience: no other file is begun before this. With thousands of small ones, each would
    /// otherwise have to be told.
    patient_until: Option<Instant>,
    unsettled: usize,
    /// How many digests can be computed at a time.
    digests: usize,
}

impl Board {
    /// The largest files come first: small ones fill the gaps at the end.
    pub(super) fn new(
        mut tasks: Vec<Arc<Task>>,
        connections: usize,
        digests: usize,
        patience: Patience,
    ) -> Self {
        tasks.sort_by_key(|task| (std::cmp::Reverse(task.wanted.size), task.wanted.id));
        let waiting = (0..tasks.len()).collect();
        let unsettled = tasks.len();
        let slots = tasks.into_iter().map(Slot::new).collect();
        let state = State {
            slots,
            waiting,
            active: Vec::new(),
            small: Vec::new(),
            speeds: Speeds::default(),
            patient_until: None,
            unsettled,
            digests,
        };
        Self {
            state: Mutex::new(state),
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
        let allowed = self.allowed.load(Ordering::Relaxed);
        let mut state = self.state();
        for slot in state.slots.iter_mut().filter(|slot| slot.asks == Asks::Ranges) {
            let Some(flight) = &mut slot.flight else { continue };
            for lease in flight.leases.iter().filter(|lease| lease.connection >= allowed) {
                let (from, end) = (lease.position().saturating_add(IN_HANDS), lease.end());
                if from < end {
                    lease.cut(from);
                    flight.unleased.insert(from..end);
                }
            }
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The next thing to do for this connection, when there is one and it may work; none when every file is placed or
    /// lost.
    pub(super) async fn next(&self, connection: usize) -> Option<Assignment> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let wake = {
                let mut state = self.state();
                if state.unsettled == 0 {
                    return None;
                }
                let now = Instant::now();
                let allowed = self.allowed.load(Ordering::Relaxed);
                if connection >= allowed {
                    None
                } else if let Some(assignment) = state.assign(now, connection, allowed as u64) {
                    return Some(assignment);
                } else {
                    state.next_wake(now)
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
        let mut state = self.state();
        state.slots[slot].flight = Some(Flight::new(part));
        state.active.push(slot);
        drop(state);
        self.changed.notify_waiters();
    }

    /// The bytes of a small file have come, or failed to. False when somebody else fetches it by now.
    pub(super) fn carried(&self, lease: &Arc<Lease>) -> bool {
        let mut state = self.state();
        state.speeds.hear(lease, Instant::now());
        let before = state.small.len();
        state.small.retain(|(_, other)| !Arc::ptr_eq(other, lease));
        state.small.len() < before
    }

    /// A piece has been fetched up to its end.
    pub(super) fn fetched(&self, piece: &Piece) {
        let mut state = self.state();
        state.speeds.hear(&piece.lease, Instant::now());
        // Should anything be missing all the same, somebody else fetches it: nothing is ever waited for in vain.
        state.slots[piece.slot].give_back(piece);
        drop(state);
        self.changed.notify_waiters();
    }

    /// The digest of a large file has come so far.
    pub(super) fn digested(&self, slot: usize, position: u64) {
        let caught_up =
            self.state().slots[slot].flight.as_mut().is_some_and(|flight| flight.digested(position));
        if caught_up {
            self.changed.notify_waiters();
        }
    }

    /// An attempt failed: what it did not fetch is there for everyone again, when the wait is over.
    pub(super) fn faulted(&self, slot: usize, piece: Option<&Piece>, fault: &Fault) -> Course {
        let mut state = self.state();
        let now = Instant::now();
        let course = state.slots[slot].course(fault, now, &self.patience);
        if let (Fault::RateLimited { .. }, Course::Again { wait, .. }) = (fault, &course) {
            state.patient_until = state.patient_until.max(Some(now + *wait));
        }
        match (&course, piece) {
            (Course::Lost | Course::Stop, _) => state.settle(slot),
            (_, Some(piece)) => {
                if fault.verdict() == Verdict::Whole {
                    state.slots[slot].asks = Asks::Whole;
                }
                state.slots[slot].give_back(piece);
            }
            (_, None) if !state.slots[slot].is_settled => state.waiting.push_back(slot),
            (_, None) => {}
        }
        drop(state);
        self.changed.notify_waiters();
        course
    }

    /// The bytes of a large file turned out wrong. True when it is worth one more try, from nothing.
    pub(super) fn corrupt(&self, slot: usize) -> bool {
        let mut state = self.state();
        state.slots[slot].flight = None;
        state.active.retain(|active| *active != slot);
        let again = !std::mem::replace(&mut state.slots[slot].was_corrupt, true);
        if again {
            state.waiting.push_front(slot);
        } else {
            state.settle(slot);
        }
        drop(state);
        self.changed.notify_waiters();
        again
    }

    /// A file is placed or lost. False when it was settled before.
    pub(super) fn settled(&self, slot: usize) -> bool {
        let first = {
            let mut state = self.state();
            let first = !state.slots[slot].is_settled;
            state.settle(slot);
            first
        };
        self.changed.notify_waiters();
        first
    }

    /// Shows the large files in flight and how much of each is on disk. None of them is settled before `look` returns,
    /// so that nothing it says of them comes after the last word on them. It must not block.
    pub(super) fn look_at_flights(&self, look: impl FnOnce(Vec<(FileId, u64)>)) {
        let state = self.state();
        let tasks = state.active.iter().map(|slot| &state.slots[*slot].task);
        look(tasks.map(|task| (task.wanted.id, task.done.load(Ordering::Relaxed))).collect());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn assign(&mut self, now: Instant, connection: usize, connections: u64) -> Option<Assignment> {
        self.unleased_piece(now, connection, connections)
            .or_else(|| self.begin(now, connection))
            .or_else(|| self.take_over(now, connection))
            .or_else(|| self.relieve(now, connection))
    }

    fn unleased_piece(&mut self, now: Instant, connection: usize, connections: u64) -> Option<Assignment> {
        for &index in &self.active {
            let slot = &mut self.slots[index];
            if !slot.is_ready(now) {
                continue;
            }
            let Some(flight) = slot.flight.as_mut().filter(|flight| flight.has_room()) else {
                continue;
            };
            let range = match slot.asks {
                Asks::Ranges => {
                    let share = match flight.left() / connections {
                        // Equal shares, so that all finish together.
                        share if share >= WORTH_SHARING => share.min(LONGEST_PIECE),
                        // A slow one must not be what everyone waits for.
                        _ => flight.unleased.total() / (2 * connections),
                    };
                    flight.unleased.take_first(share.max(SHORTEST_PIECE))
                }
                // One connection begins at the beginning, once the others have found out as well.
                Asks::Whole if flight.leases.is_empty() => {
                    flight.unleased.take_first(u64::MAX).map(|_| 0..slot.task.wanted.size)
                }
                Asks::Whole => None,
            };
            if let Some(range) = range {
                return Some(slot.lease(index, connection, range));
            }
        }
        None
    }

    fn begin(&mut self, now: Instant, connection: usize) -> Option<Assignment> {
        if self.patient_until.is_some_and(|until| now < until) {
            return None;
        }
        for _ in 0..self.waiting.len() {
            let index = self.waiting.pop_front()?;
            let slot = &self.slots[index];
            if !slot.is_ready(now) {
                self.waiting.push_back(index);
                continue;
            }
            if slot.task.wanted.size <= SMALL {
                return Some(self.lease_small(index, connection));
            }
            if self.active.len() < FLIGHTS && self.trailing() < self.digests {
                return Some(Assignment::Open(index, Arc::clone(&slot.task)));
            }
            // The disk or the digests do not keep up. What is behind this one would only add to that.
            self.waiting.push_front(index);
            return None;
        }
        None
    }

    /// Files whose digest trails.
    fn trailing(&self) -> usize {
        let flights = self.active.iter().filter_map(|index| self.slots[*index].flight.as_ref());
        flights.filter(|flight| flight.digest_trails()).count()
    }

    fn lease_small(&mut self, index: usize, connection: usize) -> Assignment {
        let task = Arc::clone(&self.slots[index].task);
        let lease = Arc::new(Lease::new(connection, 0..task.wanted.size));
        self.small.push((index, Arc::clone(&lease)));
        Assignment::Small(index, task, lease)
    }

    /// Ranges in flight that may be divided.
    fn leases(&self, now: Instant) -> impl Iterator<Item = (usize, &Arc<Lease>)> {
        let ready = self.active.iter().filter(move |index| {
            let slot = &self.slots[**index];
            slot.is_ready(now) && slot.asks == Asks::Ranges
        });
        ready.flat_map(|index| {
            let flight = self.slots[*index].flight.iter().filter(|flight| flight.has_room());
            flight.flat_map(|flight| &flight.leases).map(|lease| (*index, lease))
        })
    }

    /// Takes the second half of the longest range in flight.
    fn take_over(&mut self, now: Instant, connection: usize) -> Option<Assignment> {
        let (index, lease) = self.leases(now).max_by_key(|(_, lease)| lease.left())?;
        let (left, lease) = (lease.left(), Arc::clone(lease));
        if left < 2 * SHORTEST_PIECE {
            return None;
        }
        let end = lease.end();
        let middle = end - left / 2;
        lease.cut(middle);
        Some(self.slots[index].lease(index, connection, middle..end))
    }

    /// Takes what a connection has left that is much too slow, and ends it.
    fn relieve(&mut self, now: Instant, connection: usize) -> Option<Assignment> {
        let small = self.small.iter().map(|(index, lease)| (*index, lease));
        let is_overdue = |(index, lease): &(usize, &Arc<Lease>)| {
            self.speeds.had_better(connection, lease, self.slots[*index].reliefs, now)
        };
        let (index, lease) = self.leases(now).chain(small).find(is_overdue)?;
        let lease = Arc::clone(lease);
        let left = lease.position()..lease.end();
        lease.relieve(left.start);
        self.slots[index].reliefs += 1;
        if self.slots[index].flight.is_some() {
            return Some(self.slots[index].lease(index, connection, left));
        }
        self.small.retain(|(_, other)| !Arc::ptr_eq(other, &lease));
        Some(self.lease_small(index, connection))
    }

    /// When a wait is over that something waits for, or it is time to look round again.
    fn next_wake(&self, now: Instant) -> Option<Instant> {
        let slots = self.active.iter().chain(&self.waiting);
        let under_way = (!self.active.is_empty() || !self.small.is_empty()).then(|| now + GLANCE);
        let waits = slots.filter_map(|index| self.slots[*index].not_before).chain(self.patient_until);
        let waits = waits.chain(under_way);
        waits.filter(|wake| *wake > now).min()
    }

    fn settle(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if std::mem::replace(&mut slot.is_settled, true) {
            return;
        }
        if let Some(flight) = slot.flight.take() {
            // Whoever still works on it finds nothing left to do.
            flight.leases.iter().for_each(|lease| lease.cut(0));
        }
        self.active.retain(|active| *active != index);
        self.unsettled -= 1;
    }
}

#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;
