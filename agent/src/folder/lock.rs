//! One run per folder at a time.

use std::fs::File;
use std::io::{self, Read, Write};

use cap_std::fs::Metadata;
use hfdown_protocol::{DiskWarning, Nonce, NoticedRuns};

use crate::disk;
use crate::own_folder::OwnFolder;
use crate::system::{self, DiskFeature, FileAccess, FileMode, MachineLock};

/// The file in our own folder.
pub(crate) const NAME: &str = "lock";
/// What a line with the holder's run begins with.
const RUN: &str = "run ";
/// More than any holder writes about itself.
const LONGEST_HOLDER: u64 = 256;
/// A holder that has not written anything about itself.
const UNKNOWN: &str = "another run";
/// How often in a row another run may be faster before it counts as the holder.
const ATTEMPTS: u32 = 100;

/// The lock, held until this is dropped or the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    /// When it was taken, by the clock of its disk, in nanoseconds since the Unix epoch.
    pub(super) since: i128,
    /// What stands for the disk's own lock where there is none.
    _stand_in: Option<MachineLock>,
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
    pub(crate) fn attempt(work: &OwnFolder) -> io::Result<LockAttempt> {
        for _ in 0..ATTEMPTS {
            let mut file = match work.open(NAME, FileAccess::ReadWrite, LONGEST_HOLDER)? {
                Some(file) => file,
                None => match create(work) {
                    // Another run was faster.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                    created => created?,
                },
            };
            let stand_in = match file.try_lock() {
                Ok(()) => None,
                Err(std::fs::TryLockError::WouldBlock) => return Ok(LockAttempt::Busy(holder(&mut file))),
                Err(std::fs::TryLockError::Error(error)) if system::lacks(DiskFeature::Locks, &error) => {
                    match MachineLock::take(work.dir()) {
                        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                            return Ok(LockAttempt::Busy(holder(&mut file)));
                        }
                        taken => Some(taken.ok()),
                    }
                }
                Err(std::fs::TryLockError::Error(error)) => return Err(error),
            };
            // The holder before us may have removed the file while we waited for it: then ours locks nothing.
            let ours = disk::stamp(&Metadata::from_file(&file)?);
            match work.dir().symlink_metadata(NAME) {
                Ok(there) if disk::stamp(&there).inode == ours.inode => {}
                _ => continue,
            }
            if let Some(stand_in) = &stand_in {
                let noticed = if stand_in.is_some() { NoticedRuns::OnThisMachine } else { NoticedRuns::None };
                work.warnings().note(DiskWarning::NoLocks { noticed });
            }
            match file.set_len(0) {
                // It still says who held it before, which locks nothing.
                Err(error) if system::lacks(DiskFeature::Truncate, &error) => {}
                cut => cut?,
            }
            file.write_all(format!("process {}", std::process::id()).as_bytes())?;
            let since = disk::stamp(&Metadata::from_file(&file)?).modified;
            return Ok(LockAttempt::Held(Self { file, since, _stand_in: stand_in.flatten() }));
        }
        Ok(LockAttempt::Busy(UNKNOWN.to_owned()))
    }

    /// Adds of which run its holder is, for a later agent of the same run.
    pub(crate) fn sign(&self, run: Nonce) -> io::Result<()> {
        (&self.file).write_all(format!("\n{RUN}{run}").as_bytes())
    }

    /// Removes the lock's file while the lock is still held.
    pub(crate) fn remove_file(work: &OwnFolder) -> io::Result<()> {
        work.remove(NAME)
    }
}

/// Creates the lock's file. What stands there and is none of ours is removed first, by one run at a time: what another
/// has created and locked meanwhile must stay.
fn create(work: &OwnFolder) -> io::Result<File> {
    match system::create_file(work.dir(), NAME, FileMode::Private) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        created => return created,
    }
    // The folder's own lock, held for as long as this takes. Not every disk has one for folders; there, two runs that
    // begin at the same moment may each have a lock, which costs each a download and none a byte.
    let folder = system::open_folder(work.dir(), ".")?.into_std_file();
    if let Err(std::fs::TryLockError::WouldBlock) = folder.try_lock() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    if work.open(NAME, FileAccess::ReadWrite, LONGEST_HOLDER)?.is_some() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    work.remove(NAME)?;
    system::create_file(work.dir(), NAME, FileMode::Private)
}

/// What a holder wrote about itself, without its run, which says nothing to people.
pub(crate) fn shown(holder: &str) -> &str {
    holder.lines().next().unwrap_or(holder)
}

/// Of which run a holder says it is. It is no more than a word: it decides how long to wait, and ends no process.
pub(crate) fn run_of(holder: &str) -> Option<Nonce> {
    holder.lines().find_map(|line| line.strip_prefix(RUN)?.parse().ok())
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(LONGEST_HOLDER).read_to_string(&mut text) {
        Ok(_) if !text.is_empty() => text,
        _ => UNKNOWN.to_owned(),
    }
}
