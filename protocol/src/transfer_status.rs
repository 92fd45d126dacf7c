//! What a client that asks for a detached transfer later is told of it.

use serde::{Deserialize, Serialize};

use crate::{Failure, FailureKind, Summary, Wanted, limits};

/// What a detached transfer has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferStatus {
    /// What is fetched, as `Detach` named it.
    pub title: String,
    /// The folder's absolute path.
    pub root: String,
    /// Seconds since it was begun.
    pub age: u64,
    /// Files that were to be fetched.
    pub files: u32,
    /// Their bytes.
    pub bytes: u64,
    /// How many of these are on disk.
    pub done: u64,
    /// Files placed and lost, extraneous files removed, bytes that came over the network.
    pub summary: Summary,
    /// Files that nothing is fetched of.
    pub skipped: Skipped,
    /// What went wrong, each kind once: with files that failed, and with those that can't have their place.
    pub failures: Vec<FailureKind>,
}

/// Files of a plan that nothing is fetched of: they count when the whole is judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Files that were there already.
    pub kept: u32,
    /// Their bytes.
    pub kept_bytes: u64,
    /// How many of them were compared by size only.
    pub by_size: u32,
    /// Files that can't have their place.
    pub refused: u32,
}

/// A file of a detached transfer that is not in place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remaining {
    /// The file as it was listed.
    pub wanted: Wanted,
    /// How many of its bytes are on disk.
    pub done: u64,
}

/// How a detached transfer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Conclusion {
    /// By itself; its status says whether files were lost.
    Finished,
    /// It was told to stop.
    Stopped,
    /// It could not go on, or no client came to answer what it had to ask.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// Without a word: it was killed, or the machine was.
    Vanished,
    /// Whatever it had come to, a later run has changed the folder.
    Superseded,
}

impl TransferStatus {
    pub(crate) fn is_bounded(&self) -> bool {
        let texts_are = self.title.len() <= limits::TEXT && self.root.len() <= limits::TEXT;
        texts_are && self.failures.len() <= limits::KINDS
    }
}

impl Conclusion {
    pub(crate) fn is_bounded(&self) -> bool {
        match self {
            Self::Failed { failure } => failure.is_bounded(),
            Self::Finished | Self::Stopped | Self::Vanished | Self::Superseded => true,
        }
    }
}
