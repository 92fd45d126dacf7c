//! What a target has learned about where its files come from.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hfdown_protocol::{Failure, FileId};
use tokio::time::Instant;

use crate::hub::HubError;

/// Files of which is remembered what the Hub said. Of those beyond, the half of it that the box was told is told.
const MOST_REFUSALS: usize = 10_000;

/// What is known, whatever becomes of the link.
#[derive(Debug, Default)]
pub(super) struct SourceFindings {
    found: Mutex<NotedSources>,
}

#[derive(Debug, Default)]
struct NotedSources {
    refusals: HashMap<FileId, Refusal>,
    /// The first of them, in full.
    first: Option<Arc<HubError>>,
    relayed: HashSet<FileId>,
    /// When the terms of files were given last.
    terms: HashMap<FileId, Instant>,
    withheld: HashMap<FileId, u64>,
}

/// Why a file can't be had: as the box is told, and with what the Hub said of it, which is told here alone.
#[derive(Debug)]
struct Refusal {
    there: Failure,
    here: Failure,
}

/// Files that the Hub sends itself to those who show the token, and that a box therefore did not get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelfServed {
    /// How many.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl SourceFindings {
    /// A file can't be had.
    pub(super) fn refuse(&self, id: FileId, there: &Failure, here: Failure) {
        let mut found = self.found();
        if found.refusals.len() < MOST_REFUSALS {
            found.refusals.insert(id, Refusal { there: there.clone(), here });
        }
    }

    /// Keeps the first refusal for the end of the run.
    pub(super) fn keep_first(&self, error: Arc<HubError>) {
        self.found().first.get_or_insert(error);
    }

    /// That one, if there was any.
    pub(super) fn take_first(&self) -> Option<Arc<HubError>> {
        self.found().first.take()
    }

    /// A failure that a box reports, with what it was not told where it is what it was told.
    pub(super) fn in_full(&self, id: FileId, failure: Failure) -> Failure {
        match self.found().refusals.get(&id) {
            Some(Refusal { there, here }) if *there == failure => here.clone(),
            _ => failure,
        }
    }

    /// An agent is told to ask for the bytes of a file.
    pub(super) fn relay(&self, id: FileId) {
        self.found().relayed.insert(id);
    }

    /// Whether it was.
    pub(super) fn is_relayed(&self, id: FileId) -> bool {
        self.found().relayed.contains(&id)
    }

    /// The terms of a file are given now. When they were before, if they were.
    pub(super) fn give_terms(&self, id: FileId) -> Option<Instant> {
        self.found().terms.insert(id, Instant::now())
    }

    /// A box does not get a file of this size.
    pub(super) fn withhold(&self, id: FileId, size: u64) {
        self.found().withheld.insert(id, size);
    }

    /// Those files together, if there are any.
    pub(super) fn withheld(&self) -> Option<SelfServed> {
        let withheld = &self.found().withheld;
        let bytes = withheld.values().copied().fold(0, u64::saturating_add);
        (!withheld.is_empty()).then_some(SelfServed { files: withheld.len(), bytes })
    }

    fn found(&self) -> MutexGuard<'_, NotedSources> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
