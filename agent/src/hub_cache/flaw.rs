//! What is odd in a cache. None of it ends the look at it.

use std::fmt;
use std::io;

use crate::os_error::in_words;

/// Something odd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheFlaw {
    /// Where, relative to the cache.
    pub path: String,
    /// What.
    pub kind: FlawKind,
}

/// What is odd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlawKind {
    /// A repository's folder is a link. What is behind it is neither counted nor touched.
    LinkedRepository {
        /// What the link says.
        target: String,
    },
    /// Something else stands where a folder or a file is expected.
    Unexpected,
    /// It can't be looked at.
    Unreadable {
        /// Why.
        why: String,
    },
    /// Files of a snapshot are links to blobs that are not there.
    NoBlob {
        /// How many.
        files: u64,
        /// The first of them.
        first: String,
    },
    /// Links that lead to something that is no blob of the repository.
    LeadsElsewhere {
        /// How many.
        files: u64,
        /// The first of them.
        first: String,
    },
    /// A ref names a commit that has no snapshot.
    NoSnapshot {
        /// The commit, or whatever else is written there.
        commit: String,
    },
}

impl CacheFlaw {
    pub(super) fn unreadable(path: impl Into<String>, error: &io::Error) -> Self {
        Self { path: path.into(), kind: FlawKind::Unreadable { why: in_words(&error.to_string()) } }
    }

    pub(super) fn unexpected(path: impl Into<String>) -> Self {
        Self { path: path.into(), kind: FlawKind::Unexpected }
    }
}

impl fmt::Display for CacheFlaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        let others = |files: u64| match files {
            0 | 1 => String::new(),
            files => format!(" and {} more of {path}", files - 1),
        };
        match &self.kind {
            FlawKind::LinkedRepository { target } => {
                write!(
                    formatter,
                    "{path} is a link to {target}: what is there is not counted, and never removed"
                )
            }
            FlawKind::Unexpected => write!(formatter, "{path} is not what belongs there, and is left alone"),
            FlawKind::Unreadable { why } => write!(formatter, "cannot look at {path}: {why}"),
            FlawKind::NoBlob { files, first } => {
                write!(formatter, "{path}/{first}{} has no content: its blob is missing", others(*files))
            }
            FlawKind::LeadsElsewhere { files, first } => {
                write!(formatter, "{path}/{first}{} leads to no blob of its repository", others(*files))
            }
            FlawKind::NoSnapshot { commit } => {
                write!(formatter, "{path} names {commit}, of which there is no snapshot")
            }
        }
    }
}
