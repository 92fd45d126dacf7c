//! What a run does without, and goes on.

use serde::{Deserialize, Serialize};

use crate::Failure;

/// What a disk does not let an agent do, and what is lost by that. An agent says each kind once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskWarning {
    /// It has no locks.
    NoLocks {
        /// Which other runs are noticed all the same.
        noticed: NoticedRuns,
    },
    /// It has no way to wait until a file would survive a power loss.
    NoFlush,
    /// It can't give a file the name of another one: that has to go first.
    NoReplace,
    /// It can't change who may use a file.
    NoModes,
    /// It has no links: a snapshot in a hub cache consists of files of its own.
    NoLinks,
    /// What `hf` reads of the files beside them could not be written.
    HubMetadata {
        /// Why not, at first.
        failure: Failure,
    },
}

/// Which other runs at one folder are noticed where its disk has no locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoticedRuns {
    /// Those of the same machine.
    OnThisMachine,
    /// None.
    None,
}

impl DiskWarning {
    /// Whether it says the same as another one, whatever the details.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    pub(crate) fn is_bounded(&self) -> bool {
        match self {
            Self::HubMetadata { failure } => failure.is_bounded(),
            Self::NoLocks { .. } | Self::NoFlush | Self::NoReplace | Self::NoModes | Self::NoLinks => true,
        }
    }
}
