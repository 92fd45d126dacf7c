//! A file on its way: its bytes so far, and which ones they are.
//!
//! Bytes are written at their offset into `.cache/hfdown/parts/<digest>`, and a journal beside it says which ranges are
//! there. A part belongs to a digest, so that a branch which moves can't mix two versions.

mod journal;
mod ranges;

use std::io;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cap_std::fs::OpenOptions;
use hfdown_protocol::Digest;

use crate::disk::At as _;
use crate::own_folder::OwnFolder;
use journal::Journal;
pub(crate) use ranges::RangeSet;

/// An open part.
#[derive(Debug)]
pub(crate) struct Part {
    data: std::fs::File,
    journal: Journal,
    written: Mutex<RangeSet>,
    /// Held while something is written: of two that have the same bytes only one must find them missing. The system
    /// lets only one write to a file at a time anyway, and burns the time of the other.
    pen: Mutex<()>,
    size: u64,
}

/// What a write came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// Everything from where the write began to here is on disk.
    pub(crate) end: u64,
    /// How many of these bytes were missing before.
    pub(crate) added: u64,
}

/// The name of a digest's part. Files of equal content within one listing are told apart by `duplicate`, from 0.
pub(crate) fn name(digest: Digest, duplicate: usize) -> String {
    if duplicate == 0 { digest.to_string() } else { format!("{digest}-{duplicate}") }
}

/// A position within bytes that are in memory.
fn index(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

fn journal_name(name: &str) -> String {
    format!("{name}.journal")
}

impl Part {
    /// Opens a part where an earlier run left one, or begins it.
    pub(crate) fn open(parts: &OwnFolder, name: &str, size: u64) -> io::Result<Self> {
        let data =
            parts.dir().open_with(name, OpenOptions::new().read(true).write(true).create(true))?.into_std();
        let (journal, mut written) = Journal::open(parts, &journal_name(name), size)?;
        let length = data.metadata()?.len();
        if length > size {
            data.set_len(size)?;
        }
        // The journal outlived its data: after a crash of the machine, or because the folder was tidied up.
        written.remove(length..size);
        Ok(Self { data, journal, written: Mutex::new(written), pen: Mutex::new(()), size })
    }

    /// How many bytes of a file an earlier run left behind.
    pub(crate) fn peek(parts: &OwnFolder, name: &str, size: u64) -> u64 {
        let Ok(metadata) = parts.dir().metadata(name) else { return 0 };
        let mut claimed = Journal::peek(parts, &journal_name(name), size);
        claimed.remove(metadata.len()..size);
        claimed.total()
    }

    /// Throws a part away.
    pub(crate) fn discard(parts: &OwnFolder, name: &str) -> io::Result<()> {
        // The journal goes first: without it the data is nothing.
        for file in [journal_name(name), name.to_owned()] {
            parts.remove(&file)?;
        }
        Ok(())
    }

    /// Writes the journal off once the data has got its final name.
    pub(crate) fn forget_journal(parts: &OwnFolder, name: &str) {
        // One that stays behind is swept by a later run.
        let _ = parts.remove(&journal_name(name));
    }

    /// Writes consecutive bytes, then claims them. What is there already stays as it is: the digest may have gone over
    /// it, and what it has seen must be what gets a name.
    pub(crate) fn write(&self, start: u64, chunks: &[Bytes]) -> io::Result<Written> {
        let end = start + chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
        let _pen = self.pen.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = self.written().missing(start..end);
        let mut added = 0;
        for gap in missing.iter() {
            let mut at = start;
            for chunk in chunks {
                let (from, to) = (gap.start.max(at), gap.end.min(at + chunk.len() as u64));
                if from < to {
                    self.data.write_all_at(&chunk[index(from - at)..index(to - at)], from)?;
                }
                at += chunk.len() as u64;
            }
            self.journal.append(gap)?;
            self.written().insert(gap.clone());
            added += gap.end - gap.start;
        }
        Ok(Written { end, added })
    }

    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.data.read_at(buffer, offset)
    }

    /// Where the run of bytes that begins at 0 ends.
    pub(crate) fn front(&self) -> u64 {
        self.written().front()
    }

    /// How many bytes are on disk.
    pub(crate) fn total(&self) -> u64 {
        self.written().total()
    }

    /// What is not on disk yet.
    pub(crate) fn missing(&self) -> RangeSet {
        self.missing_in(0..self.size)
    }

    /// What of a range is not on disk yet.
    pub(crate) fn missing_in(&self, range: Range<u64>) -> RangeSet {
        self.written().missing(range)
    }

    /// Waits until the bytes would survive a crash of the machine.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.data.sync_all()
    }

    fn written(&self) -> MutexGuard<'_, RangeSet> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_there_in_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let parts = OwnFolder::at(folder.path()).unwrap();
        let part = Part::open(&parts, "p", 100).unwrap();
        part.write(40, &[Bytes::from_static(b"ab"), Bytes::from_static(b"c")]).unwrap();
        part.write(0, &[Bytes::from_static(b"xyz")]).unwrap();
        drop(part);
        assert_eq!(Part::peek(&parts, "p", 100), 6);
        let part = Part::open(&parts, "p", 100).unwrap();
        assert_eq!((part.front(), part.total()), (3, 6));
        assert_eq!(part.missing().iter().cloned().collect::<Vec<_>>(), [3..40, 43..100]);
        let mut buffer = [0; 3];
        part.read_at(&mut buffer, 40).unwrap();
        assert_eq!(&buffer, b"abc");
    }

    #[test]
    fn what_is_on_disk_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let parts = OwnFolder::at(folder.path()).unwrap();
        let part = Part::open(&parts, "p", 12).unwrap();
        part.write(2, &[Bytes::from_static(b"CD")]).unwrap();
        part.write(7, &[Bytes::from_static(b"H")]).unwrap();
        let chunks = [Bytes::from_static(b"abcde"), Bytes::from_static(b"fghijkl")];
        assert_eq!(part.write(0, &chunks).unwrap(), Written { end: 12, added: 9 });
        assert_eq!(parts.dir().read("p").unwrap(), b"abCDefgHijkl");
        assert_eq!(part.total(), 12);
    }

    #[test]
    fn a_journal_without_its_data_claims_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let parts = OwnFolder::at(folder.path()).unwrap();
        Part::open(&parts, "p", 100).unwrap().write(0, &[Bytes::from_static(b"xyz")]).unwrap();
        parts.remove("p").unwrap();
        assert_eq!(Part::peek(&parts, "p", 100), 0);
        assert_eq!(Part::open(&parts, "p", 100).unwrap().total(), 0);
        Part::discard(&parts, "p").unwrap();
        assert_eq!(parts.entries().count(), 0);
    }
}
