//! One transfer, as the verbs describe it.

use std::num::{NonZeroU16, NonZeroU32};

use hfdown_protocol::{Access, Commit, Layout, Limits, Mode, RepoPath, Traces};

use crate::cli::{Settings, TransferArguments};
use crate::plan::Policy;
use crate::session::{Ask, ConnectAttempt, Machine};

/// One transfer: what, where to, and how.
pub(super) struct Trip<'a> {
    pub(super) settings: &'a Settings,
    pub(super) selection: Selection<'a>,
    pub(super) machine: Machine,
    /// The destination in words, for errors.
    pub(super) destination: String,
    pub(super) root: String,
    pub(super) bookkeeping: Bookkeeping,
    pub(super) policy: Policy,
    pub(super) transfer: &'a TransferArguments,
    /// Set where nobody stays until the end.
    pub(super) detaching: Option<Detaching<'a>>,
}

/// How a transfer is left to itself.
pub(super) struct Detaching<'a> {
    /// The box, as it was typed.
    pub(super) ssh: &'a str,
    /// For how many seconds it may wait for new addresses.
    pub(super) idle_timeout: NonZeroU32,
}

/// Which files of a repository are wanted.
pub(super) enum Selection<'a> {
    Everything,
    /// One, under another name.
    One {
        name: &'a str,
        placed_as: RepoPath,
    },
}

/// What stays beside the files.
pub(super) enum Bookkeeping {
    Full,
    None,
    /// None, and what earlier runs left goes as well.
    Traceless,
}

/// What the agent is asked for.
pub(super) fn ask(trip: &Trip<'_>, commit: &Commit, attempt: ConnectAttempt) -> Ask {
    Ask {
        root: trip.root.clone(),
        access: if trip.transfer.dry_run { Access::ReadOnly } else { Access::ReadWrite },
        layout: match trip.bookkeeping {
            Bookkeeping::Full | Bookkeeping::Traceless => Layout::LocalDir { commit: commit.clone() },
            Bookkeeping::None => Layout::Bare,
        },
        traces: match trip.bookkeeping {
            Bookkeeping::Full | Bookkeeping::None => Traces::Keep,
            Bookkeeping::Traceless => Traces::Remove,
        },
        limits: Limits {
            connections: trip.transfer.connections.and_then(NonZeroU16::new),
            bytes_per_second: trip.transfer.max_speed,
            stall_seconds: trip.settings.stall_seconds,
            first_wait_millis: trip.transfer.first_wait,
        },
        attempt,
        mode: if trip.detaching.is_some() { Mode::Detached } else { Mode::Attached },
    }
}
