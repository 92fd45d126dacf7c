//! By what way each file comes: as plain ranges, or as chunks of the Hub's Xet store. What the store says of a file tells
//! how many bytes travel before the first one does.

mod delta;

use std::collections::{BTreeMap, HashMap};

use clap::ValueEnum;
use hfdown_protocol::{Failure, FailureKind, FileId, XetHash};

/// By how many hundredths less must travel. Chunks have to be decoded, and come from more addresses than a plain file.
pub const WORTH_XET: u64 = 3;
/// Smaller files are fetched in one request, which is fewer than their chunks take.
pub const SMALLEST: u64 = 1 << 20;
/// Larger files the Hub does not give out as plain ones.
pub const LARGEST_PLAIN: u64 = 50_000_000_000;

/// What is said of a file that it has not.
const UNKNOWN_THERE: &str = "the Hub does not say that the store has it";

pub use delta::DeltaRoute;

/// Whether files come from the Hub's Xet store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum XetPolicy {
    /// Where that saves 3 % of the bytes or more.
    #[default]
    Auto,
    /// Wherever it has them.
    Always,
    /// Never.
    Never,
}

/// The way of one file out of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XetRoute {
    /// How many bytes travel for all of the file.
    pub wire: u64,
}

/// The ways of a plan's files. Those that are not in it come as plain ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    /// What the store calls files that are to be fetched, as far as it has them.
    hashes: HashMap<FileId, XetHash>,
    xet: HashMap<FileId, XetRoute>,
    deltas: BTreeMap<FileId, DeltaRoute>,
    /// Why nothing comes from the store, or not all that could.
    trouble: Option<Failure>,
}

impl XetPolicy {
    /// Whether a file of `size` bytes comes from the store, where `wire` bytes travel for it.
    pub fn takes(self, size: u64, wire: u64) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Auto => {
                size > LARGEST_PLAIN
                    || u128::from(wire) * 100 <= u128::from(size) * u128::from(100 - WORTH_XET)
            }
        }
    }
}

impl Routes {
    /// The store has this file, under this name.
    pub fn name(&mut self, file: FileId, hash: XetHash) {
        self.hashes.insert(file, hash);
    }

    /// It comes from there.
    pub fn take(&mut self, file: FileId, route: XetRoute) {
        self.xet.insert(file, route);
    }

    /// It comes as it is after all.
    pub fn leave(&mut self, file: FileId) {
        self.xet.remove(&file);
    }

    /// What the store calls a file.
    pub fn hash(&self, file: FileId) -> Option<XetHash> {
        self.hashes.get(&file).copied()
    }

    /// The way of a file that comes from the store.
    pub fn xet(&self, file: FileId) -> Option<XetRoute> {
        self.xet.get(&file).copied()
    }

    /// The store was of no use.
    pub fn note_trouble(&mut self, trouble: Failure) {
        self.trouble.get_or_insert(trouble);
    }

    /// Why a file of this size did not come. Of one that the Hub gives out through the store alone, the reason is that it did not
    /// come from there: the agent said why, or it was known before.
    pub fn explain(&self, size: u64, failure: Failure, fell_back: Option<&Failure>) -> Failure {
        let is_of_the_hub =
            matches!(failure.kind, FailureKind::NotAllowed | FailureKind::Stale | FailureKind::Nonsense);
        if size <= LARGEST_PLAIN || !is_of_the_hub {
            return failure;
        }
        let why = fell_back.or(self.trouble.as_ref()).map_or(UNKNOWN_THERE, |trouble| &trouble.detail);
        let detail = &failure.detail;
        Failure::new(
            failure.kind,
            format_args!(
                "{detail}; files of more than 50 GB come from the Hub's Xet store alone, and not this one: {why}"
            ),
        )
    }

    /// Whether any file comes from the store.
    pub fn is_plain(&self) -> bool {
        self.xet.is_empty()
    }

    /// What it has in common with a file that is there is copied.
    pub fn copy(&mut self, file: FileId, route: DeltaRoute) {
        self.deltas.insert(file, route);
    }

    /// The files of which something is copied.
    pub fn copied(&self) -> impl Iterator<Item = (FileId, &DeltaRoute)> {
        self.deltas.iter().map(|(file, route)| (*file, route))
    }

    /// How many of the missing bytes of a file are new: the others are copied.
    pub fn fresh(&self, file: FileId, missing: u64) -> u64 {
        self.deltas.get(&file).map_or(missing, |route| route.fresh.min(missing))
    }

    /// Whether something of this file is copied.
    pub fn is_copied(&self, file: FileId) -> bool {
        self.deltas.contains_key(&file)
    }

    /// Whether something of a file is copied.
    pub fn has_copies(&self) -> bool {
        !self.deltas.is_empty()
    }

    /// How many bytes travel for what is missing of a file. What an earlier run left has its share of them.
    pub fn wire(&self, file: FileId, size: u64, missing: u64) -> u64 {
        let missing = self.fresh(file, missing);
        let Some(XetRoute { wire }) = self.xet(file) else { return missing };
        let share = u128::from(wire) * u128::from(missing) / u128::from(size.max(1));
        u64::try_from(share).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_file_that_only_the_store_gives_out_is_said_why_it_did_not_come_from_there() {
        let (mut routes, large) = (Routes::default(), LARGEST_PLAIN + 1);
        let refused = || Failure::new(FailureKind::NotAllowed, "cdn.example answered 403");
        let why = |routes: &Routes, size, failure, fell_back: Option<&Failure>| {
            routes.explain(size, failure, fell_back).detail
        };
        let full = || Failure::new(FailureKind::Disk, "cannot write");
        assert_eq!(why(&routes, LARGEST_PLAIN, refused(), None), "cdn.example answered 403");
        assert_eq!(why(&routes, large, full(), None), "cannot write");
        assert!(why(&routes, large, refused(), None).ends_with(UNKNOWN_THERE));
        routes.note_trouble(Failure::new(FailureKind::NotAllowed, "it is turned off"));
        let told = why(&routes, large, refused(), None);
        assert!(
            told.starts_with("cdn.example answered 403; files of more than 50 GB ")
                && told.ends_with(": it is turned off"),
            "{told}"
        );
        let fell_back = Failure::new(FailureKind::Nonsense, "no chunks");
        assert!(why(&routes, large, refused(), Some(&fell_back)).ends_with(": no chunks"));
    }

    #[test]
    fn a_file_comes_from_the_store_where_that_saves_enough() {
        for (policy, size, wire, expected) in [
            (XetPolicy::Auto, 1_000_000, 970_000, true),
            (XetPolicy::Auto, 1_000_000, 970_001, false),
            (XetPolicy::Auto, 1_000_000, 2_000_000, false),
            (XetPolicy::Auto, LARGEST_PLAIN, LARGEST_PLAIN, false),
            (XetPolicy::Auto, LARGEST_PLAIN + 1, LARGEST_PLAIN + 9, true),
            (XetPolicy::Auto, u64::MAX, u64::MAX / 2, true),
            (XetPolicy::Always, 1_000_000, 2_000_000, true),
            (XetPolicy::Never, u64::MAX, 0, false),
            (XetPolicy::Never, 1_000_000, 1, false),
        ] {
            assert_eq!(policy.takes(size, wire), expected, "{policy:?} {size} {wire}");
        }
    }
}
