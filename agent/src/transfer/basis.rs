//! An older version of a file to fetch, as it was ordered.

use hfdown_protocol::{ChunkRun, RepoPath, RunsOf, Stamp, XetHash};

/// What is there of an older version, and which chunks it and the wanted file consist of.
#[derive(Debug)]
pub(crate) struct Basis {
    /// Where it stands.
    pub(super) place: RepoPath,
    /// What it looked like.
    pub(super) stamp: Stamp,
    /// What the Hub's Xet store calls it.
    pub(super) hash: XetHash,
    pub(super) old: Vec<ChunkRun>,
    pub(super) new: Vec<ChunkRun>,
}

impl Basis {
    pub(crate) fn new(place: RepoPath, stamp: Stamp, hash: XetHash) -> Self {
        Self { place, stamp, hash, old: Vec::new(), new: Vec::new() }
    }

    /// Adds the next chunks of one of the two.
    pub(super) fn add(&mut self, whose: RunsOf, runs: Vec<ChunkRun>) {
        match whose {
            RunsOf::Basis => self.old.extend(runs),
            RunsOf::Wanted => self.new.extend(runs),
        }
    }
}
