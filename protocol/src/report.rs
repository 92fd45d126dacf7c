//! What an agent reports.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{
    Commit, Conclusion, Digest, DiskWarning, ExtraneousFile, Failure, FileId, FoundBasis, Message, Remaining,
    StreamId, StreamRequest, TransferStatus, Wanted, limits,
};

/// Everything an agent can say. Lifecycle reports are lossless; `Tick` is a sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// The answer to `Hello`.
    Hello {
        /// The agent's [`VERSION`](crate::VERSION).
        version: String,
        /// Where it runs.
        machine: MachineInfo,
    },
    /// The answer to `Open`: the folder is ours until the conversation ends.
    Opened {
        /// The folder's absolute path there; in a hub cache, that of the repository's folder.
        root: String,
        /// Free bytes on its filesystem, for this user.
        free: u64,
        /// Whether it is a hub cache in which `trees/<commit>.json` is missing.
        lacks_tree: bool,
    },
    /// Another run holds the folder; the agent waits and will answer `Opened` or `Fatal` in the end. Or another program
    /// fetches a file into the same hub cache; the agent waits for that and goes on with the others.
    Waiting {
        /// What the holder wrote about itself.
        holder: String,
        /// The file, where it is one.
        file: Option<FileId>,
    },
    /// Files as they were proved in this folder, numbered from 0.
    Recorded {
        /// At most [`limits::ENTRIES`].
        files: Vec<Wanted>,
    },
    /// The answer to `Recall` is complete.
    Recalled {
        /// Which sync the record is of, if it says so.
        sync: Option<RecordedSync>,
    },
    /// How far the survey is with reading; a few times a second at most.
    Surveying {
        /// Bytes read.
        read: u64,
        /// Bytes to read.
        of: u64,
    },
    /// What stands at the places of some wanted files.
    Found {
        /// At most [`limits::ENTRIES`].
        files: Vec<(FileId, Found)>,
    },
    /// Files of an earlier sync that the listing does not contain.
    Extraneous {
        /// At most [`limits::ENTRIES`].
        extraneous: Vec<ExtraneousFile>,
    },
    /// Files that are neither wanted nor extraneous, where [`Check::Everything`](crate::Check::Everything) was asked for.
    Unlisted {
        /// At most [`limits::ENTRIES`].
        files: Vec<UnlistedFile>,
    },
    /// Parts that are there of files that are not wanted. Those that the controller does not name in
    /// [`KeepParts`](crate::Order::KeepParts) go at the end.
    UnwantedParts {
        /// At most [`limits::ENTRIES`].
        digests: Vec<Digest>,
    },
    /// Files that are there and that wanted ones, which are not, may share bytes with.
    Bases {
        /// At most [`limits::ENTRIES`], and [`limits::BASES`] in one survey.
        bases: Vec<FoundBasis>,
    },
    /// The survey is complete: every wanted file has been reported.
    Surveyed {
        /// Which names the disk can't tell apart.
        folding: Folding,
    },
    /// This file's source is needed now: it was to be asked for, or the last one has gone stale.
    NeedSource {
        /// Which.
        file: FileId,
        /// What kind of source.
        asked: AskedFor,
    },
    /// The Xet store was of no use for this file, of which the rest comes as any other does.
    FellBack {
        /// Which.
        file: FileId,
        /// Why.
        failure: Failure,
    },
    /// A stream of a file that the controller relays.
    Stream {
        /// Which.
        stream: StreamId,
        /// What of it is wanted.
        request: StreamRequest,
    },
    /// The first request for this file is about to be made.
    Started {
        /// Which.
        file: FileId,
        /// How many of its bytes were on disk already.
        resumed: u64,
    },
    /// Where the transfer stands; a few times a second at most.
    Tick {
        /// Files in flight, at most [`limits::ENTRIES`].
        files: Vec<Ticked>,
    },
    /// An attempt failed and another one follows.
    Retrying {
        /// Which.
        file: FileId,
        /// The number of the attempt that failed, from 1.
        attempt: u32,
        /// Why it failed.
        failure: Failure,
        /// How long the agent waits before the next, in milliseconds.
        wait_ms: u64,
    },
    /// The file is complete and its digest is right.
    Verified {
        /// Which.
        file: FileId,
    },
    /// The file has its final name.
    Placed {
        /// Which.
        file: FileId,
        /// How many bytes came over the network for it in this conversation, repeated ones included.
        fetched: u64,
        /// How many of its bytes this conversation wrote, wherever they came from.
        written: u64,
    },
    /// The file could not be had. The others go on.
    Failed {
        /// Which.
        file: FileId,
        /// Why.
        failure: Failure,
        /// How many bytes came over the network for it all the same.
        fetched: u64,
        /// How many of its bytes were written all the same.
        written: u64,
    },
    /// An extraneous file has been removed.
    Removed {
        /// Which: its position in the extraneous files as they were ordered removed, from 0.
        index: u32,
    },
    /// An extraneous file was left alone.
    NotRemoved {
        /// Which: its position in the extraneous files as they were ordered removed, from 0.
        index: u32,
        /// Why.
        failure: Failure,
    },
    /// The disk can't do something that would be better. The work goes on.
    Warning {
        /// What.
        warning: DiskWarning,
    },
    /// The plan has been carried out, or cancelled.
    Finished {
        /// What was done.
        summary: Summary,
    },
    /// The answer to `Detach`: from here on the transfer goes on without a link.
    Detached,
    /// The answer to a client that joins a detached transfer which still runs. What is left of it follows, then
    /// whatever happens.
    Joined {
        /// What it has come to so far.
        status: Box<TransferStatus>,
    },
    /// Files of that transfer that are not in place: unfinished ones, and those that failed, for which `Failed`
    /// follows.
    Remaining {
        /// At most [`limits::ENTRIES`].
        files: Vec<Remaining>,
    },
    /// The answer to a client that joins a detached transfer which has ended.
    Ended {
        /// What it came to.
        status: Box<TransferStatus>,
        /// How it ended.
        conclusion: Conclusion,
        /// Seconds since then.
        ago: u64,
    },
    /// Nothing more can be done in this conversation.
    Fatal {
        /// Why.
        failure: Failure,
    },
    /// I am alive.
    Pong,
}

/// What kind of source is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AskedFor {
    /// Where its bytes are, or the bytes.
    Plain,
    /// The terms of its Xet reconstruction for what of it is missing.
    Terms {
        /// In the order of the file and apart from each other, at most [`limits::GAPS`].
        missing: Vec<Range<u64>>,
    },
}

/// The last sync of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedSync {
    /// What it was to bring.
    pub commit: Commit,
    /// How many files were recorded once all of it was there. None where it did not get so far.
    pub files: Option<u32>,
}

/// The machine an agent runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineInfo {
    /// As Rust names it: `linux`, `macos`.
    pub os: String,
    /// As Rust names it: `x86_64`, `aarch64`.
    pub arch: String,
    /// How many CPUs the agent may use, its control group's quota included.
    pub cpus: u32,
    /// The agent's process.
    pub pid: u32,
}

/// Which names a disk takes for the same one, beside those that are equal. What is said of Unicode's normalisation is
/// asked of a disk only where a wanted name has a letter that is not ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Folding {
    /// None.
    Nothing,
    /// `a` and `A`.
    Case,
    /// Unicode's spellings of `é`: as one character, and as an `e` with an accent after it.
    Normalisation,
    /// Both, and both at once.
    CaseAndNormalisation,
}

/// What stands at a wanted file's place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Found {
    /// Nothing.
    Absent {
        /// Bytes of it that an earlier transfer left behind.
        partial: u64,
    },
    /// The file itself.
    Intact {
        /// How that is known.
        proof: Proof,
    },
    /// A file of another size.
    OtherSize {
        /// What is there.
        stamp: Stamp,
        /// Whose it is.
        provenance: Provenance,
        /// Bytes of the wanted file that an earlier transfer left behind.
        partial: u64,
    },
    /// A file of the same size with other bytes.
    OtherContent {
        /// What is there.
        stamp: Stamp,
        /// Whose it is.
        provenance: Provenance,
        /// Bytes of the wanted file that an earlier transfer left behind.
        partial: u64,
    },
    /// Something that must not be replaced: a directory, a link that leads out, a name that this disk can't tell from
    /// another one in the listing.
    Obstructed {
        /// What is in the way.
        failure: Failure,
    },
}

/// A file that is in the folder and that nothing is known of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnlistedFile {
    /// Where it is, `/`-separated, with `/` at its end where it is a folder that is not looked into. Names that are not
    /// UTF-8 are approximated.
    pub path: String,
    /// Its size in bytes; a link's is its own.
    pub size: u64,
}

/// Who put a file where it stands, as far as the folder's records say. Where nothing may stay of hfdown they say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Provenance {
    /// hfdown, and it is as it was then.
    Placed,
    /// hfdown, and it has been changed since.
    Edited,
    /// Another program, or the user.
    Foreign,
    /// Any program that keeps the hub cache: it is a blob, named for the digest that it should have.
    Cached,
}

/// How a file is known to be intact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proof {
    /// It has not changed since it was last proved.
    Recorded,
    /// It has just been read and its digest compared.
    Read,
    /// Its size is right, and more was not asked.
    SizeOnly,
    /// It has just been read and its digest compared, and nothing leads to it by its name in a snapshot.
    Unnamed,
    /// The same, and its name in the snapshot leads elsewhere.
    Misnamed,
}

/// What identifies a state of a file on disk without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// Size in bytes.
    pub size: u64,
    /// Last change of the content, in nanoseconds since the Unix epoch.
    pub modified: i128,
    /// Last change of the content or the inode, in nanoseconds since the Unix epoch; 0 where the system has none.
    pub changed: i128,
    /// The inode's number; 0 where the system has none.
    pub inode: u64,
}

impl Stamp {
    /// The last change of whatever kind, as far as the system tells, in nanoseconds since the Unix epoch.
    pub fn last_change(&self) -> i128 {
        if self.changed == 0 { self.modified } else { self.changed }
    }
}

/// A file in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticked {
    /// Which.
    pub file: FileId,
    /// How many of its bytes are on disk.
    pub done: u64,
}

/// What a transfer did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Files placed.
    pub placed: u32,
    /// Files that failed.
    pub failed: u32,
    /// Extraneous files removed.
    pub removed: u32,
    /// Bytes that came over the network, repeated ones included.
    pub fetched: u64,
    /// Bytes of files that were written, wherever they came from: less than `fetched` where bytes came twice, more where
    /// they came from elsewhere. What an earlier run left on the disk is not among them.
    pub written: u64,
    /// Whether it ended before the plan did because it was told to.
    pub end: End,
}

/// How a transfer ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// The plan was carried out as far as it could be.
    #[default]
    Complete,
    /// It was told to stop.
    Cancelled,
}

impl Message for Report {
    fn is_bounded(&self) -> bool {
        let machine_is = |machine: &MachineInfo| machine.os.len() + machine.arch.len() <= limits::TEXT;
        match self {
            Self::Hello { version, machine } => version.len() <= limits::TEXT && machine_is(machine),
            Self::Opened { root, .. } => root.len() <= limits::TEXT,
            Self::Waiting { holder, .. } => holder.len() <= limits::TEXT,
            Self::Found { files } => {
                files.len() <= limits::ENTRIES && files.iter().all(|(_, found)| found.is_bounded())
            }
            Self::Recorded { files } => files.len() <= limits::ENTRIES,
            Self::Extraneous { extraneous } => extraneous.len() <= limits::ENTRIES,
            Self::Unlisted { files } => {
                files.len() <= limits::ENTRIES && files.iter().all(|file| file.path.len() <= limits::TEXT)
            }
            Self::Bases { bases } => bases.len() <= limits::ENTRIES,
            Self::UnwantedParts { digests } => digests.len() <= limits::ENTRIES,
            Self::Tick { files } => files.len() <= limits::ENTRIES,
            Self::Warning { warning } => warning.is_bounded(),
            Self::Joined { status } => status.is_bounded(),
            Self::Remaining { files } => files.len() <= limits::ENTRIES,
            Self::Ended { status, conclusion, .. } => status.is_bounded() && conclusion.is_bounded(),
            Self::NeedSource { asked, .. } => match asked {
                AskedFor::Plain => true,
                AskedFor::Terms { missing } => missing.len() <= limits::GAPS,
            },
            Self::FellBack { failure, .. }
            | Self::Retrying { failure, .. }
            | Self::Failed { failure, .. }
            | Self::NotRemoved { failure, .. }
            | Self::Fatal { failure } => failure.is_bounded(),
            Self::Recalled { .. }
            | Self::Surveying { .. }
            | Self::Surveyed { .. }
            | Self::Stream { .. }
            | Self::Started { .. }
            | Self::Verified { .. }
            | Self::Placed { .. }
            | Self::Removed { .. }
            | Self::Finished { .. }
            | Self::Detached
            | Self::Pong => true,
        }
    }
}

impl Found {
    fn is_bounded(&self) -> bool {
        match self {
            Self::Obstructed { failure } => failure.is_bounded(),
            Self::Absent { .. }
            | Self::Intact { .. }
            | Self::OtherSize { .. }
            | Self::OtherContent { .. } => true,
        }
    }
}
