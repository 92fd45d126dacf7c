//! A small file's part: written at once, from memory.

use std::io::{self, Write as _};

use bytes::Bytes;

use super::guard::Guard;
use super::journal::Journal;
use super::{Part, ProvedPart, journal_name, stamp};
use crate::disk::At as _;
use crate::own_folder::OwnFolder;
use crate::system::FileMode;

/// Another program that keeps writing to our files is given up on after so many of them.
const ATTEMPTS: usize = 3;
/// Compared in pieces that stay in the processor's cache.
const READ: usize = 64 << 10;

/// Writes the proved bytes of a small file to its part, flushed. None if another program kept writing to it.
pub(crate) fn write_small(
    parts: &OwnFolder,
    guard: &Guard,
    name: &str,
    bytes: &[u8],
) -> io::Result<Option<ProvedPart>> {
    let new_file = guard.new_file(parts)?;
    for _ in 0..ATTEMPTS {
        let mut data = parts.create(name, FileMode::Private)?;
        data.write_all(bytes)?;
        new_file.set_usual_mode(&data, parts.warnings())?;
        new_file.set_time_apart(&data);
        let before = stamp(&data)?;
        parts.flush_file(&data)?;
        let written = stamp(&data)?;
        // What another program wrote in between is found by looking: it is in memory still.
        if new_file.is_same(before, written)
            && holds(&data, bytes)?
            && new_file.is_same(written, stamp(&data)?)
        {
            return Ok(Some(ProvedPart::new(name.to_owned(), data, new_file, written)));
        }
        parts.remove(name)?;
    }
    Ok(None)
}

/// Whether this and nothing else is in a file.
fn holds(data: &std::fs::File, bytes: &[u8]) -> io::Result<bool> {
    let mut buffer = vec![0; READ.min(bytes.len())];
    for (chunk, offset) in bytes.chunks(READ).zip((0..).step_by(READ)) {
        let mut filled = 0;
        while filled < chunk.len() {
            match data.read_at(&mut buffer[filled..chunk.len()], offset + filled as u64)? {
                0 => return Ok(false),
                read => filled += read,
            }
        }
        if buffer[..chunk.len()] != *chunk {
            return Ok(false);
        }
    }
    Ok(data.metadata()?.len() == bytes.len() as u64)
}

/// Claims all of a small file's part, which could not be placed, for a later run.
pub(crate) fn keep_small(parts: &OwnFolder, name: &str, size: u64) -> io::Result<()> {
    let (journal, claimed) = Journal::open(parts, &journal_name(name), size)?;
    if claimed.total() == size { Ok(()) } else { journal.append(&(0..size)) }
}

/// What is in a part that [`keep_small`] has claimed.
pub(crate) fn kept_small(parts: &OwnFolder, name: &str, size: u64) -> Option<Bytes> {
    if Part::peek(parts, name, size) < size {
        return None;
    }
    parts.read(name, size).ok().flatten().map(Bytes::from)
}
