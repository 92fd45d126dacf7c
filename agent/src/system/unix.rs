//! Linux, macOS and their relatives.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use cap_std::fs::{Dir, Metadata, MetadataExt};

/// When anything about a file last changed, in nanoseconds, and its number on its filesystem.
pub(crate) fn changed_and_inode(metadata: &Metadata) -> (i128, u64) {
    (i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()), metadata.ino())
}

/// Writes at an offset.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    FileExt::write_all_at(file, bytes, offset)
}

/// Reads at an offset.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    FileExt::read_at(file, buffer, offset)
}

/// Makes the names in a folder survive a crash of the machine.
pub(crate) fn flush_folder(root: &Dir, path: &str) -> io::Result<()> {
    // Opened as a file: cap-std's own handles of folders are `O_PATH`, which can't be flushed.
    root.open(path)?.sync_all()
}
