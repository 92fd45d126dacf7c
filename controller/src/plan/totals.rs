//! What a plan comes to: bytes, counts, and how much of the repository it is.

use hfdown_protocol::{FailureKind, Proof, Skipped};

use super::{Action, LeftOut, Plan, Planned};
use crate::selection::Portion;

impl Planned<'_> {
    /// Bytes to fetch: what an earlier run left behind is not fetched again.
    pub fn missing(&self) -> u64 {
        match self.action {
            Action::Fetch { partial, .. } => self.size.saturating_sub(partial),
            Action::Keep { .. } | Action::Refuse { .. } => 0,
        }
    }
}

impl Plan {
    /// Bytes to fetch that are new: the others are copied out of files that are there.
    pub fn fresh_bytes(&self) -> u64 {
        let fresh = |file: Planned<'_>| self.routes.fresh(file.id, file.missing());
        self.to_fetch().map(fresh).fold(0, u64::saturating_add)
    }

    /// Bytes that travel for what is to be fetched: fewer where they come compressed.
    pub fn wire_bytes(&self) -> u64 {
        let wire = |file: Planned<'_>| self.routes.wire(file.id, file.size, file.missing());
        self.to_fetch().map(wire).fold(0, u64::saturating_add)
    }

    /// Bytes to fetch: what an earlier run left behind is not fetched again.
    pub fn missing_bytes(&self) -> u64 {
        self.to_fetch().map(|file| file.missing()).sum()
    }

    /// Bytes of the files that are there already.
    pub fn kept_bytes(&self) -> u64 {
        self.kept().map(|file| file.size).sum()
    }

    /// How many of these were compared by size only.
    pub fn kept_by_size(&self) -> usize {
        let is_by_size = |file: &Planned<'_>| matches!(file.action, Action::Keep { proof: Proof::SizeOnly });
        self.files().filter(is_by_size).count()
    }

    /// Why files can't have their place: how they are listed, and what is in the way of others.
    pub fn refusals(&self) -> impl Iterator<Item = FailureKind> {
        let refused = self.refused.iter().map(|refused| refused.reason.failure().kind);
        refused.chain(self.obstructed().map(|(_, failure)| failure.kind))
    }

    /// The wanted files that nothing is fetched of.
    pub fn skipped(&self) -> Skipped {
        let count = |files: usize| u32::try_from(files).unwrap_or(u32::MAX);
        Skipped {
            kept: count(self.kept().count()),
            kept_bytes: self.kept_bytes(),
            by_size: count(self.kept_by_size()),
            refused: count(self.refusals().count()),
        }
    }

    /// How much of the repository is wanted, where that is not all of it, and not one file by its name.
    pub fn portion(&self) -> Option<Portion> {
        let LeftOut { files: other_files, bytes: other_bytes } = self.left_out;
        if other_files == 0 || self.listed_as.is_some() {
            return None;
        }
        let (files, bytes) = (self.len(), self.wanted.total());
        Some(Portion {
            files,
            bytes,
            of_files: files + other_files,
            of_bytes: bytes.saturating_add(other_bytes),
        })
    }
}
