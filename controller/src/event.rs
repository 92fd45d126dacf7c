//! What happens during a run, in the order in which it happens: the one thing that renderers draw.
//!
//! Every text in an event has been sanitised. [`Event::Listing`], [`Event::Surveying`] and [`Event::Progress`] are samples,
//! everything else is said once.

use std::sync::Arc;
use std::time::Duration;

use hfdown_protocol::{
    Commit, Conclusion, Digest, DiskWarning, Failure, MachineInfo, RepoPath, TransferStatus,
};

use crate::cache::CacheEvent;
use crate::fleet::{BoxStatus, FleetEvent};
use crate::hub::RepoInfo;
use crate::link::BadAgent;
use crate::plan::{Intent, Plan};
use crate::selection::{Contents, Portion, Selected};
use crate::tally::Tally;
use crate::verification::{CheckedFile, VerificationTotals};

/// What a hint is said beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HintBeside {
    /// An error, or files that failed: it is said wherever these are.
    Failure,
    /// A result: who wants that alone is not told more.
    Result,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something a user should know and need not act upon.
    Warning {
        /// A lower-case fragment.
        text: String,
    },
    /// The disk of a folder can't do something, and the run goes on without.
    DiskWarning {
        /// The folder's absolute path on its machine.
        root: String,
        /// What.
        warning: DiskWarning,
    },
    /// What can be done about something that went wrong.
    Hint {
        /// A lower-case fragment.
        text: String,
        /// What it is said beside.
        beside: HintBeside,
    },
    /// A question is asked again after a wait: to the Hub, or for a connection.
    Delayed {
        /// A lower-case fragment: what failed.
        why: String,
        /// The attempt that failed, from 1.
        attempt: u32,
        /// How long the wait is.
        wait: Duration,
    },
    /// The Hub says page by page what the repository contains.
    Listing {
        /// How many files there are so far.
        files: usize,
    },
    /// The Hub has said what the repository contains.
    Listed {
        /// Its canonical name.
        repo: String,
        /// The pinned commit.
        commit: Commit,
        /// How many files are wanted, of how many.
        portion: Portion,
    },
    /// What a folder should contain was taken from the record of its last sync: the Hub was not asked.
    Recalled {
        /// The repository, as it was asked for.
        repo: String,
        /// What that sync was to bring, if the record says so.
        commit: Option<Commit>,
        /// Whether all of it was there in the end.
        completeness: RecordCompleteness,
        /// How many files are on record.
        files: usize,
        /// Their total size.
        bytes: u64,
    },
    /// The Hub was asked only to describe the repository, and this is the answer.
    Described {
        /// The repository.
        info: Box<RepoInfo>,
        /// Its files, as far as they are wanted.
        selected: Box<Selected>,
        /// What of them can be chosen.
        contents: Box<Contents>,
    },
    /// The box does not let us in, as boxes do that were just started; it is asked again for a while.
    NotReady {
        /// A lower-case fragment: why not.
        why: String,
        /// How long it will be asked.
        left: Duration,
    },
    /// The link broke in the middle of things; another one will be made after the wait.
    Reconnecting {
        /// A lower-case fragment: what was seen.
        why: String,
        /// Which attempt is next, from 1 since something last arrived.
        attempt: u32,
        /// How many there will be.
        of: u32,
        /// How long the wait is.
        wait: Duration,
    },
    /// Another run holds the folder, or another program fetches a file into the same cache; this one waits.
    Waiting {
        /// Who holds it.
        holder: String,
        /// The file, where it is one.
        path: Option<RepoPath>,
        /// For how long it has been waited for.
        waited: Duration,
    },
    /// The agent has the folder.
    Opened {
        /// The folder's absolute path on its machine.
        root: String,
        /// The folder as it was asked for.
        asked: String,
        /// Free bytes there.
        free: u64,
        /// The machine.
        machine: MachineInfo,
        /// How the agent came to be there.
        agent: Agent,
        /// How long all of that took.
        after: Duration,
    },
    /// How far the reading of files that are there already is.
    Surveying {
        /// Bytes read.
        read: u64,
        /// Bytes to read.
        of: u64,
    },
    /// It is known what of a file that was to be verified is right.
    Checked(CheckedFile),
    /// Every file that was to be verified has been told.
    Verification {
        /// What it has come to.
        totals: VerificationTotals,
        /// How long it took.
        took: Duration,
    },
    /// It is decided what to do.
    Planned {
        /// All of it.
        plan: Arc<Plan>,
        /// Whether it will be carried out.
        intent: Intent,
    },
    /// A file's transfer begins.
    Started {
        /// Which.
        path: RepoPath,
        /// Its size.
        size: u64,
        /// Bytes that an earlier run left behind.
        resumed: u64,
    },
    /// How far the transfer is.
    Progress(Progress),
    /// An attempt at a file failed; another one follows after the wait.
    Retrying {
        /// Which.
        path: RepoPath,
        /// The attempt that failed, from 1.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// How long the wait is.
        wait: Duration,
    },
    /// The Hub's Xet store was of no use, and what would have come from it comes as plain ranges.
    FellBack {
        /// Which file; none where it is all of them.
        path: Option<RepoPath>,
        /// Why.
        failure: Failure,
    },
    /// A file is complete and its digest is right.
    Verified {
        /// Which.
        path: RepoPath,
        /// What its bytes are proved by.
        digest: Digest,
    },
    /// A file has its final name.
    Placed {
        /// Which.
        path: RepoPath,
        /// Its size.
        size: u64,
        /// Bytes that came over the network for it.
        fetched: u64,
    },
    /// A file could not be had.
    Failed {
        /// Its name; for one that is listed and refused, that name, sanitised.
        path: String,
        /// Why.
        failure: Failure,
    },
    /// An extraneous file has been removed.
    Removed {
        /// Which.
        path: RepoPath,
    },
    /// An extraneous file that was to be removed has been left alone.
    NotRemoved {
        /// Which.
        path: RepoPath,
        /// Why.
        failure: Failure,
    },
    /// The transfer goes on without this machine.
    Detached {
        /// Files to fetch.
        files: usize,
        /// Bytes of them that were missing.
        bytes: u64,
        /// The command that watches it, and the one that ends it.
        attach: String,
        /// See there.
        stop: String,
    },
    /// A transfer that was detached is still going on, and is watched from here on.
    Joined {
        /// What it has come to.
        status: Box<TransferStatus>,
    },
    /// A transfer that was detached has ended.
    Ended {
        /// What it came to.
        status: Box<TransferStatus>,
        /// How.
        conclusion: Conclusion,
        /// How long ago.
        ago: Duration,
    },
    /// The key of a box is no longer remembered.
    Forgotten {
        /// The box, as its key was looked up.
        host: String,
        /// The file that had it.
        file: String,
    },
    /// What is there of what should be (`status`).
    Status(Box<BoxStatus>),
    /// What happens while the cache of the Hub is looked at.
    Cache(Box<CacheEvent>),
    /// What happens to many boxes of one command.
    Fleet(Box<FleetEvent>),
    /// The user has seen enough; the transfer goes on.
    Disconnected,
    /// Ctrl-C was seen; the agent is stopping.
    Cancelling,
    /// The run is over.
    Finished(Tally),
    /// What a run came to that fails, told before the failure is: for counts, and not to be shown by itself.
    Tallied(Tally),
}

/// Whether the sync that a record is of has come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordCompleteness {
    /// It has.
    Whole,
    /// It has not, or it is not known.
    Partial,
}

/// How an agent came to be where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agent {
    /// In the controller's own process.
    InProcess,
    /// It was on the box already.
    Cached,
    /// It was uploaded.
    Uploaded {
        /// How much went over the link for it, compressed where the box unpacks.
        bytes: u64,
        /// What was wrong with the one that was there.
        replaces: Option<BadAgent>,
    },
}

/// How far a transfer is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Bytes of the files to fetch that are on disk, those that an earlier run left behind included.
    pub done: u64,
    /// Bytes of the files to fetch.
    pub total: u64,
    /// Bytes per second over the last few seconds.
    pub rate: u64,
    /// Time left at that rate, when it can be said.
    pub left: Option<Duration>,
    /// The files in flight.
    pub in_flight: Vec<InFlight>,
}

/// A file in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    /// Which.
    pub path: RepoPath,
    /// Bytes of it on disk.
    pub done: u64,
    /// Its size.
    pub size: u64,
    /// Bytes per second over the last few seconds.
    pub rate: u64,
}
