//! Which ranges of a part are on disk: an append-only file beside it.
//!
//! An entry is 20 bytes: start, end (little-endian `u64`) and a checksum of both. It is appended after the bytes it
//! speaks of have been written, so that a killed process never claims more than it has. A torn or foreign tail is
//! ignored. What the journal claims is never believed about the *content*: the digest of the whole file decides.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::ops::Range;

use super::ranges::RangeSet;
use crate::own_folder::OwnFolder;
use crate::system::{FileAccess, FileMode};

const ENTRY: usize = 20;
/// A journal with more entries than this is rewritten when it is opened: merged, it is a handful.
const REWRITE_OVER: u64 = 64;
/// The most ranges that are claimed. Each connection leaves a few.
const MOST_RANGES: usize = 100_000;
/// The largest journal that is read: an entry for each 256 KiB of 3 TB. What is larger costs a download.
const LARGEST: u64 = 256 << 20;

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
}

impl Journal {
    /// Opens a journal or begins one, and says which ranges of `0..size` it claims.
    pub(crate) fn open(folder: &OwnFolder, name: &str, size: u64) -> io::Result<(Self, RangeSet)> {
        let open = |access| folder.open(name, access, LARGEST);
        let (claimed, entries, length) = match open(FileAccess::Read)? {
            Some(file) => {
                let (claimed, entries) = read(&file, size)?;
                (claimed, entries, file.metadata()?.len())
            }
            None => (RangeSet::default(), 0, 0),
        };
        // Whatever follows the last good entry would hide what is appended behind it.
        let is_in_order = entries * ENTRY as u64 == length && (1..=REWRITE_OVER).contains(&entries);
        if is_in_order && let Some(file) = open(FileAccess::Append)? {
            return Ok((Self { file }, claimed));
        }
        let merged: Vec<u8> = claimed.iter().flat_map(entry).collect();
        folder.replace(name, &merged, FileMode::Private)?;
        let file = open(FileAccess::Append)?.ok_or(io::ErrorKind::NotFound)?;
        Ok((Self { file }, claimed))
    }

    /// What a journal claims, without opening it for more.
    pub(crate) fn peek(folder: &OwnFolder, name: &str, size: u64) -> RangeSet {
        let file = folder.open(name, FileAccess::Read, LARGEST).ok().flatten();
        file.and_then(|file| read(&file, size).ok()).unwrap_or_default().0
    }

    /// Claims one more range.
    pub(crate) fn append(&self, range: &Range<u64>) -> io::Result<()> {
        (&self.file).write_all(&entry(range))
    }
}

/// What the good entries claim, and how many they are.
fn read(file: &File, size: u64) -> io::Result<(RangeSet, u64)> {
    let mut claimed = RangeSet::default();
    let mut entries = 0;
    let mut file = BufReader::new(file.take(LARGEST));
    let mut bytes = [0; ENTRY];
    while claimed.count() < MOST_RANGES {
        match file.read_exact(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            read => read?,
        }
        let number =
            |at: usize| bytes[at..at + 8].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let range = number(0)..number(8);
        if bytes != entry(&range) || range.end > size {
            break;
        }
        claimed.insert(range);
        entries += 1;
    }
    Ok((claimed, entries))
}

fn entry(range: &Range<u64>) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[..8].copy_from_slice(&range.start.to_le_bytes());
    entry[8..16].copy_from_slice(&range.end.to_le_bytes());
    // FNV-1a: enough to tell an entry from a torn one or from zeros after a crash.
    let checksum = entry[..16]
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    entry[16..].copy_from_slice(&checksum.to_le_bytes());
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_journal_cut_anywhere_claims_only_what_was_appended(
            appended in prop::collection::vec((0u64..1000, 1u64..50), 0..20),
            cut in 0usize..500,
            garbage in prop::collection::vec(any::<u8>(), 0..30),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let folder = OwnFolder::at(folder.path()).unwrap();
            let (journal, claimed) = Journal::open(&folder, "j", 2000).unwrap();
            prop_assert_eq!(claimed.total(), 0);
            let mut all = RangeSet::default();
            for (start, length) in &appended {
                journal.append(&(*start..start + length)).unwrap();
                all.insert(*start..start + length);
            }
            prop_assert_eq!(&Journal::peek(&folder, "j", 2000), &all);
            let whole = folder.dir().read("j").unwrap();
            let mut bytes = whole[..cut.min(whole.len())].to_vec();
            bytes.extend_from_slice(&garbage);
            // Garbage may happen to be what was cut off.
            let kept = whole.iter().zip(&bytes).take_while(|(before, after)| before == after).count() / ENTRY;
            folder.dir().write("j", &bytes).unwrap();
            let mut expected = RangeSet::default();
            appended.iter().take(kept).for_each(|(start, length)| expected.insert(*start..start + length));
            let (journal, claimed) = Journal::open(&folder, "j", 2000).unwrap();
            prop_assert_eq!(&claimed, &expected);
            journal.append(&(1500..1501)).unwrap();
            expected.insert(1500..1501);
            prop_assert_eq!(Journal::peek(&folder, "j", 2000), expected);
        }
    }

    #[test]
    fn claims_past_the_size_are_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let folder = OwnFolder::at(folder.path()).unwrap();
        let (journal, _) = Journal::open(&folder, "j", 2000).unwrap();
        journal.append(&(0..1999)).unwrap();
        assert_eq!(Journal::peek(&folder, "j", 100).total(), 0);
    }
}
