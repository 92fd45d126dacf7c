//! What a controller orders.

use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};

use serde::{Deserialize, Serialize};

use crate::{
    Address, ChunkRun, Commit, Digest, Failure, FailureKind, Message, RepoPath, RepositoryFolder, RunsOf,
    Skipped, Stamp, StreamEvent, StreamId, Term, XetHash, XorbRange, codec, limits,
};

/// Everything a controller can say, in the order it says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// The first word. The agent answers with its own version, and the controller compares.
    Hello {
        /// The controller's [`VERSION`](crate::VERSION).
        version: String,
        /// Which agent is to conduct the conversation.
        mode: Mode,
    },
    /// Trust these authorities as well, beside the well-known ones. Before `Open`.
    Trust {
        /// Certificates in DER: at most [`limits::ENTRIES`], and [`limits::AUTHORITIES`] bytes together.
        authorities: Vec<Vec<u8>>,
    },
    /// Take this folder and answer with `Opened`.
    Open {
        /// The destination as the user wrote it; a relative one starts at the agent's working directory, `~/` at
        /// home. `None` is the hub cache of the user that the agent runs as, with [`Layout::HubCache`].
        root: Option<String>,
        /// Whether anything may be written.
        access: Access,
        /// How the folder is laid out.
        layout: Layout,
        /// Whether anything of ours may stay in it.
        traces: Traces,
        /// What the transfer may use.
        limits: Limits,
    },
    /// Report what is recorded of the folder, in the place of a listing: `Recorded`, then `Recalled`.
    Recall,
    /// A part of the listing: what the folder should contain.
    List {
        /// At most [`limits::ENTRIES`].
        files: Vec<Wanted>,
    },
    /// The listing is complete: look at what is there and report it.
    Survey {
        /// How closely to look.
        check: Check,
    },
    /// Files to be fetched once `Begin` is said.
    Fetch {
        /// At most [`limits::ENTRIES`].
        jobs: Vec<Job>,
    },
    /// Files of an earlier sync, reported as extraneous files, to be removed once everything wanted is in place.
    Remove {
        /// At most [`limits::ENTRIES`].
        extraneous: Vec<ExtraneousFile>,
    },
    /// An ordered file is a newer version of one that is there: what both have in common is copied out of that. `ChunkRuns`
    /// follow. Before `Begin`.
    Basis {
        /// The ordered file.
        file: FileId,
        /// Where the older version stands, relative to the root.
        place: RepoPath,
        /// What it looked like when it was found; the agent looks again before it copies anything.
        stamp: Stamp,
        /// What the Hub's Xet store calls it: bytes that have another name are not copied.
        hash: XetHash,
    },
    /// The next of the chunks that a file or its basis consists of, in order.
    ChunkRuns {
        /// The ordered file.
        file: FileId,
        /// Which of the two.
        whose: RunsOf,
        /// At most [`limits::ENTRIES`], and [`limits::CHUNK_RUNS`] in one conversation.
        runs: Vec<ChunkRun>,
    },
    /// The next bytes of `trees/<commit>.json`, which a hub cache lacks: what the commit contains, as `huggingface_hub`
    /// writes it. Before `Begin`.
    Tree {
        /// At most [`limits::INLINE`].
        #[serde(with = "codec::byte_string")]
        bytes: Vec<u8>,
    },
    /// Parts that were reported as those of files that are not wanted: these stay, since the files are listed and left out.
    KeepParts {
        /// At most [`limits::ENTRIES`].
        digests: Vec<Digest>,
    },
    /// The plan is complete: carry it out.
    Begin,
    /// Go on without me once you have begun: the answer is `Detached`. Sources that were asked for on request may be
    /// given before they are wanted, so that nothing has to be asked. For a conversation that is conducted
    /// [`Mode::Detached`].
    Detach {
        /// What is fetched, for clients that join later: a repository and a version, in words.
        title: String,
        /// How long an unanswered `NeedSource` may keep everything waiting before the transfer is given up, in seconds.
        idle_timeout: NonZeroU32,
        /// Files that nothing is fetched of.
        skipped: Skipped,
        /// Why some of these can't have their place, each kind once.
        refusals: Vec<FailureKind>,
    },
    /// The answer to `NeedSource`: fetch it from here.
    Source {
        /// The wanted file.
        file: FileId,
        /// Where its bytes are.
        address: Address,
        /// In what kind of network the Hub is that said so. An address in a private one is believed of a Hub in one.
        hub: HubNetwork,
    },
    /// The answer to `NeedSource`: the next bytes of a small file that only the controller may read. Frames follow each
    /// other in order until the file's size is reached.
    Inline {
        /// The wanted file.
        file: FileId,
        /// At most [`limits::INLINE`].
        #[serde(with = "codec::byte_string")]
        bytes: Vec<u8>,
    },
    /// The answer to `NeedSource`: only the controller may read it, and passes its bytes on: open streams of it.
    Relayed {
        /// The wanted file.
        file: FileId,
        /// The host that sends it, for messages.
        host: String,
    },
    /// The answer to `NeedSource` where terms were asked for: the bytes of xorbs that they are in. `Terms` follow.
    XorbRanges {
        /// The wanted file.
        file: FileId,
        /// At most [`limits::ENTRIES`], and [`limits::XORB_RANGES`] in one answer.
        ranges: Vec<XorbRange>,
        /// In what kind of network the Hub is that said so.
        hub: HubNetwork,
    },
    /// The next terms of that answer: in the order of the file and apart from each other, they are just what was missing.
    Terms {
        /// The wanted file.
        file: FileId,
        /// At most [`limits::ENTRIES`], and [`limits::TERMS`] in one answer.
        terms: Vec<Term>,
        /// Whether these are the last ones.
        is_last: bool,
    },
    /// Something of a stream that the agent has opened.
    Stream {
        /// Which.
        stream: StreamId,
        /// What.
        event: StreamEvent,
    },
    /// The answer to `NeedSource`: the controller could not get a source.
    SourceUnavailable {
        /// The wanted file.
        file: FileId,
        /// Why not.
        failure: Failure,
    },
    /// I am alive; are you?
    Ping,
    /// Stop now, keep what is on disk resumable, and answer with `Finished`.
    Cancel,
    /// The conversation is over.
    Bye,
}

/// Which agent conducts a conversation, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// The agent that hears this. It ends with the link.
    Attached,
    /// An agent with a session of its own, which can be detached.
    Detached,
    /// The one that was detached over this folder. It answers `Joined`, or `Ended` is answered for it.
    Joining {
        /// The folder, as in `Open`.
        root: String,
    },
    /// The same one is asked how far it is, and goes on: it answers `Joined` and is left, and a client that watches it is
    /// not disturbed.
    Inquiring {
        /// The folder, as in `Open`.
        root: String,
    },
}

/// A file's number within one conversation, given by the controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileId(pub u32);

/// One file that the folder should contain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Its number.
    pub id: FileId,
    /// Where it belongs, relative to the root.
    pub path: RepoPath,
    /// Its size in bytes.
    pub size: u64,
    /// What proves it.
    pub digest: Digest,
}

/// What the conversation may do to the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Look only: a dry run. Nothing is created, locked or written; a folder that is not there is an empty one.
    ReadOnly,
    /// Create the folder if needed and hold its lock.
    ReadWrite,
}

/// How the folder is laid out: where a wanted file stands in it, and what is remembered beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layout {
    /// A folder of its own, as `hf download --local-dir` leaves it: every file at its path, and beside them `hf`'s
    /// metadata and records of what was proved.
    LocalDir {
        /// The commit that the metadata names.
        commit: Commit,
    },
    /// Files among the user's own: nothing stays beside them, but for the parts of a transfer that was cut off.
    Bare,
    /// The cache of `huggingface_hub`, which is the root itself: blobs by their digests, and a snapshot of links to them.
    HubCache {
        /// The repository's folder in it.
        repository: RepositoryFolder,
        /// The branch or tag that is to lead to the commit once all is in place; `None` where the commit was named.
        revision: Option<RepoPath>,
        /// The snapshot.
        commit: Commit,
        /// Whether a snapshot may consist of links.
        symlinks: Symlinks,
    },
}

/// Whether a snapshot in a hub cache may consist of links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Symlinks {
    /// Where the disk has links.
    WherePossible,
    /// It consists of files (`HF_HUB_DISABLE_SYMLINKS`).
    Never,
}

/// What may stay of hfdown itself, beside the model: in the folder, on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Traces {
    /// Whatever makes the next sync faster: records, parts, the agent.
    Keep,
    /// Nothing, and what earlier syncs left goes too, once the folder is complete. Until then the parts stay, for the
    /// next sync to go on from.
    Remove,
}

/// What a transfer may use. `None` leaves the choice to the agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How many connections may fetch at once.
    pub connections: Option<NonZeroU16>,
    /// How many bytes may arrive per second, over all connections.
    pub bytes_per_second: Option<NonZeroU64>,
    /// After how many seconds without a byte a connection is given up.
    pub stall_seconds: Option<NonZeroU16>,
    /// How long to wait after a first failed attempt; the waits after those that follow grow with it.
    pub first_wait_millis: Option<NonZeroU16>,
    /// For how many seconds to wait for a folder that another run holds; 0 is not to wait. `None` is for as long as it
    /// takes.
    pub lock_seconds: Option<u32>,
    /// How many bytes per second must arrive, over all connections: a connection that brings less than its share is
    /// given up like a silent one. Zero asks for none.
    pub speed_limit: Option<u64>,
    /// For how many seconds less may arrive.
    pub speed_seconds: Option<NonZeroU16>,
}

/// How closely to look at files that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Check {
    /// Believe the record of an earlier proof while the file's stamp still matches it; read everything else.
    Records,
    /// Read everything.
    Contents,
    /// Compare sizes, read nothing.
    Sizes,
    /// The same, and tell which files are known by the record of an earlier proof: for a look at many boxes.
    Stamps,
    /// Read everything, and report what is not listed as well: for a verification. Where the folder is only looked at,
    /// a file is judged by what it is, and not by whether it could be replaced.
    Everything,
}

/// One file to fetch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Which.
    pub file: FileId,
    /// What stood at its place when the plan was made. The agent looks again before it replaces anything.
    pub replaces: Option<Stamp>,
    /// Where to get it.
    pub source: Source,
    /// What the Hub's Xet store calls it. It is remembered of a file that is placed.
    pub xet: Option<XetHash>,
}

/// Where the bytes of a file come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// From this address, which stays valid: a public file.
    Public(Address),
    /// To be asked for with `NeedSource` when its turn comes, because the answer is short-lived.
    OnRequest,
    /// To be asked for once, where the answer was given in advance; after that from this address, which stays valid: a
    /// public file, for an agent that is left alone.
    HandedOver(Address),
    /// To be asked for as terms of a Xet reconstruction. Where that comes to nothing: from this address, which stays valid,
    /// or `None`, to be asked for.
    Reconstructed(Option<Address>),
    /// The same for an agent that is left alone: the terms of all of the file were given in advance. What is missing later is
    /// found in them, and is asked for again once their addresses are refused, unless there is an address that stays valid.
    ReconstructedInAdvance(Option<Address>),
}

/// In what kind of network a Hub is. One that is open to all has no business with addresses that only the machine it
/// leads there can reach: the machine itself, its local network, its provider's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HubNetwork {
    /// The open one, or it is not known.
    Public,
    /// A private one, or the very machine that asks: a company's mirror.
    Private,
}

/// A file that an earlier sync placed and that the listing no longer contains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExtraneousFile {
    /// Where it is.
    pub path: RepoPath,
    /// What it looked like when it was reported; the agent looks again before it removes it.
    pub stamp: Stamp,
}

impl Message for Order {
    fn is_bounded(&self) -> bool {
        match self {
            Self::Hello { version, mode } => {
                let root_is = match mode {
                    Mode::Joining { root } | Mode::Inquiring { root } => root.len() <= limits::PATH,
                    Mode::Attached | Mode::Detached => true,
                };
                version.len() <= limits::TEXT && root_is
            }
            Self::Detach { title, refusals, .. } => {
                title.len() <= limits::TEXT && refusals.len() <= limits::KINDS
            }
            Self::Trust { authorities } => {
                let bytes: usize = authorities.iter().map(Vec::len).sum();
                authorities.len() <= limits::ENTRIES && bytes <= limits::AUTHORITIES
            }
            Self::Open { root, .. } => root.as_ref().is_none_or(|root| root.len() <= limits::PATH),
            Self::List { files } => files.len() <= limits::ENTRIES,
            Self::Fetch { jobs } => jobs.len() <= limits::ENTRIES,
            Self::Remove { extraneous } => extraneous.len() <= limits::ENTRIES,
            Self::KeepParts { digests } => digests.len() <= limits::ENTRIES,
            Self::Inline { bytes, .. } | Self::Tree { bytes } => bytes.len() <= limits::INLINE,
            Self::Relayed { host, .. } => host.len() <= limits::TEXT,
            Self::XorbRanges { ranges, .. } => ranges.len() <= limits::ENTRIES,
            Self::Terms { terms, .. } => terms.len() <= limits::ENTRIES,
            Self::ChunkRuns { runs, .. } => runs.len() <= limits::ENTRIES,
            Self::Stream { event, .. } => event.is_bounded(),
            Self::SourceUnavailable { failure, .. } => failure.is_bounded(),
            Self::Recall
            | Self::Survey { .. }
            | Self::Basis { .. }
            | Self::Begin
            | Self::Source { .. }
            | Self::Ping
            | Self::Cancel
            | Self::Bye => true,
        }
    }
}
