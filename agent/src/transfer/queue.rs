//! What is left to do, and which connection gets it. The queue hands out files and ranges, takes back what connections
//! could not do, and lets an idle connection take over a piece of what a slow one still has before it, or all of it from
//! a straggler. A file whose digest trails is left to one connection, and then to none: what arrives must be proved as
//! well, and that is no faster for arriving earlier.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use super::file_state::{Assignment, FileStage, FileState, Turn};
use super::file_transfer::FileTransfer;
use super::jobs::FilesToFetch;
use super::lease::{Lease, Piece};
use super::leased_part::LeasedPart;
use super::straggler::{ConnectionSpeeds, GLANCE};
use crate::part::Part;

/// The shortest range worth a request of its own.
pub(super) const SHORTEST_PIECE: u64 = 4 << 20;
/// The longest range of one request: at 40 MB/s and 50 ms a pause of 3 %, and the digest never trails by much.
pub(super) const LONGEST_PIECE: u64 = 64 << 20;
/// Equal shares of less are not worth one slow connection's time.
const WORTH_SHARING: u64 = 16 << 20;
/// What a connection has received and not yet written when it is told to stop: more than it gathers before it writes.
pub(super) const IN_HANDS: u64 = 1 << 20;
/// Large files under way, those included that only wait for their digest or the disk. Each holds two open files, and
/// many systems allow 1,024.
pub(super) const FLIGHTS: usize = 64;

/// Files that wait for another attempt, or are under way: while there are as many, no other file is begun.
pub(super) const MOST_BEGUN: usize = 4096;

/// The files of one transfer.
#[derive(Debug)]
pub(super) struct Queue {
    to_fetch: FilesToFetch,
    /// Those that were begun and are not settled, by their place among all.
    pub(super) files: HashMap<usize, FileState>,
    /// Whether a file is placed or lost. It may wait all the same: it is passed over then.
    is_settled: Vec<bool>,
    /// The order in which files that wait are begun. One that does not wait any more is passed over.
    waiting: VecDeque<u32>,
    /// The same for those that were begun before, and come behind all others: at most [`MOST_BEGUN`]. They are not in
    /// one line with the others, or a transfer would stand still once there are as many, all of them behind a file that may not
    /// be begun for that very reason.
    again: VecDeque<u32>,
    /// Files that neither wait nor are settled, in the order they were begun.
    under_way: Vec<usize>,
    pub(super) speeds: ConnectionSpeeds,
    /// A server has asked for patience: no other file is begun before this. With thousands of small ones, each would
    /// otherwise have to be told.
    pub(super) patient_until: Option<Instant>,
    pub(super) unsettled: usize,
    /// How many digests can be computed at a time.
    digests: usize,
}

/// What comes of beginning a file.
enum Beginning {
    Begun(Assignment),
    /// It does not wait any more.
    Settled,
    /// It waits for a while after a failure.
    TooSoon,
    /// As many files were begun as may be.
    TooMany,
    /// What was begun is to be done first.
    Behind,
}

/// Where in the order a file waits to be begun again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    First,
    Last,
}

impl Queue {
    /// The largest files come first: small ones fill the gaps at the end.
    pub(super) fn new(to_fetch: FilesToFetch, digests: usize) -> Self {
        let count = to_fetch.len();
        Self {
            to_fetch,
            files: HashMap::new(),
            is_settled: vec![false; count],
            waiting: (0..).take(count).collect(),
            again: VecDeque::new(),
            under_way: Vec::new(),
            speeds: ConnectionSpeeds::default(),
            patient_until: None,
            unsettled: count,
            digests,
        }
    }

    /// What a connection is to do now, of so many that may work.
    pub(super) fn assign(&mut self, now: Instant, connection: usize, connections: u64) -> Option<Assignment> {
        self.unleased_piece(now, connection, connections)
            .or_else(|| self.begin(now, connection))
            .or_else(|| self.divide_longest(now, connection))
            .or_else(|| self.take_over_straggler(now, connection))
    }

    fn unleased_piece(&mut self, now: Instant, connection: usize, connections: u64) -> Option<Assignment> {
        let longest = self.speeds.piece_length(connection);
        for &index in &self.under_way {
            let Some(state) = self.files.get_mut(&index).filter(|state| state.is_ready(now)) else {
                continue;
            };
            let divides = state.cuts().divide();
            let Some(in_flight) = state.in_flight_mut().filter(|in_flight| in_flight.has_room()) else {
                continue;
            };
            // A file that comes as a whole is begun once the other connections have found that out as well.
            if !divides && !in_flight.leases.is_empty() {
                continue;
            }
            let share = match in_flight.left() / connections {
                // Equal shares, so that all finish together.
                share if share >= WORTH_SHARING => share.min(longest),
                // A slow one must not be what all the others wait for.
                _ => in_flight.unleased.total() / (2 * connections),
            };
            if let Some(range) = in_flight.unleased.take_first(share.max(SHORTEST_PIECE)) {
                return state.lease(index, connection, range).map(Assignment::Piece);
            }
        }
        None
    }

    fn begin(&mut self, now: Instant, connection: usize) -> Option<Assignment> {
        if self.patient_until.is_some_and(|until| now < until) {
            return None;
        }
        while let Some(number) = self.waiting.pop_front() {
            match self.try_begin(number, now, connection) {
                Beginning::Begun(assignment) => return Some(assignment),
                Beginning::Settled => {}
                Beginning::TooSoon => self.again.push_back(number),
                Beginning::TooMany => {
                    // Those that were begun go on.
                    self.waiting.push_front(number);
                    break;
                }
                Beginning::Behind => {
                    self.waiting.push_front(number);
                    return None;
                }
            }
        }
        for _ in 0..self.again.len() {
            let number = self.again.pop_front()?;
            match self.try_begin(number, now, connection) {
                Beginning::Begun(assignment) => return Some(assignment),
                Beginning::Settled => {}
                Beginning::TooSoon => self.again.push_back(number),
                Beginning::TooMany | Beginning::Behind => {
                    self.again.push_front(number);
                    return None;
                }
            }
        }
        None
    }

    fn try_begin(&mut self, number: u32, now: Instant, connection: usize) -> Beginning {
        let index = number as usize;
        if self.is_settled[index] {
            return Beginning::Settled;
        }
        let Some(state) = self.state(index) else { return Beginning::TooMany };
        let FileStage::Waiting(turn) = state.stage else { return Beginning::Settled };
        if !state.is_ready(now) {
            return Beginning::TooSoon;
        }
        let file = Arc::clone(&state.file);
        if file.is_small() {
            let lease = self.lease_small(index, connection);
            return lease.map_or(Beginning::Settled, |lease| {
                Beginning::Begun(Assignment::Small(index, file, lease, turn))
            });
        }
        if self.large_under_way() >= FLIGHTS || self.trailing() >= self.digests {
            // The disk or the digests do not keep up. What is behind this one would only add to that.
            return Beginning::Behind;
        }
        if let Some(state) = self.files.get_mut(&index) {
            state.stage = FileStage::Opening;
        }
        self.under_way.push(index);
        Beginning::Begun(Assignment::Open(index, file, turn))
    }

    /// The state of a file that is not settled. It is made when the file is begun, unless too many are.
    fn state(&mut self, index: usize) -> Option<&mut FileState> {
        if !self.files.contains_key(&index) {
            if self.files.len() >= MOST_BEGUN {
                return None;
            }
            self.files.insert(index, FileState::new(Arc::new(self.to_fetch.transfer(index)?)));
        }
        self.files.get_mut(&index)
    }

    fn states_under_way(&self) -> impl Iterator<Item = (usize, &FileState)> {
        self.under_way.iter().filter_map(|index| Some((*index, self.files.get(index)?)))
    }

    fn large_under_way(&self) -> usize {
        self.states_under_way().filter(|(_, state)| !state.file.is_small()).count()
    }

    /// Files whose digest trails.
    fn trailing(&self) -> usize {
        let in_flight = self.states_under_way().filter_map(|(_, state)| state.in_flight());
        in_flight.filter(|in_flight| in_flight.digest_trails()).count()
    }

    fn lease_small(&mut self, index: usize, connection: usize) -> Option<Arc<Lease>> {
        let state = self.files.get_mut(&index)?;
        let lease = Arc::new(Lease::new(connection, 0..state.file.wanted.size));
        if matches!(state.stage, FileStage::Waiting(_)) {
            self.under_way.push(index);
        }
        state.stage = FileStage::Small(Arc::clone(&lease));
        Some(lease)
    }

    /// Ranges in flight that may be divided.
    fn leases(&self, now: Instant) -> impl Iterator<Item = (usize, &Arc<Lease>)> {
        let ready =
            self.states_under_way().filter(move |(_, state)| state.is_ready(now) && state.cuts().divide());
        ready.flat_map(|(index, state)| {
            let in_flight = state.in_flight().filter(|in_flight| in_flight.has_room());
            in_flight.into_iter().flat_map(|in_flight| &in_flight.leases).map(move |lease| (index, lease))
        })
    }

    /// Takes the second half of the longest range in flight.
    fn divide_longest(&mut self, now: Instant, connection: usize) -> Option<Assignment> {
        let (index, lease) = self.leases(now).max_by_key(|(_, lease)| lease.left())?;
        let (left, lease) = (lease.left(), Arc::clone(lease));
        if left < 2 * SHORTEST_PIECE {
            return None;
        }
        let end = lease.end();
        let state = self.files.get_mut(&index)?;
        let middle = state.cuts().first_from(end - left / 2, end)?;
        lease.cut(middle);
        state.lease(index, connection, middle..end).map(Assignment::Piece)
    }

    /// Takes what a straggler has left, and ends it.
    fn take_over_straggler(&mut self, now: Instant, connection: usize) -> Option<Assignment> {
        let small = self.states_under_way().filter_map(|(index, state)| match &state.stage {
            FileStage::Small(lease) => Some((index, lease)),
            _ => None,
        });
        let is_straggler = |(index, lease): &(usize, &Arc<Lease>)| {
            let takeovers = self.files.get(index).map_or(0, |state| state.takeovers);
            self.speeds.had_better(connection, lease, takeovers, now)
        };
        let (index, lease) = self.leases(now).chain(small).find(is_straggler)?;
        let lease = Arc::clone(lease);
        let left = lease.position()..lease.end();
        lease.hand_over(left.start);
        let state = self.files.get_mut(&index)?;
        state.takeovers += 1;
        state.file.source.recut();
        if state.in_flight().is_some() {
            return state.lease(index, connection, left).map(Assignment::Piece);
        }
        let file = Arc::clone(&state.file);
        let lease = self.lease_small(index, connection)?;
        Some(Assignment::Small(index, file, lease, Turn::Again))
    }

    /// Leaves what is before connections that are no longer allowed to the others.
    pub(super) fn drop_surplus(&mut self, allowed: usize) {
        for FileState { file, stage, .. } in self.files.values_mut() {
            let FileStage::InFlight(in_flight) = stage else { continue };
            for lease in in_flight.leases.iter().filter(|lease| lease.connection >= allowed) {
                let (from, end) = (lease.position().saturating_add(IN_HANDS), lease.end());
                if let Some(from) = file.source.cuts().first_from(from, end) {
                    lease.cut(from);
                    in_flight.unleased.insert(from..end);
                }
            }
        }
    }

    /// When a wait is over that something waits for, or it is time to look round again.
    pub(super) fn next_wake(&self, now: Instant) -> Option<Instant> {
        let look_round = (!self.under_way.is_empty()).then(|| now + GLANCE);
        let waits = self.files.values().filter_map(|state| state.retries.not_before);
        waits.chain(self.patient_until).chain(look_round).filter(|wake| *wake > now).min()
    }

    /// The part of a large file is open.
    pub(super) fn opened(&mut self, index: usize, part: Arc<Part>) {
        if let Some(stage @ FileStage::Opening) = self.files.get_mut(&index).map(|state| &mut state.stage) {
            *stage = FileStage::InFlight(LeasedPart::new(part));
        }
    }

    /// What a connection no longer works on and did not fetch can be leased again.
    pub(super) fn give_back(&mut self, piece: &Piece) {
        if let Some(in_flight) = self.files.get_mut(&piece.index).and_then(FileState::in_flight_mut) {
            in_flight.give_back(&piece.lease);
        }
    }

    /// The bytes of a small file have come, or failed to. False when another connection fetches it by now.
    pub(super) fn carried(&mut self, index: usize, lease: &Arc<Lease>, now: Instant) -> bool {
        self.speeds.hear(lease, now);
        let Some(FileState { stage, .. }) = self.files.get_mut(&index) else { return false };
        let is_leased = matches!(stage, FileStage::Small(current) if Arc::ptr_eq(current, lease));
        if is_leased {
            *stage = FileStage::Placing;
        }
        is_leased
    }

    /// The digest of a large file is right. False when the file was lost meanwhile.
    pub(super) fn proved(&mut self, index: usize) -> bool {
        let Some(state) = self.files.get_mut(&index) else { return false };
        let before = std::mem::replace(&mut state.stage, FileStage::Placing);
        if let FileStage::InFlight(in_flight) = before {
            in_flight.end();
        }
        true
    }

    /// An attempt at the whole file failed: it is to be begun again.
    pub(super) fn wait_again(&mut self, index: usize, rank: Rank) {
        let (Some(state), Ok(number)) = (self.files.get_mut(&index), u32::try_from(index)) else { return };
        if matches!(state.stage, FileStage::Waiting(_)) {
            return;
        }
        let before = std::mem::replace(&mut state.stage, FileStage::Waiting(Turn::Again));
        self.leave(index, before);
        match rank {
            Rank::First => self.waiting.push_front(number),
            Rank::Last => self.again.push_back(number),
        }
    }

    /// A file that was to be begun waits, as if it had not been.
    pub(super) fn put_off(&mut self, index: usize, turn: Turn, until: Instant) {
        let (Some(state), Ok(number)) = (self.files.get_mut(&index), u32::try_from(index)) else { return };
        if matches!(state.stage, FileStage::Opening | FileStage::Small(_)) {
            state.retries.not_before = Some(until);
            let before = std::mem::replace(&mut state.stage, FileStage::Waiting(turn));
            self.leave(index, before);
            self.again.push_back(number);
        }
    }

    /// A file is placed or lost. False when it was settled before.
    pub(super) fn settle(&mut self, index: usize) -> bool {
        let Some(FileState { stage, .. }) = self.files.remove(&index) else { return false };
        self.leave(index, stage);
        self.is_settled[index] = true;
        self.unsettled -= 1;
        true
    }

    fn leave(&mut self, index: usize, before: FileStage) {
        if let FileStage::InFlight(in_flight) = before {
            in_flight.end();
        }
        self.under_way.retain(|other| *other != index);
    }

    /// Large files under way whose part is open.
    pub(super) fn open_files(&self) -> impl Iterator<Item = &FileTransfer> {
        let open = self.states_under_way().filter(|(_, state)| {
            matches!(state.stage, FileStage::InFlight(_) | FileStage::Placing) && !state.file.is_small()
        });
        open.map(|(_, state)| &*state.file)
    }
}
