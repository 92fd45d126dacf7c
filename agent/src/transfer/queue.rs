//! Who fetches what: hands out files and ranges to connections, takes back what they could not do, and lets an idle
//! connection take over a piece of what a slow one still has before it, or all of it from one that is much too slow. A
//! file whose digest trails is left to one connection, and then to none: what arrives must be proved as well, and that
//! is no faster for arriving earlier.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::file_state::{Asks, Assignment, FileState};
use super::file_transfer::FileTransfer;
use super::in_flight::Lease;
use super::straggler::{ConnectionSpeeds, GLANCE};

/// Files up to this size are fetched whole and held in memory until they are proved.
pub(super) const SMALL: u64 = 1 << 20;
/// The shortest range worth a request of its own.
pub(super) const SHORTEST_PIECE: u64 = 4 << 20;
/// The longest range of one request: at 40 MB/s and 50 ms a pause of 3 %, and the digest never trails by much.
pub(super) const LONGEST_PIECE: u64 = 64 << 20;
/// Equal shares of less are not worth one slow connection's time.
const WORTH_SHARING: u64 = 16 << 20;
/// What a connection has received and not yet written when it is told to stop: more than it gathers before it writes.
pub(super) const IN_HANDS: u64 = 1 << 20;
/// Large files in flight, those included that only wait for their digest or the disk. Each holds two open files, and
/// many systems allow 1,024.
pub(super) const FLIGHTS: usize = 64;

/// What there is to do, and who does it.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) slots: Vec<FileState>,
    /// Files not yet begun, or to be begun again.
    pub(super) waiting: VecDeque<usize>,
    /// Large files in flight, in the order they were begun.
    pub(super) active: Vec<usize>,
    /// Small files that connections fetch.
    pub(super) small: Vec<(usize, Arc<Lease>)>,
    pub(super) speeds: ConnectionSpeeds,
    /// A server has asked for patience: no other file is begun before this. With thousands of small ones, each would
    /// otherwise have to be told.
    pub(super) patient_until: Option<Instant>,
    pub(super) unsettled: usize,
    /// How many digests can be computed at a time.
    digests: usize,
}

impl Queue {
    /// The largest files come first: small ones fill the gaps at the end.
    pub(super) fn new(mut tasks: Vec<Arc<FileTransfer>>, digests: usize) -> Self {
        tasks.sort_by_key(|task| (std::cmp::Reverse(task.wanted.size), task.wanted.id));
        Self {
            waiting: (0..tasks.len()).collect(),
            active: Vec::new(),
            small: Vec::new(),
            speeds: ConnectionSpeeds::default(),
            patient_until: None,
            unsettled: tasks.len(),
            slots: tasks.into_iter().map(FileState::new).collect(),
            digests,
        }
    }

    /// What a connection is to do now, of so many that may work.
    pub(super) fn assign(&mut self, now: Instant, connection: usize, connections: u64) -> Option<Assignment> {
        self.unleased_piece(now, connection, connections)
            .or_else(|| self.begin(now, connection))
            .or_else(|| self.take_over(now, connection))
            .or_else(|| self.hand_over(now, connection))
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
    fn hand_over(&mut self, now: Instant, connection: usize) -> Option<Assignment> {
        let small = self.small.iter().map(|(index, lease)| (*index, lease));
        let is_overdue = |(index, lease): &(usize, &Arc<Lease>)| {
            self.speeds.had_better(connection, lease, self.slots[*index].takeovers, now)
        };
        let (index, lease) = self.leases(now).chain(small).find(is_overdue)?;
        let lease = Arc::clone(lease);
        let left = lease.position()..lease.end();
        lease.hand_over(left.start);
        self.slots[index].takeovers += 1;
        if self.slots[index].flight.is_some() {
            return Some(self.slots[index].lease(index, connection, left));
        }
        self.small.retain(|(_, other)| !Arc::ptr_eq(other, &lease));
        Some(self.lease_small(index, connection))
    }

    /// Leaves what is before connections that are no longer allowed to the others.
    pub(super) fn drop_surplus(&mut self, allowed: usize) {
        for slot in self.slots.iter_mut().filter(|slot| slot.asks == Asks::Ranges) {
            let Some(flight) = &mut slot.flight else { continue };
            for lease in flight.leases.iter().filter(|lease| lease.connection >= allowed) {
                let (from, end) = (lease.position().saturating_add(IN_HANDS), lease.end());
                if from < end {
                    lease.cut(from);
                    flight.unleased.insert(from..end);
                }
            }
        }
    }

    /// When a wait is over that something waits for, or it is time to look round again.
    pub(super) fn next_wake(&self, now: Instant) -> Option<Instant> {
        let slots = self.active.iter().chain(&self.waiting);
        let under_way = (!self.active.is_empty() || !self.small.is_empty()).then(|| now + GLANCE);
        let waits = slots.filter_map(|index| self.slots[*index].not_before).chain(self.patient_until);
        let waits = waits.chain(under_way);
        waits.filter(|wake| *wake > now).min()
    }

    /// A file is placed or lost.
    pub(super) fn settle(&mut self, index: usize) {
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
