//! The words of hfdown: what a controller orders, what an agent reports, and the codec that carries them.
//!
//! ```text
//! controller                                     agent
//!   Hello {version, mode}                  ──▶
//!                                          ◀──   Hello {version, machine}
//!   Trust {certificates}                   ──▶         where the user trusts more than the well-known authorities
//!   Open {root, access, layout, traces, …} ──▶
//!                                          ◀──   Opened {root, free disk, …}
//!   Recall                                 ──▶         where the Hub is not to be asked what there should be
//!                                          ◀──   Recorded {files} … , Recalled {commit}
//!   List {files: id, path, size, digest} … ──▶
//!   Survey {check}                         ──▶
//!                                          ◀──   Surveying…, Found {file, what is on disk} … , Extraneous … , UnwantedParts, Bases … , Surveyed
//!                                          ◀──   Unlisted …          before Surveyed, where everything is checked
//!   (the controller plans; a dry run says Bye here)
//!   Fetch {jobs} … , Remove {extraneous} … ──▶
//!   Basis {file, place} , ChunkRuns {file, whose} …  ──▶     of files that an older version is there of
//!   Tree {bytes} …                         ──▶         to a hub cache that lacks it
//!   KeepParts {digests}                    ──▶         of files that are listed and left out
//!   Begin                                  ──▶
//!                                          ◀──   NeedSource {file, which}     its source must be asked for, or has gone stale
//!   Source {file, address, hub's network}  ──▶
//!     or Inline {file, bytes} … , or Relayed {file}, or SourceUnavailable {file, why}
//!     or XorbRanges {file} … , Terms {file} …          where terms were asked for, of what is missing
//!                                          ◀──   FellBack {file, why}         to plain ranges, where these are of no use
//!                                          ◀──   Stream {Open {file, range}}, Stream {Window}, Stream {Close}
//!   Stream {Head}, Stream {Bytes} …, Stream {End | Failed}     ──▶   of a file that is relayed, as far as its window goes
//!                                          ◀──   Started, Tick…, Retrying, Verified, Placed | Failed, Removed
//!                                          ◀──   Waiting {file}      that another program fetches into the same cache
//!                                          ◀──   Warning             what the disk can't; from Opened on, each kind once
//!                                          ◀──   Finished {summary}
//!   Ping ⇄ Pong  ·  Cancel  ·  Bye         ──▶
//! ```
//!
//! A transfer that is to outlive its link is hosted by an agent with a session of its own, and joined by other
//! controllers later:
//!
//! ```text
//!   Hello {Detached}, Open … Fetch         ──▶
//!   Source {file, address} …               ──▶   in advance: no controller will be there to ask
//!   Begin, Detach {title, idle_timeout, …} ──▶
//!                                          ◀──   Detached
//!   Bye                                    ──▶   it goes on
//!
//!   Hello {Joining {root}}                 ──▶
//!                                          ◀──   Hello, Joined {status}, Remaining {files} … , Failed…, NeedSource…
//!   Source, Ping, Cancel, Bye as above     ──▶   ◀──   Started, Tick … Finished as above
//!                                                or  Hello, Ended {status, conclusion}
//!
//!   Hello {Inquiring {root}}               ──▶   the same without a client's place: who watches it is not disturbed
//!                                          ◀──   Hello, Joined {status}   or  Hello, Ended {status, conclusion}
//! ```
//!
//! A `…` marks what may travel as several frames. Any [`Report::Fatal`] ends the conversation.
//!
//! Two promises are kept by types here. No message has a field that could carry a Hub token: a source is a public or a
//! signed [`Address`], the bytes themselves, or a stream of them that the controller reads. And what arrives has been checked: paths, digests, commits and
//! addresses are deserialised *through* their constructors, lists and texts are bounded by [`limits`].

mod address;
mod basis;
mod batch;
mod codec;
mod commit;
mod digest;
mod disk_warning;
mod failure;
mod file_table;
mod files_by_name;
mod greeting;
pub mod limits;
mod order;
#[cfg(test)]
mod oversized_tests;
mod path;
mod report;
mod repository_folder;
mod stream;
mod transfer_status;
mod xet;

pub use address::{Address, AddressError};
pub use basis::{BasisVersion, ChunkRun, FoundBasis, RunsOf};
pub use batch::batches;
pub use codec::{Codec, CodecError, Inbox, Message, Outbox, inbox, outbox};
pub use commit::{Commit, CommitError};
pub use digest::{Digest, DigestError};
pub use disk_warning::{DiskWarning, NoticedRuns};
pub use failure::{Failure, FailureKind, Scarcity};
pub use file_table::{FileRow, FileTable, TooManyFiles, WantedFiles};
pub use files_by_name::FilesByName;
pub use greeting::{GreetingError, Nonce, await_greeting, greet};
pub use order::{
    Access, Check, ExtraneousFile, FileId, HubNetwork, Job, Layout, Limits, Mode, Order, Source, Symlinks,
    Traces, Wanted,
};
pub use path::{PathError, RepoPath, RepoPathRef};
pub use report::{
    AskedFor, End, Folding, Found, MachineInfo, Proof, Provenance, RecordedSync, Report, Stamp, Summary,
    Ticked, UnlistedFile,
};
pub use repository_folder::{RepositoryFolder, RepositoryFolderError};
pub use stream::{StreamEvent, StreamHead, StreamId, StreamRequest};
pub use transfer_status::{Conclusion, Remaining, Skipped, TransferStatus};
pub use xet::{Term, XetHash, XetHashError, XorbRange, handed_over_weight};

/// What both halves must agree on to the letter. They are built together, so equality is the whole rule.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "/11");
