//! Windows.

use std::fs::File;
use std::io;
use std::os::windows::fs::FileExt;

use cap_std::fs::{Dir, Metadata};

/// Neither is to be had without opening the file. What is left of a stamp, size and time, is what others go by as well.
pub(crate) fn changed_and_inode(_metadata: &Metadata) -> (i128, u64) {
    (0, 0)
}

/// Writes at an offset.
pub(crate) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_write(bytes, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
        }
    }
    Ok(())
}

/// Reads at an offset.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buffer, offset)
}

/// Folders can't be flushed here, and need not be: NTFS keeps a journal of names.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(crate) fn flush_folder(_root: &Dir, _path: &str) -> io::Result<()> {
    Ok(())
}
