//! Bytes of one file into another one, without a detour where the system knows a shorter way.

use std::fs::File;
use std::io;
use std::ops::Range;

use super::{read_at, write_all_at};

/// Bytes that are copied at a time where they have to be read and written.
const BUFFER: usize = 256 << 10;

/// Copies bytes that begin there in the first file to this range of the second. A disk that can have both files share them
/// does. An error where the first one is shorter.
pub(crate) fn copy_range(source: &File, mut from: u64, target: &File, range: Range<u64>) -> io::Result<()> {
    let done = copy_by_system(source, from, target, &range);
    let mut to = range.start + done;
    from += done;
    let mut buffer = vec![0; if to < range.end { BUFFER } else { 0 }];
    while to < range.end {
        let longest = usize::try_from(range.end - to).unwrap_or(BUFFER).min(BUFFER);
        let read = read_at(source, &mut buffer[..longest], from)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        write_all_at(target, &buffer[..read], to)?;
        from += read as u64;
        to += read as u64;
    }
    Ok(())
}

/// Has the system copy as much as it likes, and says how much that was: nothing between some disks, and on old kernels. What
/// it failed on is tried by hand, and fails again if it is to.
#[cfg(target_os = "linux")]
fn copy_by_system(source: &File, from: u64, target: &File, range: &Range<u64>) -> u64 {
    let (mut from, mut to) = (from, range.start);
    while to < range.end {
        let length = usize::try_from(range.end - to).unwrap_or(usize::MAX);
        match rustix::fs::copy_file_range(source, Some(&mut from), target, Some(&mut to), length) {
            Ok(1..) => {}
            Ok(0) | Err(_) => break,
        }
    }
    to - range.start
}

#[cfg(not(target_os = "linux"))]
fn copy_by_system(_source: &File, _from: u64, _target: &File, _range: &Range<u64>) -> u64 {
    0
}
