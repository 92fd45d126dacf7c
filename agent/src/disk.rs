//! What the filesystem says, in the protocol's words.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::UNIX_EPOCH;

use cap_std::fs::Metadata;
use hfdown_protocol::{Failure, FailureKind, Scarcity, Stamp};

use crate::os_error::in_words;
use crate::system::{self, DiskSpace};

/// So many bytes are more than what a full disk has left.
const BLOCKS: u64 = 1 << 20;

/// Turns an I/O error into a failure. `attempt` is a fragment such as `cannot write model.safetensors`, or nothing where
/// what was attempted is told already.
pub(crate) fn failure(attempt: &str, error: &io::Error) -> Failure {
    let kind = match error.kind() {
        // Without an OS error it is cap-std that refused: the path leads out of the folder.
        ErrorKind::PermissionDenied if error.raw_os_error().is_none() => FailureKind::InTheWay,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => FailureKind::PermissionDenied,
        ErrorKind::NotADirectory => FailureKind::NotADirectory,
        ErrorKind::IsADirectory | ErrorKind::AlreadyExists => FailureKind::InTheWay,
        ErrorKind::StorageFull => FailureKind::NoSpace { needed: 0, free: 0, scarcity: Scarcity::Bytes },
        ErrorKind::QuotaExceeded => FailureKind::NoSpace { needed: 0, free: 0, scarcity: Scarcity::Quota },
        _ => FailureKind::Disk,
    };
    let colon = if attempt.is_empty() { "" } else { ": " };
    Failure::new(kind, format_args!("{attempt}{colon}{}", reason(error)))
}

/// The same for an error on the disk of this folder: where there is no room for more, with what there is none of.
pub(crate) fn failure_on(folder: &Path, attempt: &str, error: &io::Error) -> Failure {
    let failure = failure(attempt, error);
    let FailureKind::NoSpace { needed, scarcity, .. } = failure.kind else { return failure };
    let space = space(folder);
    // What a full disk has left is root's, or less than a block.
    let has_room = space.bytes.is_none_or(|bytes| bytes >= BLOCKS);
    let scarcity = match scarcity {
        Scarcity::Bytes if has_room && space.inodes == Some(0) => Scarcity::Inodes,
        scarcity => scarcity,
    };
    let kind = FailureKind::NoSpace { needed, free: space.bytes.unwrap_or(u64::MAX), scarcity };
    let shown = folder.display();
    match scarcity {
        Scarcity::Bytes => Failure { kind, ..failure },
        Scarcity::Quota => {
            let whose = system::own_user();
            Failure::new(
                kind,
                format_args!("{failure}: the quota of {whose} on the disk of {shown} is used up"),
            )
        }
        Scarcity::Inodes => {
            let detail = format_args!(
                "{attempt}: no inodes are free on the disk of {shown}: it can't hold one more file"
            );
            Failure::new(kind, detail)
        }
    }
}

/// What is left on the disk of a folder, or on that of its nearest ancestor.
pub(crate) fn space(folder: &Path) -> DiskSpace {
    let unknown = DiskSpace { bytes: None, inodes: None, is_read_only: false };
    folder.ancestors().find_map(system::disk_space).unwrap_or(unknown)
}

/// The reason alone.
fn reason(error: &io::Error) -> String {
    if error.kind() == ErrorKind::PermissionDenied && error.raw_os_error().is_none() {
        return "a link leads out of the folder".to_owned();
    }
    if error.kind() == ErrorKind::FileTooLarge {
        return "the file is larger than this process may write (`ulimit -f`), or than the filesystem holds (4 GiB on FAT)"
            .to_owned();
    }
    in_words(&error.to_string())
}

/// Does something that needs folders; makes them when they turn out to be missing. A look beforehand would cost every
/// file what only the first of a folder needs.
pub(crate) fn within_folders(
    act: impl Fn() -> io::Result<()>,
    make: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    match act() {
        Err(error) if error.kind() == ErrorKind::NotFound => make().and_then(|()| act()),
        acted => acted,
    }
}

/// What identifies this state of a file.
pub(crate) fn stamp(metadata: &Metadata) -> Stamp {
    let modified = metadata
        .modified()
        .ok()
        .and_then(|time| time.into_std().duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(i128::MAX));
    let (changed, inode) = system::changed_and_inode(metadata);
    Stamp { size: metadata.len(), modified, changed, inode }
}

/// Reading and writing at an offset.
pub(crate) trait At {
    /// Writes pieces one behind the other.
    fn write_all_at(&self, chunks: &[&[u8]], offset: u64) -> io::Result<()>;
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl At for std::fs::File {
    fn write_all_at(&self, chunks: &[&[u8]], offset: u64) -> io::Result<()> {
        system::write_chunks_at(self, chunks, offset)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        system::read_at(self, buffer, offset)
    }
}
