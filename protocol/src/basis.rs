//! An older version of a file that is there already, and out of which what has not changed is copied.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{Commit, FileId, RepoPath, Stamp, XetHash};

/// A file that a wanted one may share bytes with: an older version of it, most often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundBasis {
    /// The wanted file that it is a version of; `None` where it is one that nothing is known of but its bytes.
    pub file: Option<FileId>,
    /// Where it stands, relative to the root.
    pub place: RepoPath,
    /// What it looks like.
    pub stamp: Stamp,
    /// What is known of its bytes.
    pub version: BasisVersion,
}

/// What is known of the bytes of a basis. Whether it is true is seen when they are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BasisVersion {
    /// What the Hub's Xet store calls them.
    Hash(XetHash),
    /// They are what this commit has at the path of the wanted file.
    At(Commit),
}

/// Chunks of a xorb that follow each other in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkRun {
    /// Which xorb, by a number that holds for one wanted file and its basis.
    pub xorb: u32,
    /// Which of its chunks.
    pub chunks: Range<u32>,
    /// How many bytes of the file they are.
    pub length: u32,
}

/// Whose chunks are described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunsOf {
    /// The file that is there.
    Basis,
    /// The file that is wanted.
    Wanted,
}
