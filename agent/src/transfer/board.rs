//! Who fetches what: hands out files and ranges to connections, takes back what they could not do, and lets an idle
//! connection take over a piece of what a slow one still has before it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hfdown_protocol::FileId;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::fault::{Fault, Verdict};
use super::request::Asked;
use super::task::Task;
use crate::part::{Part, RangeSet};
use crate::surroundings::Patience;

/// Files up to this size are fetched whole and held in memory until they are proved.
pub(super) const SMALL: u64 = 1 << 20;
/// The shortest range worth a request of its own.
const SHORTEST_PIECE: u64 = 4 << 20;
/// The longest range of one request: at 40 MB/s and 50 ms a pause of 3 %, and the digest never trails by much.
const LONGEST_PIECE: u64 = 64 << 20;
/// Attempts without progress before a file is given up. With the waits between them, more than a minute.
const ATTEMPTS: u32 = 9;
/// Whoever fetched this much since its last failure has made progress.
const PROGRESS: u64 = 256 << 10;

/// The work of one transfer.
#[derive(Debug)]
pub(super) struct Board {
    state: Mutex<State>,
    changed: Notify,
    connections: u64,
    patience: Patience,
}

#[derive(Debug)]
struct State {
    slots: Vec<Slot>,
    /// Files not yet begun, or to be begun again.
    waiting: VecDeque<usize>,
    /// Large files in flight, in the order they were begun.
    active: Vec<usize>,
    unsettled: usize,
}

#[derive(Debug)]
struct Slot {
    task: Arc<Task>,
    flight: Option<Flight>,
    asks: Asks,
    failed_attempts: u32,
    fetched_before: u64,
    not_before: Option<Instant>,
    was_corrupt: bool,
    is_settled: bool,
}

/// How a large file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Ranges,
    /// Its server ignores ranges.
    Whole,
}

/// A large file whose part is open.
#[derive(Debug)]
struct Flight {
    part: Arc<Part>,
    unleased: RangeSet,
    leases: Vec<Arc<Lease>>,
}

/// A range that one connection works on. Another may take over its end.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) start: u64,
    position: AtomicU64,
    end: AtomicU64,
}

impl Lease {
    pub(super) fn position(&self) -> u64 {
        self.position.load(Ordering::Acquire)
    }

    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Everything before this is on disk.
    pub(super) fn advance(&self, position: u64) {
        self.position.store(position, Ordering::Release);
    }
}

/// What a connection is to do next.
#[derive(Debug)]
pub(super) enum Assignment {
    /// Open the part of a large file and hand it to [`Board::opened`].
    Open(usize, Arc<Task>),
    /// Fetch a small file whole.
    Small(usize, Arc<Task>),
    /// Fetch a range.
    Piece(Piece),
}

/// A range of a large file.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) slot: usize,
    pub(super) task: Arc<Task>,
    pub(super) part: Arc<Part>,
    pub(super) lease: Arc<Lease>,
    pub(super) asked: Asked,
}

/// What follows from a fault.
#[derive(Debug)]
pub(super) enum Course {
    /// Another attempt follows after this wait.
    Again { attempt: u32, wait: std::time::Duration },
    /// Another attempt follows, and was announced already.
    Silently,
    /// The file is lost.
    Lost,
    /// Everything stops.
    Stop,
}

impl Board {
    /// The largest files come first: small ones fill the gaps at the end.
    pub(super) fn new(mut tasks: Vec<Arc<Task>>, connections: usize, patience: Patience) -> Self {
        tasks.sort_by_key(|task| (std::cmp::Reverse(task.wanted.size), task.wanted.id));
        let waiting = (0..tasks.len()).collect();
        let unsettled = tasks.len();
        let slots = tasks.into_iter().map(Slot::new).collect();
        let state = State { slots, waiting, active: Vec::new(), unsettled };
        Self { state: Mutex::new(state), changed: Notify::new(), connections: connections as u64, patience }
    }

    /// The next thing to do, when there is one; none when every file is placed or lost.
    pub(super) async fn next(&self) -> Option<Assignment> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let wake = {
                let mut state = self.state();
                if state.unsettled == 0 {
                    return None;
                }
                let now = Instant::now();
                if let Some(assignment) = state.assign(now, self.connections) {
                    return Some(assignment);
                }
                state.next_wake(now)
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
        let unleased = part.missing();
        state.slots[slot].flight = Some(Flight { part, unleased, leases: Vec::new() });
        state.active.push(slot);
        drop(state);
        self.changed.notify_waiters();
    }

    /// A piece has been fetched up to its end.
    pub(super) fn fetched(&self, piece: &Piece) {
        if let Some(flight) = &mut self.state().slots[piece.slot].flight {
            flight.leases.retain(|lease| !Arc::ptr_eq(lease, &piece.lease));
        }
        self.changed.notify_waiters();
    }

    /// An attempt failed: what it did not fetch is there for everyone again, when the wait is over.
    pub(super) fn faulted(&self, slot: usize, piece: Option<&Piece>, fault: &Fault) -> Course {
        let mut state = self.state();
        let now = Instant::now();
        let course = state.slots[slot].course(fault, now, &self.patience);
        match (&course, piece) {
            (Course::Lost | Course::Stop, _) => state.settle(slot),
            (_, Some(piece)) => state.slots[slot].give_back(piece, fault.verdict()),
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

    /// The large files in flight and how much of each is on disk.
    pub(super) fn in_flight(&self) -> Vec<(FileId, u64)> {
        let state = self.state();
        let tasks = state.active.iter().map(|slot| &state.slots[*slot].task);
        tasks.map(|task| (task.wanted.id, task.done.load(Ordering::Relaxed))).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn assign(&mut self, now: Instant, connections: u64) -> Option<Assignment> {
        self.unleased_piece(now, connections).or_else(|| self.begin(now)).or_else(|| self.take_over(now))
    }

    fn unleased_piece(&mut self, now: Instant, connections: u64) -> Option<Assignment> {
        for &index in &self.active {
            let slot = &mut self.slots[index];
            if !slot.is_ready(now) {
                continue;
            }
            let Some(flight) = &mut slot.flight else { continue };
            let longest = match slot.asks {
                // Shorter pieces towards the end, so that all connections finish together.
                Asks::Ranges => {
                    (flight.unleased.total() / (2 * connections)).clamp(SHORTEST_PIECE, LONGEST_PIECE)
                }
                Asks::Whole => u64::MAX,
            };
            if let Some(range) = flight.unleased.take_first(longest) {
                return Some(slot.lease(index, range));
            }
        }
        None
    }

    fn begin(&mut self, now: Instant) -> Option<Assignment> {
        for _ in 0..self.waiting.len() {
            let index = self.waiting.pop_front()?;
            let slot = &self.slots[index];
            if !slot.is_ready(now) {
                self.waiting.push_back(index);
                continue;
            }
            let task = Arc::clone(&slot.task);
            let small = task.wanted.size <= SMALL;
            return Some(if small { Assignment::Small(index, task) } else { Assignment::Open(index, task) });
        }
        None
    }

    /// Takes the second half of the longest range in flight.
    fn take_over(&mut self, now: Instant) -> Option<Assignment> {
        let ready = self.active.iter().filter(|index| {
            let slot = &self.slots[**index];
            slot.is_ready(now) && slot.asks == Asks::Ranges
        });
        let leases = ready.flat_map(|index| {
            let leases = self.slots[*index].flight.iter().flat_map(|flight| &flight.leases);
            leases.map(|lease| (lease.end().saturating_sub(lease.position()), *index, Arc::clone(lease)))
        });
        let (left, index, lease) = leases.max_by_key(|(left, ..)| *left)?;
        if left < 2 * SHORTEST_PIECE {
            return None;
        }
        let end = lease.end();
        let middle = end - left / 2;
        lease.end.store(middle, Ordering::Release);
        Some(self.slots[index].lease(index, middle..end))
    }

    /// When a wait is over that something waits for.
    fn next_wake(&self, now: Instant) -> Option<Instant> {
        let candidates = self.active.iter().chain(&self.waiting);
        candidates.filter_map(|index| self.slots[*index].not_before).filter(|wake| *wake > now).min()
    }

    fn settle(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if std::mem::replace(&mut slot.is_settled, true) {
            return;
        }
        if let Some(flight) = slot.flight.take() {
            // Whoever still works on it finds nothing left to do.
            flight.leases.iter().for_each(|lease| lease.end.store(0, Ordering::Release));
        }
        self.active.retain(|active| *active != index);
        self.unsettled -= 1;
    }
}

impl Slot {
    fn new(task: Arc<Task>) -> Self {
        Self {
            task,
            flight: None,
            asks: Asks::Ranges,
            failed_attempts: 0,
            fetched_before: 0,
            not_before: None,
            was_corrupt: false,
            is_settled: false,
        }
    }

    fn is_ready(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|wake| wake <= now)
    }

    fn lease(&mut self, index: usize, range: std::ops::Range<u64>) -> Assignment {
        let lease = Arc::new(Lease {
            start: range.start,
            position: AtomicU64::new(range.start),
            end: AtomicU64::new(range.end),
        });
        let asked = match self.asks {
            Asks::Ranges => Asked::Range(range),
            Asks::Whole => Asked::Whole,
        };
        let Some(flight) = &mut self.flight else { return Assignment::Open(index, Arc::clone(&self.task)) };
        flight.leases.push(Arc::clone(&lease));
        let part = Arc::clone(&flight.part);
        Assignment::Piece(Piece { slot: index, task: Arc::clone(&self.task), part, lease, asked })
    }

    fn give_back(&mut self, piece: &Piece, verdict: Verdict) {
        let Some(flight) = &mut self.flight else { return };
        flight.leases.retain(|lease| !Arc::ptr_eq(lease, &piece.lease));
        if verdict == Verdict::Whole {
            self.asks = Asks::Whole;
        }
        match self.asks {
            Asks::Ranges => flight.unleased.insert(piece.lease.position()..piece.lease.end()),
            // One connection begins again at the beginning once the others have found out as well.
            Asks::Whole if flight.leases.is_empty() => flight.unleased.insert(0..self.task.wanted.size),
            Asks::Whole => {}
        }
    }

    fn course(&mut self, fault: &Fault, now: Instant, patience: &Patience) -> Course {
        if self.is_settled {
            return Course::Silently;
        }
        match fault.verdict() {
            Verdict::GiveUp => return Course::Lost,
            Verdict::StopAll => return Course::Stop,
            Verdict::Whole => return Course::Silently,
            Verdict::Again | Verdict::WithFreshAddress => {}
        }
        // Several connections of one file usually fail together, and that is one failure.
        if !self.is_ready(now) {
            return Course::Silently;
        }
        let fetched = self.task.fetched();
        if fetched - self.fetched_before >= PROGRESS {
            self.failed_attempts = 0;
        }
        self.fetched_before = fetched;
        self.failed_attempts += 1;
        if self.failed_attempts >= ATTEMPTS {
            return Course::Lost;
        }
        let wait = fault.asked_wait().unwrap_or_else(|| patience.wait_after(self.failed_attempts));
        self.not_before = Some(now + wait);
        Course::Again { attempt: self.failed_attempts, wait }
    }
}
