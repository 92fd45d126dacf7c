//! The terms of a file that were given in advance: they are good until their addresses are refused, however often a connection
//! breaks and what is missing changes.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::xet::Reconstruction;

/// All terms of a file, where they were given in advance, and the number of the answer that gave them.
#[derive(Debug, Default)]
pub(super) struct TermsAtHand(Mutex<Option<(Arc<Reconstruction>, u32)>>);

impl TermsAtHand {
    /// The terms of what is missing, if they are at hand.
    pub(super) fn of(&self, missing: &[Range<u64>]) -> Option<Reconstruction> {
        self.lock().as_ref().map(|(given, _)| given.within(missing))
    }

    /// Keeps terms that were given, and says which of them are those of what is missing.
    pub(super) fn keep(
        &self,
        given: Arc<Reconstruction>,
        answer: u32,
        missing: &[Range<u64>],
    ) -> Reconstruction {
        self.lock().insert((given, answer)).0.within(missing)
    }

    /// Those of this answer and earlier ones are of no use any more. Whether these were the ones at hand.
    pub(super) fn forget(&self, answer: u32) -> bool {
        self.lock().take_if(|(_, number)| *number <= answer).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Arc<Reconstruction>, u32)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
