//! Chunks out of the bytes of a xorb, as they come.

use bytes::{Bytes, BytesMut};

use super::{ChunkError, LONGEST_CHUNK, byte_grouping, lz4_frame};

/// Version, compressed length, scheme, length.
const HEADER: usize = 8;
/// What a chunk may take in a xorb: a frame adds little to bytes that don't compress, and those are stored as they are.
const LONGEST_STORED: usize = LONGEST_CHUNK + (4 << 10);

/// How the bytes of a chunk are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    None,
    Lz4,
    /// Grouped by their place in numbers of four bytes, then compressed.
    GroupedLz4,
}

/// What stands before each chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ChunkHeader {
    stored: usize,
    scheme: Scheme,
    length: usize,
}

/// Decodes one chunk after another. At most one is held, and its header says how long it is before anything is kept of it.
#[derive(Debug, Default)]
pub(crate) struct ChunkDecoder {
    header: Option<ChunkHeader>,
    /// What has come of a header or a chunk that did not come in one piece.
    received: BytesMut,
    grouped: Vec<u8>,
}

impl ChunkHeader {
    fn read(bytes: &[u8]) -> Result<Self, ChunkError> {
        let &[version, stored_0, stored_1, stored_2, scheme, length_0, length_1, length_2] = bytes else {
            return Err(ChunkError::TooShort);
        };
        let stored = u32::from_le_bytes([stored_0, stored_1, stored_2, 0]) as usize;
        let length = u32::from_le_bytes([length_0, length_1, length_2, 0]) as usize;
        let scheme = match (version, scheme) {
            (0, 0) => Scheme::None,
            (0, 1) => Scheme::Lz4,
            (0, 2) => Scheme::GroupedLz4,
            _ => return Err(ChunkError::Unknown { version, scheme }),
        };
        if length == 0 || length > LONGEST_CHUNK || stored > LONGEST_STORED {
            return Err(ChunkError::Length { stored, length });
        }
        if scheme == Scheme::None && stored != length {
            return Err(ChunkError::Length { stored, length });
        }
        Ok(Self { stored, scheme, length })
    }
}

impl ChunkDecoder {
    /// The next chunk, once all of it has come. What it needs is taken from the next bytes of the xorb.
    pub(crate) fn next(&mut self, bytes: &mut Bytes) -> Result<Option<Bytes>, ChunkError> {
        let Some((header, stored)) = self.whole(bytes)? else { return Ok(None) };
        let decoded = match header.scheme {
            Scheme::None => return Ok(Some(stored)),
            Scheme::Lz4 => {
                let mut decoded = BytesMut::zeroed(header.length);
                lz4_frame::decode(&stored, &mut decoded)?;
                decoded
            }
            Scheme::GroupedLz4 => {
                self.grouped.resize(header.length, 0);
                lz4_frame::decode(&stored, &mut self.grouped)?;
                let mut decoded = BytesMut::zeroed(header.length);
                byte_grouping::ungroup(&self.grouped, &mut decoded);
                decoded
            }
        };
        Ok(Some(decoded.freeze()))
    }

    /// Passes over the next chunk. Whether all of it has come.
    pub(crate) fn pass(&mut self, bytes: &mut Bytes) -> Result<Option<()>, ChunkError> {
        Ok(self.whole(bytes)?.map(|_| ()))
    }

    /// The header of the next chunk, and what it is stored as.
    fn whole(&mut self, bytes: &mut Bytes) -> Result<Option<(ChunkHeader, Bytes)>, ChunkError> {
        let header = match self.header {
            Some(header) => header,
            None => match self.gather(HEADER, bytes) {
                Some(header) => *self.header.insert(ChunkHeader::read(&header)?),
                None => return Ok(None),
            },
        };
        let Some(stored) = self.gather(header.stored, bytes) else { return Ok(None) };
        self.header = None;
        Ok(Some((header, stored)))
    }

    /// So many bytes, once they have come. They are copied only where they did not come in one piece.
    fn gather(&mut self, length: usize, bytes: &mut Bytes) -> Option<Bytes> {
        if self.received.is_empty() && bytes.len() >= length {
            return Some(bytes.split_to(length));
        }
        let missing = length - self.received.len();
        self.received.reserve(missing);
        self.received.extend_from_slice(&bytes.split_to(missing.min(bytes.len())));
        (self.received.len() == length).then(|| self.received.split().freeze())
    }
}

#[cfg(test)]
#[path = "chunk_decoder_tests.rs"]
mod tests;
