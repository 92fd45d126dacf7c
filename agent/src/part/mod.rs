//! A file on its way: its bytes so far, and which ones they are.
//!
//! Bytes are written at their offset into `.cache/hfdown/parts/<digest>`, and a journal beside it says which ranges are
//! there. A part belongs to a digest, so that a branch which moves can't mix two versions.
//!
//! A part is ours alone: made by us, for us, with one name. What is hashed is what is placed. Another program that writes
//! to it all the same changes its stamp, or is heard of when it opens it: then all of it is hashed again, with the stamp
//! the same before and after, before the digest is believed. A stamp can't tell a write of another program within the
//! microseconds of one of our own; so who has had the part open since before this run is looked for as well.

mod guard;
mod journal;
mod new_file;
mod proved;
mod ranges;
mod recent;
mod replace;
mod small;

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cap_std::fs::Metadata;
use hfdown_protocol::{Digest, DiskWarning, Stamp};
use tokio::sync::OwnedSemaphorePermit;

use crate::disk::{self, At as _};
use crate::disk_warnings::DiskWarnings;
use crate::own_folder::OwnFolder;
use crate::system::{self, DiskFeature, FileMode};
pub(crate) use guard::Guard;
use guard::Watched;
use journal::Journal;
use new_file::NewFile;
pub(crate) use proved::{ProvedPart, RenameFault};
pub(crate) use ranges::RangeSet;
pub(crate) use recent::NextBytes;
use recent::RecentWrites;
pub(crate) use small::{keep_small, kept_small, write_small};

/// What a part's journal is called, behind the part's name.
const JOURNAL: &str = ".journal";
/// Longer than the clock of any local disk stands still: kernels before 6.13 count in steps of up to 10 ms.
const TICK: Duration = Duration::from_millis(20);
/// A part that never is at rest for a tick is read all the same, and found out at the end.
const RESTS: usize = 5;

/// An open part.
#[derive(Debug)]
pub(crate) struct Part {
    name: String,
    data: std::fs::File,
    new_file: NewFile,
    watched: Watched,
    journal: Journal,
    written: Mutex<RangeSet>,
    recent: RecentWrites,
    /// Held while something is written: of two that have the same bytes only one must find them missing. The system
    /// lets only one write to a file at a time anyway, and burns the time of the other.
    pen: Mutex<Pen>,
    size: u64,
    /// Where it is noted what the disk can't do.
    warnings: Arc<DiskWarnings>,
}

/// What the last write of our own left behind.
#[derive(Debug)]
struct Pen {
    stamp: Stamp,
    trust: Trust,
}

/// Whether what the digest has gone over is what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// As long as no other program opens the part.
    UnlessOpened,
    /// The stamp alone tells: nothing has been written since the last one that showed.
    UnlessChanged,
    /// The stamp has changed behind our back.
    Lost,
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

/// The part that a file in the folder of parts belongs to: it, its journal, or a file that makes room for it.
pub(crate) fn of_entry(name: &str) -> &str {
    name.strip_suffix(JOURNAL).or_else(|| name.strip_suffix(proved::OLD)).unwrap_or(name)
}

/// The digest that a file in the folder of parts belongs to.
pub(crate) fn digest(entry: &str) -> Option<Digest> {
    let hex = of_entry(entry).split('-').next()?;
    Digest::sha256(hex).or_else(|_| Digest::git_sha1(hex)).ok()
}

fn journal_name(name: &str) -> String {
    format!("{name}{JOURNAL}")
}

impl Part {
    /// Opens a part where an earlier run left one, or begins it. Whatever else is there goes, but for a folder.
    pub(crate) fn open(parts: &OwnFolder, guard: &Guard, name: &str, size: u64) -> io::Result<Self> {
        let new_file = guard.new_file(parts)?;
        let earlier = NewFile::reopen(parts, name)?;
        let is_earlier = earlier.is_some();
        let data = if let Some(data) = earlier {
            data
        } else {
            Self::discard(parts, name)?;
            parts.create(name, FileMode::Private)?
        };
        let watched = guard.watch(&data);
        // Who has opened it before is not heard of again.
        let may_be_open = || is_earlier && system::is_open_elsewhere(name);
        let trust = if watched.is_deaf() || may_be_open() { Trust::Lost } else { Trust::UnlessOpened };
        let (journal, mut written) = Journal::open(parts, &journal_name(name), size)?;
        let length = data.metadata()?.len();
        if length > size {
            match data.set_len(size) {
                // It is begun anew.
                Err(error) if system::lacks(DiskFeature::Truncate, &error) => {
                    Self::discard(parts, name)?;
                    return Self::open(parts, guard, name, size);
                }
                cut => cut?,
            }
        }
        // The journal outlived its data: after a crash of the machine, or because the folder was tidied up.
        written.remove(length..size);
        let pen = Mutex::new(Pen { stamp: stamp(&data)?, trust });
        Ok(Self {
            name: name.to_owned(),
            data,
            new_file,
            watched,
            journal,
            written: Mutex::new(written),
            recent: RecentWrites::default(),
            pen,
            size,
            warnings: Arc::clone(parts.warnings()),
        })
    }

    /// How many bytes of a file an earlier run left behind. It is not opened: the run that writes to it would hear of that.
    pub(crate) fn peek(parts: &OwnFolder, name: &str, size: u64) -> u64 {
        let Some(metadata) = parts.look(name, u64::MAX) else { return 0 };
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
        self.fill(start..end, |gap| {
            let mut at = start;
            let missing = chunks.iter().filter_map(|chunk| {
                let (from, to) = (gap.start.max(at), gap.end.min(at + chunk.len() as u64));
                let piece = (from < to).then(|| &chunk[index(from - at)..index(to - at)]);
                at += chunk.len() as u64;
                piece
            });
            let missing: Vec<_> = missing.collect();
            self.data.write_all_at(&missing, gap.start)
        })
    }

    /// Copies bytes that begin there in another file to this range, then claims them. What is there already stays.
    pub(crate) fn copy_from(&self, file: &std::fs::File, from: u64, to: Range<u64>) -> io::Result<Written> {
        let start = to.start;
        self.fill(to, |gap| system::copy_range(file, from + (gap.start - start), &self.data, gap.clone()))
    }

    /// Has the gaps of a range filled, then claims them.
    fn fill(&self, range: Range<u64>, put: impl Fn(&Range<u64>) -> io::Result<()>) -> io::Result<Written> {
        let mut pen = self.pen();
        let (end, missing) = (range.end, self.written().missing(range));
        if missing.total() == 0 {
            return Ok(Written { end, added: 0 });
        }
        self.check(&mut pen)?;
        let added = missing.iter().try_fold(0, |added, gap| {
            put(gap)?;
            self.journal.append(gap)?;
            self.written().insert(gap.clone());
            Ok(added + gap.end - gap.start)
        });
        // Also where not all of it could be written.
        if self.new_file.stamps_follow_writes {
            let before = std::mem::replace(&mut pen.stamp, stamp(&self.data)?);
            let highest = missing.iter().last().map_or(0, |gap| gap.end);
            // It was cut short, and what we wrote has made it longer again.
            if added.is_ok() && pen.stamp.size != before.size.max(highest) {
                pen.trust = Trust::Lost;
            }
        }
        added.map(|added| Written { end, added })
    }

    /// Notes whether the part has changed since we last wrote to it.
    fn check(&self, pen: &mut Pen) -> io::Result<()> {
        if self.new_file.stamps_follow_writes && stamp(&self.data)? != pen.stamp {
            pen.trust = Trust::Lost;
        }
        Ok(())
    }

    /// Whether the digest comes soon to what is written there, so that it is worth keeping in memory.
    pub(crate) fn is_near(&self, start: u64) -> bool {
        self.recent.is_near(start)
    }

    /// Keeps in memory what was written there, all of which was missing before.
    pub(crate) fn keep(&self, start: u64, chunks: Vec<Bytes>, room: OwnedSemaphorePermit) {
        self.recent.keep(start, chunks, room);
    }

    /// Where the next bytes for the digest are, of a range that has been written.
    pub(crate) fn next_bytes(&self, range: &Range<u64>) -> NextBytes {
        self.recent.next(range)
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
        self.warnings.without(DiskFeature::Flush, DiskWarning::NoFlush, self.data.sync_all())
    }

    /// Flushes a part whose digest is right, and gives it the mode of a placed file. None if what the digest has gone
    /// over may not be what is there: then [`Self::rest`] and another reading are due.
    pub(crate) fn seal(&self) -> io::Result<Option<ProvedPart>> {
        self.flush()?;
        let mut pen = self.pen();
        self.check(&mut pen)?;
        // Before it is asked who has opened it; what has been at rest shows every write already.
        if pen.trust == Trust::UnlessOpened {
            self.new_file.set_time_apart(&self.data);
            pen.stamp = stamp(&self.data)?;
        }
        let flushed = stamp(&self.data)?;
        let is_believed = match pen.trust {
            Trust::UnlessOpened => !self.watched.was_opened(),
            // A server that is sent what was written may have left a trace of that.
            Trust::UnlessChanged => flushed == Stamp { changed: flushed.changed, ..pen.stamp },
            Trust::Lost => false,
        };
        if !is_believed || flushed.size != self.size {
            return Ok(None);
        }
        // As late as can be: a later run goes on from a part only if none but its user may write to it.
        self.new_file.set_usual_mode(&self.data, &self.warnings)?;
        pen.stamp = stamp(&self.data)?;
        let is_same = self.new_file.is_same(Stamp { changed: pen.stamp.changed, ..flushed }, pen.stamp);
        let data = self.data.try_clone()?;
        Ok(is_same.then(|| ProvedPart::new(self.name.clone(), data, self.new_file, pen.stamp)))
    }

    /// Waits until the part has been left alone for a tick of the disk's clock, so that every later write shows. From then on
    /// the digest goes over what is on disk alone.
    pub(crate) fn rest(&self) -> io::Result<()> {
        self.recent.forget();
        let mut pen = self.pen();
        for _ in 0..RESTS {
            let before = stamp(&self.data)?;
            // What another program has mapped into its memory shows again once it has been flushed.
            self.flush()?;
            std::thread::sleep(TICK);
            pen.stamp = stamp(&self.data)?;
            if pen.stamp == before {
                break;
            }
        }
        pen.trust = Trust::UnlessChanged;
        Ok(())
    }

    /// Whether another program may have written to it.
    pub(crate) fn is_disturbed(&self) -> bool {
        !self.watched.is_deaf() && self.pen().trust != Trust::UnlessOpened || self.watched.was_opened()
    }

    fn pen(&self) -> MutexGuard<'_, Pen> {
        self.pen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn written(&self) -> MutexGuard<'_, RangeSet> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(data: &std::fs::File) -> io::Result<Stamp> {
    Ok(disk::stamp(&Metadata::from_file(data)?))
}

#[cfg(test)]
#[cfg(unix)]
#[path = "part_tests.rs"]
mod tests;
