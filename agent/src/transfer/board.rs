//! Who fetches what: hands out files and ranges to connections, takes back what they could not do, and lets an idle
//! connection take over a piece of what a slow one still has before it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hfdown_protocol::FileId;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::fault::{Fault, Verdict};
use super::slot::{Asks, Assignment, Course, Flight, Piece, Slot};
use super::task::Task;
use crate::part::Part;
use crate::surroundings::Patience;

/// Files up to this size are fetched whole and held in memory until they are proved.
pub(super) const SMALL: u64 = 1 << 20;
/// The shortest range worth a request of its own.
const SHORTEST_PIECE: u64 = 4 << 20;
/// The longest range of one request: at 40 MB/s and 50 ms a pause of 3 %, and the digest never trails by much.
const LONGEST_PIECE: u64 = 64 << 20;
/// Large files in flight, those included that only wait for their digest or the disk. Each holds two open files, and many
/// systems allow 1,024.
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
    /// A server has asked for patience: no other file is begun before this. With thousands of small ones, each would
    /// otherwise have to be told.
    patient_until: Option<Instant>,
    unsettled: usize,
}

impl Board {
    /// The largest files come first: small ones fill the gaps at the end.
    pub(super) fn new(mut tasks: Vec<Arc<Task>>, connections: usize, patience: Patience) -> Self {
        tasks.sort_by_key(|task| (std::cmp::Reverse(task.wanted.size), task.wanted.id));
        let waiting = (0..tasks.len()).collect();
        let unsettled = tasks.len();
        let slots = tasks.into_iter().map(Slot::new).collect();
        let state = State { slots, waiting, active: Vec::new(), patient_until: None, unsettled };
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

    /// The next thing to do for this connection, when there is one and it may work; none when every file is placed or lost.
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
                } else if let Some(assignment) = state.assign(now, allowed as u64) {
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
        let unleased = part.missing();
        state.slots[slot].flight = Some(Flight { part, unleased, leases: Vec::new() });
        state.active.push(slot);
        drop(state);
        self.changed.notify_waiters();
    }

    /// A piece has been fetched up to its end.
    pub(super) fn fetched(&self, piece: &Piece) {
        // Should anything be missing all the same, somebody else fetches it: nothing is ever waited for in vain.
        self.state().slots[piece.slot].give_back(piece);
        self.changed.notify_waiters();
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

    /// Shows the large files in flight and how much of each is on disk. None of them is settled before `look` returns, so
    /// that nothing it says of them comes after the last word on them. It must not block.
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
            let range = match slot.asks {
                // Shorter pieces towards the end, so that all connections finish together.
                Asks::Ranges => {
                    let share = flight.unleased.total() / (2 * connections);
                    flight.unleased.take_first(share.clamp(SHORTEST_PIECE, LONGEST_PIECE))
                }
                // One connection begins at the beginning, once the others have found out as well.
                Asks::Whole if flight.leases.is_empty() => {
                    flight.unleased.take_first(u64::MAX).map(|_| 0..slot.task.wanted.size)
                }
                Asks::Whole => None,
            };
            if let Some(range) = range {
                return Some(slot.lease(index, range));
            }
        }
        None
    }

    fn begin(&mut self, now: Instant) -> Option<Assignment> {
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
            let task = Arc::clone(&slot.task);
            if task.wanted.size <= SMALL {
                return Some(Assignment::Small(index, task));
            }
            if self.active.len() < FLIGHTS {
                return Some(Assignment::Open(index, task));
            }
            // The disk does not keep up. What is behind this one would only add to that.
            self.waiting.push_front(index);
            return None;
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
        lease.cut(middle);
        Some(self.slots[index].lease(index, middle..end))
    }

    /// When a wait is over that something waits for.
    fn next_wake(&self, now: Instant) -> Option<Instant> {
        let slots = self.active.iter().chain(&self.waiting);
        let waits = slots.filter_map(|index| self.slots[*index].not_before).chain(self.patient_until);
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
mod tests {
    use super::super::request::Asked;
    use super::super::slot::ATTEMPTS;
    use super::*;
    use cap_std::ambient_authority;
    use cap_std::fs::Dir;
    use hfdown_protocol::{Digest, RepoPath, Source, Wanted};
    use std::time::Duration;

    const SIZE: u64 = 40_000_000;
    const CONNECTIONS: u64 = 4;

    fn board(sizes: &[u64]) -> Board {
        let task = |(id, size): (u32, &u64)| {
            let path = RepoPath::new(format!("file-{id}")).unwrap();
            let digest = Digest::Sha256([0; 32]);
            let wanted = Wanted { id: FileId(id), path, size: *size, digest };
            Arc::new(Task::new(wanted, None, format!("part-{id}"), Source::OnRequest))
        };
        let at_once =
            Patience { stall: Duration::ZERO, first_wait: Duration::ZERO, longest_wait: Duration::ZERO };
        Board::new((0..).zip(sizes).map(task).collect(), 4, at_once)
    }

    fn assign(board: &Board) -> Option<Assignment> {
        board.state().assign(Instant::now(), CONNECTIONS)
    }

    /// Opens a part for the file that is next.
    fn open(board: &Board, folder: &Dir) -> Arc<Part> {
        let Some(Assignment::Open(slot, task)) = assign(board) else { panic!("a large file is next") };
        let part = Arc::new(Part::open(folder, &task.part, task.wanted.size).unwrap());
        board.opened(slot, Arc::clone(&part));
        part
    }

    fn piece(board: &Board) -> Piece {
        let Some(Assignment::Piece(piece)) = assign(board) else { panic!("a piece is next") };
        piece
    }

    fn folder() -> (tempfile::TempDir, Dir) {
        let folder = tempfile::tempdir().unwrap();
        let parts = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        (folder, parts)
    }

    fn host() -> String {
        "cdn.example".to_owned()
    }

    #[test]
    fn a_file_without_ranges_is_one_piece_from_its_beginning() {
        let (_folder, parts) = folder();
        let board = board(&[SIZE]);
        let part = open(&board, &parts);
        let pieces: Vec<_> = (0..CONNECTIONS).map(|_| piece(&board)).collect();
        part.write(pieces[1].lease.start, &[bytes::Bytes::from_static(b"kept")]).unwrap();
        for piece in &pieces {
            let course = board.faulted(piece.slot, Some(piece), &Fault::RangeIgnored { host: host() });
            assert!(matches!(course, Course::Silently));
            if board.state().slots[0].flight.as_ref().is_some_and(|flight| !flight.leases.is_empty()) {
                assert!(assign(&board).is_none(), "the others have not found out yet");
            }
        }
        let whole = piece(&board);
        assert_eq!((whole.lease.start, whole.lease.end(), whole.asked), (0, SIZE, Asked::Whole));
        assert!(assign(&board).is_none(), "one connection is enough");
    }

    #[test]
    fn what_came_and_was_thrown_away_is_no_progress() {
        let board = board(&[SMALL]);
        let broken = Fault::Broken { host: host(), why: "cut".to_owned() };
        let attempts = (1..100).find(|_| {
            let Some(Assignment::Small(slot, task)) = assign(&board) else { panic!("it is tried again") };
            task.fetched.fetch_add(SMALL - 1, Ordering::Relaxed);
            matches!(board.faulted(slot, None, &broken), Course::Lost)
        });
        assert_eq!(attempts, Some(ATTEMPTS));
    }

    #[test]
    fn whoever_asks_for_patience_is_not_asked_for_the_next_file() {
        let board = board(&[2, 1]);
        let Some(Assignment::Small(slot, _)) = assign(&board) else { panic!("a small file is next") };
        let wait = Duration::from_secs(10);
        board.faulted(slot, None, &Fault::RateLimited { host: host(), status: 429, wait: Some(wait) });
        assert!(assign(&board).is_none());
        let now = Instant::now();
        let wake = board.state().next_wake(now).expect("somebody wakes up");
        assert!(wake > now && wake <= now + wait);
        assert!(board.state().assign(wake, CONNECTIONS).is_some());
    }

    #[test]
    fn a_piece_that_ends_early_is_not_forgotten() {
        let (_folder, parts) = folder();
        let board = board(&[SIZE]);
        open(&board, &parts);
        let first = piece(&board);
        first.lease.advance(first.lease.start + 10);
        board.fetched(&first);
        assert_eq!(piece(&board).lease.start, 10);
    }

    #[test]
    fn a_slow_disk_bounds_the_files_in_flight() {
        let (_folder, parts) = folder();
        let board = board(&[SMALL + 1; FLIGHTS + 1]);
        let mut slots = Vec::new();
        for _ in 0..FLIGHTS {
            open(&board, &parts);
            let piece = piece(&board);
            piece.lease.advance(piece.lease.end());
            board.fetched(&piece);
            slots.push(piece.slot);
        }
        assert!(assign(&board).is_none());
        board.settled(slots[0]);
        assert!(matches!(assign(&board), Some(Assignment::Open(..))));
    }
}
