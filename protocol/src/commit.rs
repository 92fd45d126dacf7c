//! A pinned version of a repository.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

/// A full commit hash: 40 lowercase hex digits. Branches move, commits do not, so everything after the first question
/// to the Hub speaks of a commit.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Commit(String);

/// A text that is not a full commit hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a full commit hash")]
pub struct CommitError;

impl Commit {
    /// Checks the 40 hex digits.
    pub fn new(hash: impl Into<String>) -> Result<Self, CommitError> {
        let hash = hash.into();
        let is_hash = hash.len() == 40 && HEXLOWER.decode_mut(hash.as_bytes(), &mut [0; 20]).is_ok();
        if is_hash { Ok(Self(hash)) } else { Err(CommitError) }
    }

    /// All 40 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The seven digits that people read.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl TryFrom<String> for Commit {
    type Error = CommitError;

    fn try_from(hash: String) -> Result<Self, CommitError> {
        Self::new(hash)
    }
}

impl From<Commit> for String {
    fn from(commit: Commit) -> Self {
        commit.0
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Commit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
