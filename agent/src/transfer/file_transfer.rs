//! One file to fetch, as the connections that work on it share it without the queue's lock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hfdown_protocol::{Source, Stamp, Wanted, XetHash};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio_util::sync::CancellationToken;

use super::basis::Basis;
use super::claim::Sharing;
use crate::source::FileSource;

/// Files up to this size are fetched whole and held in memory until they are proved.
pub(super) const SMALL: u64 = 1 << 20;

/// A file to fetch.
#[derive(Debug)]
pub(super) struct FileTransfer {
    pub(super) wanted: Wanted,
    /// What may be replaced at its place.
    pub(super) replaces: Option<Stamp>,
    /// The name of its part.
    pub(super) part: String,
    /// Where others want the same bytes at the same place.
    pub(super) sharing: Option<Box<Sharing>>,
    pub(super) source: FileSource,
    /// What the Hub's Xet store calls it.
    pub(super) xet: Option<XetHash>,
    /// An older version of it.
    pub(super) basis: Option<Arc<Basis>>,
    basis_is_used: AtomicBool,
    basis_was_wrong: AtomicBool,
    /// What lets it be seeded: its part has the room of a whole file from then on, whatever becomes of the first attempt.
    seeding: Mutex<Option<OwnedSemaphorePermit>>,
    /// Whether all of it was on disk at the beginning.
    pub(super) was_kept: bool,
    kept_is_used: AtomicBool,
    pub(super) counts: FileCounts,
    /// Rung when bytes have been written.
    pub(super) advanced: Notify,
    /// Set when the file has failed: connections that still work on it stop.
    pub(super) abandoned: CancellationToken,
}

/// How far a file has come. Connections raise these, other tasks sample them.
#[derive(Debug, Default)]
pub(super) struct FileCounts {
    /// Bytes on the wire, repeated ones included.
    fetched: AtomicU64,
    /// Bytes of the file that this run has written.
    written: AtomicU64,
    /// Bytes of the file on disk.
    done: AtomicU64,
}

impl FileTransfer {
    pub(super) fn new(wanted: Wanted, replaces: Option<Stamp>, part: String, source: Source) -> Self {
        let source = FileSource::new(wanted.id, wanted.size, source);
        let (counts, advanced, abandoned) = (FileCounts::default(), Notify::new(), CancellationToken::new());
        let (was_kept, kept_is_used) = (false, AtomicBool::new(false));
        Self {
            wanted,
            replaces,
            part,
            sharing: None,
            source,
            xet: None,
            basis: None,
            basis_is_used: AtomicBool::new(false),
            basis_was_wrong: AtomicBool::new(false),
            seeding: Mutex::default(),
            was_kept,
            kept_is_used,
            counts,
            advanced,
            abandoned,
        }
    }

    /// Has another file of the same bytes get its name with this one.
    pub(super) fn share_with(&mut self, other: Wanted, replaces: Option<Stamp>) {
        self.sharing.get_or_insert_default().others.push((other, replaces));
    }

    /// The same, where other programs may fetch the bytes as well.
    pub(super) fn shared(self) -> Self {
        Self { sharing: Some(Box::default()), ..self }
    }

    /// Other programs need not wait for its bytes any more.
    pub(super) fn release(&self) {
        self.sharing.iter().for_each(|sharing| sharing.release());
    }

    /// Whether all of it was on disk at the beginning and no attempt has used that: it may turn out wrong.
    pub(super) fn take_kept(&self) -> bool {
        self.was_kept && !self.kept_is_used.swap(true, Ordering::Relaxed)
    }

    /// Whether it has a permit to be seeded, which it keeps until it is settled.
    pub(super) fn may_be_seeded(&self) -> bool {
        self.seeding.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(super) fn let_be_seeded(&self, permit: OwnedSemaphorePermit) {
        *self.seeding.lock().unwrap_or_else(PoisonError::into_inner) = Some(permit);
    }

    /// Whether its basis was not tried yet, as it is from here on.
    pub(super) fn take_basis(&self) -> bool {
        !self.basis_is_used.swap(true, Ordering::Relaxed)
    }

    /// The bytes turned out wrong: whether some may be its basis's, which it is fetched without from here on.
    pub(super) fn blame_basis(&self) -> bool {
        let is_used = self.basis.is_some() && self.basis_is_used.load(Ordering::Relaxed);
        is_used && !self.basis_was_wrong.swap(true, Ordering::Relaxed)
    }

    pub(super) fn is_small(&self) -> bool {
        self.wanted.size <= SMALL
    }
}

impl FileCounts {
    pub(super) fn add_fetched(&self, wire: u64) {
        self.fetched.fetch_add(wire, Ordering::Relaxed);
    }

    pub(super) fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    pub(super) fn add_written(&self, bytes: u64) {
        self.written.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    pub(super) fn set_done(&self, bytes: u64) {
        self.done.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}
