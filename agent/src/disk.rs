//! What the filesystem says, in the protocol's words.

use std::io::{self, ErrorKind};
use std::time::UNIX_EPOCH;

use cap_std::fs::Metadata;
use hfdown_protocol::{Failure, FailureKind, Stamp};

use crate::os_error::in_words;
use crate::system;

/// Turns an I/O error into a failure. `attempt` is a fragment such as `cannot write model.safetensors`.
pub(crate) fn failure(attempt: &str, error: &io::Error) -> Failure {
    let kind = match error.kind() {
        // Without an OS error it is cap-std that refused: the path leads out of the folder.
        ErrorKind::PermissionDenied if error.raw_os_error().is_none() => FailureKind::InTheWay,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => FailureKind::PermissionDenied,
        ErrorKind::NotADirectory => FailureKind::NotADirectory,
        ErrorKind::IsADirectory | ErrorKind::AlreadyExists => FailureKind::InTheWay,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FailureKind::NoSpace { needed: 0, free: 0 },
        _ => FailureKind::Disk,
    };
    Failure::new(kind, format_args!("{attempt}: {}", reason(error)))
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
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl At for std::fs::File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        system::write_all_at(self, bytes, offset)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        system::read_at(self, buffer, offset)
    }
}
