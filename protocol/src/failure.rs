//! Why something did not work, in words that both halves share.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits;

/// What went wrong, and the detail that a user needs.
///
/// The kind decides what happens next (another attempt, an exit code, a hint); the detail is only ever shown. Details
/// that come from a box are hostile text until the controller has sanitised them, and hold no signed address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its class.
    pub kind: FailureKind,
    /// A lower-case fragment: what was seen.
    pub detail: String,
}

/// Classes of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FailureKind {
    /// The other side could not be reached, or went away: DNS, TCP, TLS, resets, stalls, 5xx.
    Unreachable,
    /// Too many requests; to be tried again after the time that was named.
    RateLimited,
    /// A signed address is no longer valid, or never was.
    Stale,
    /// The Hub refuses this file to this account.
    NotAllowed,
    /// There is no such file.
    NotFound,
    /// The server answered with something that makes no sense: a wrong range, a redirect loop, an unknown status.
    Nonsense,
    /// The bytes arrived and their digest is wrong, twice.
    Corrupt,
    /// The filesystem is full, or too small for what is missing.
    NoSpace {
        /// Bytes that have to be free for what is still missing; 0 where that is not known.
        needed: u64,
        /// Bytes free.
        free: u64,
        /// What there is no more of.
        scarcity: Scarcity,
    },
    /// The filesystem does not let this user do that.
    PermissionDenied,
    /// hfdown's own folder in the destination is another user's, or others may write to it.
    NotOurs,
    /// The destination is not a folder.
    NotADirectory,
    /// Something that must not be replaced is in the way: a directory, a link that leads out, a name that differs only
    /// in case.
    InTheWay,
    /// The file changed between the plan and its execution.
    ChangedMeanwhile,
    /// Another controller has joined the transfer.
    Locked,
    /// Another run holds the folder, or what is left of this one, and was waited for as long as it may be.
    Held,
    /// Reading or writing failed in another way.
    Disk,
    /// The machine's environment asks for what can't be done: a proxy that can't be understood.
    Misconfigured,
    /// Where the hub cache of a user is can't be learned.
    NoCache,
    /// The other half broke the protocol.
    Protocol,
    /// It was told to stop.
    Cancelled,
}

/// What there is no more of on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scarcity {
    /// Room for bytes.
    Bytes,
    /// What this user may have of it.
    Quota,
    /// Room for names: inodes.
    Inodes,
}

impl FailureKind {
    /// Each kind once, whatever its figures.
    pub fn distinct(kinds: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut distinct: Vec<Self> = Vec::new();
        for kind in kinds {
            if !distinct.iter().any(|known| std::mem::discriminant(known) == std::mem::discriminant(&kind)) {
                distinct.push(kind);
            }
        }
        distinct
    }
}

impl Failure {
    /// A failure with its detail, cut to [`limits::TEXT`].
    pub fn new(kind: FailureKind, detail: impl fmt::Display) -> Self {
        let mut detail = detail.to_string();
        if detail.len() > limits::TEXT {
            let mut end = limits::TEXT - '…'.len_utf8();
            while !detail.is_char_boundary(end) {
                end -= 1;
            }
            detail.truncate(end);
            detail.push('…');
        }
        Self { kind, detail }
    }

    pub(crate) fn is_bounded(&self) -> bool {
        self.detail.len() <= limits::TEXT
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.detail)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_long_details_between_characters() {
        let failure = Failure::new(FailureKind::Disk, "é".repeat(limits::TEXT));
        assert!(failure.is_bounded());
        assert!(failure.detail.ends_with("é…"));
    }
}
