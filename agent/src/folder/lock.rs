//! One run per folder at a time.

use std::fs::File;
use std::io::{self, Read, Write};

use cap_std::fs::{Dir, OpenOptions};

use crate::disk;

const NAME: &str = "lock";
/// More than any holder writes about itself.
const LONGEST_HOLDER: u64 = 256;

/// The lock, held until this is dropped or the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
    /// When it was taken, by the clock of its disk, in nanoseconds since the Unix epoch.
    pub(super) since: i128,
}

/// What an attempt to take the lock came to.
#[derive(Debug)]
pub(crate) enum LockAttempt {
    /// It is ours.
    Held(Lock),
    /// Another run has it; this is what it wrote about itself.
    Busy(String),
}

impl Lock {
    /// Tries once.
    pub(crate) fn attempt(work: &Dir) -> io::Result<LockAttempt> {
        loop {
            let mut options = OpenOptions::new();
            let mut file = work.open_with(NAME, options.read(true).write(true).create(true))?.into_std();
            match file.try_lock() {
                Ok(()) => {}
                Err(std::fs::TryLockError::WouldBlock) => return Ok(LockAttempt::Busy(holder(&mut file))),
                Err(std::fs::TryLockError::Error(error)) => return Err(error),
            }
            // The holder before us may have removed the file while we waited for it: then ours locks nothing.
            let ours = disk::stamp(&cap_std::fs::Metadata::from_file(&file)?);
            match work.metadata(NAME) {
                Ok(there) if disk::stamp(&there).inode == ours.inode => {}
                _ => continue,
            }
            file.set_len(0)?;
            file.write_all(format!("process {}", std::process::id()).as_bytes())?;
            let since = disk::stamp(&cap_std::fs::Metadata::from_file(&file)?).modified;
            return Ok(LockAttempt::Held(Self { _file: file, since }));
        }
    }

    /// Removes the lock's file while the lock is still held.
    pub(crate) fn remove_file(work: &Dir) -> io::Result<()> {
        work.remove_file(NAME)
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(LONGEST_HOLDER).read_to_string(&mut text) {
        Ok(_) if !text.is_empty() => text,
        _ => "another run".to_owned(),
    }
}
