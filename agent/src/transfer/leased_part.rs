//! A large file in flight: which of its ranges are free, which are leased, and how far its digest has come.

use std::ops::Range;
use std::sync::Arc;

use super::lease::Lease;
use crate::part::{Part, RangeSet};

/// When so much waits for the digest, one connection is enough; at twice as much it is one too many. It is read back,
/// so it had better still be in the page cache, on small boxes too; and what waits when the last byte arrives is what
/// the user waits for.
pub(super) const BACKLOG: u64 = 128 << 20;

/// A large file whose part is open.
#[derive(Debug)]
pub(super) struct LeasedPart {
    pub(super) part: Arc<Part>,
    pub(super) unleased: RangeSet,
    pub(super) leases: Vec<Arc<Lease>>,
    digested: u64,
    /// Up to here the digest is excused: it is what an earlier run left, or what had been handed out when the digest
    /// last had nothing to do. Ranges side by side arrive in bursts, and a burst is soon done.
    excused: u64,
}

impl LeasedPart {
    pub(super) fn new(part: Arc<Part>) -> Self {
        let (unleased, excused) = (part.missing(), part.front());
        Self { part, unleased, leases: Vec::new(), digested: 0, excused }
    }

    /// Leases a range to a connection.
    pub(super) fn lease(&mut self, connection: usize, range: Range<u64>) -> Arc<Lease> {
        let lease = Arc::new(Lease::new(connection, range));
        self.leases.push(Arc::clone(&lease));
        lease
    }

    /// What a connection no longer works on and did not fetch can be leased again.
    pub(super) fn give_back(&mut self, lease: &Arc<Lease>) {
        let leases = self.leases.len();
        self.leases.retain(|other| !Arc::ptr_eq(other, lease));
        // A lease of a part that was thrown away meanwhile says nothing of the new one.
        if self.leases.len() < leases {
            // An answer with the whole file goes over what is on disk as well.
            let left = self.part.missing_in(lease.position()..lease.end());
            left.iter().for_each(|gap| self.unleased.insert(gap.clone()));
        }
    }

    /// The connections that still work on it find nothing left to do.
    pub(super) fn end(&self) {
        self.leases.iter().for_each(|lease| lease.cut(0));
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
