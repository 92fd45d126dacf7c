//! What a file contains: bytes at hand, a generated stream, or a file on disk. Never more than a piece of it in memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// How much is read, hashed or sent at once. Large enough that a system call costs nothing against it, small enough
/// to stay in a processor's second-level cache on its way from the disk's pages to the socket.
pub(super) const PIECE: u64 = 512 * 1024;

/// The content of a file on the test Hub. Clones share it.
#[derive(Clone, Debug)]
pub struct Content(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    size: u64,
    sha256: OnceLock<String>,
}

#[derive(Debug)]
enum Store {
    Bytes(Bytes),
    Random { seed: u64 },
    Unread,
    Disk(PathBuf),
}

impl Content {
    /// Bytes at hand.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let size = bytes.len() as u64;
        Self::new(Store::Bytes(bytes), size)
    }

    /// `size` bytes that no compression makes smaller, generated where they are asked for: several GB need neither
    /// memory nor disk. The same seed gives the same bytes, and a longer stream begins with the shorter one.
    pub fn random(seed: u64, size: u64) -> Self {
        Self::new(Store::Random { seed }, size)
    }

    /// The same for one that is listed and never read: its SHA-256 is made up, and the Xet store has the same few chunks of it
    /// again and again. A multiple of 128 KiB.
    pub fn unread(size: u64) -> Self {
        let content = Self::new(Store::Unread, size);
        content.0.sha256.get_or_init(|| format!("{size:064x}"));
        content
    }

    /// Whether it is one of those.
    pub(super) fn is_unread(&self) -> bool {
        matches!(self.0.store, Store::Unread)
    }

    /// A file on disk, which must stay as it is while the Hub serves it.
    ///
    /// # Panics
    /// When there is no such file.
    pub fn disk(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        let size = path.metadata().unwrap_or_else(|error| panic!("{}: {error}", path.display())).len();
        Self::new(Store::Disk(path), size)
    }

    fn new(store: Store, size: u64) -> Self {
        Self(Arc::new(Inner { store, size, sha256: OnceLock::new() }))
    }

    /// The file that it is in, if it is in one.
    pub fn path(&self) -> Option<&Path> {
        match &self.0.store {
            Store::Disk(path) => Some(path),
            Store::Bytes(_) | Store::Random { .. } | Store::Unread => None,
        }
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// Its SHA-256 as 64 hex digits, computed once.
    ///
    /// # Panics
    /// When a file on disk can't be read.
    pub fn sha256(&self) -> String {
        let compute = || {
            let mut hasher = Sha256::new();
            self.for_each_piece(|piece| hasher.update(piece));
            HEXLOWER.encode(&hasher.finalize())
        };
        self.0.sha256.get_or_init(compute).clone()
    }

    /// A part of it, for assertions.
    ///
    /// # Panics
    /// When the range leaves the content, or a file on disk can't be read.
    pub fn read(&self, range: Range<u64>) -> Vec<u8> {
        assert!(range.end <= self.size(), "{range:?} of {} bytes", self.size());
        let mut bytes = Vec::new();
        self.open()
            .and_then(|mut reader| {
                for start in range.clone().step_by(usize::try_from(PIECE).unwrap_or(usize::MAX)) {
                    bytes.extend_from_slice(&reader.read(start, PIECE.min(range.end - start))?);
                }
                Ok(())
            })
            .expect("the content can be read");
        bytes
    }

    /// All of it, for assertions.
    ///
    /// # Panics
    /// When a file on disk can't be read.
    pub fn to_vec(&self) -> Vec<u8> {
        self.read(0..self.size())
    }

    pub(super) fn for_each_piece(&self, mut visit: impl FnMut(&[u8])) {
        let mut reader = self.open().expect("the content can be opened");
        let mut position = 0;
        while position < self.size() {
            let piece =
                reader.read(position, PIECE.min(self.size() - position)).expect("the content can be read");
            visit(&piece);
            position += piece.len() as u64;
        }
    }

    /// Each reader has a file position of its own, so that any number of them can read at once.
    pub(super) fn open(&self) -> io::Result<ContentReader> {
        Ok(match &self.0.store {
            Store::Bytes(bytes) => ContentReader::Bytes(bytes.clone()),
            Store::Random { seed } => ContentReader::Random { seed: *seed },
            Store::Unread => return Err(io::ErrorKind::Unsupported.into()),
            Store::Disk(path) => ContentReader::Disk { file: File::open(path)?, position: 0 },
        })
    }
}

/// Reads a [`Content`] piece by piece.
pub(super) enum ContentReader {
    Bytes(Bytes),
    Random { seed: u64 },
    Disk { file: File, position: u64 },
}

impl ContentReader {
    /// Exactly the bytes asked for, which must lie within the content.
    pub(super) fn read(&mut self, start: u64, length: u64) -> io::Result<Bytes> {
        let capacity = usize::try_from(length).map_err(io::Error::other)?;
        match self {
            Self::Bytes(bytes) => {
                let start = usize::try_from(start).map_err(io::Error::other)?;
                Ok(bytes.slice(start..start + capacity))
            }
            Self::Random { seed } => Ok(random(*seed, start, capacity).into()),
            Self::Disk { file, position } => {
                if *position != start {
                    file.seek(SeekFrom::Start(start))?;
                }
                // Into unwritten capacity: zeroing it first would cost half as much as reading.
                let mut bytes = Vec::with_capacity(capacity);
                file.take(length).read_to_end(&mut bytes)?;
                *position = start + bytes.len() as u64;
                if bytes.len() == capacity {
                    Ok(bytes.into())
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                }
            }
        }
    }
}

/// `SplitMix64` by index: any word of the stream costs the same, so any offset can be served at once.
fn random(seed: u64, start: u64, length: usize) -> Vec<u8> {
    let skipped = usize::try_from(start % 8).unwrap_or_default();
    let mut bytes = Vec::with_capacity(skipped + length + 8);
    let mut state = seed.wrapping_add((start / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    while bytes.len() < skipped + length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    bytes.truncate(skipped + length);
    bytes.drain(..skipped);
    bytes
}

impl From<&'static str> for Content {
    fn from(text: &'static str) -> Self {
        Self::bytes(text)
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::bytes(text)
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::bytes(bytes)
    }
}

impl From<&'static [u8]> for Content {
    fn from(bytes: &'static [u8]) -> Self {
        Self::bytes(bytes)
    }
}

impl<const N: usize> From<&'static [u8; N]> for Content {
    fn from(bytes: &'static [u8; N]) -> Self {
        Self::bytes(&bytes[..])
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_generated_stream_is_the_same_from_any_offset() {
        let content = Content::random(7, 2 * PIECE + 13);
        let whole = content.to_vec();
        assert_eq!(whole.len() as u64, content.size());
        for range in [0..1, 1..9, 7..8, PIECE - 3..PIECE + 5, content.size() - 1..content.size()] {
            let part = content.read(range.clone());
            let start = usize::try_from(range.start).unwrap();
            assert_eq!(part, whole[start..start + part.len()], "{range:?}");
            assert_eq!(part.len() as u64, range.end - range.start);
        }
        assert_ne!(whole, Content::random(8, content.size()).to_vec());
    }

    #[test]
    fn a_file_on_disk_reads_like_the_same_bytes_at_hand() {
        let generated = Content::random(3, PIECE + 100);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&generated.to_vec()).unwrap();
        let disk = Content::disk(file.path());
        assert_eq!(disk.sha256(), generated.sha256());
        assert_eq!(disk.read(10..20), generated.read(10..20));
        assert_eq!(
            Content::from("").sha256(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
