//! Chunks out of the bytes of a xorb, as they come.

use bytes::{Buf, Bytes, BytesMut};

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
    received: BytesMut,
    header: Option<ChunkHeader>,
    grouped: Vec<u8>,
}

impl ChunkHeader {
    fn read(bytes: [u8; HEADER]) -> Result<Self, ChunkError> {
        let [version, stored_0, stored_1, stored_2, scheme, length_0, length_1, length_2] = bytes;
        let number = |bytes: [u8; 3]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) as usize;
        let (stored, length) =
            (number([stored_0, stored_1, stored_2]), number([length_0, length_1, length_2]));
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
    /// Takes the next bytes of the xorb, up to the end of the chunk that is under way.
    pub(crate) fn feed(&mut self, bytes: &mut Bytes) -> Result<(), ChunkError> {
        while !bytes.is_empty() {
            let wanted = self.header.map_or(HEADER, |header| header.stored) - self.received.len();
            if wanted == 0 {
                return Ok(());
            }
            let taken = wanted.min(bytes.len());
            self.received.extend_from_slice(&bytes[..taken]);
            bytes.advance(taken);
            if self.header.is_none() && self.received.len() == HEADER {
                let mut header = [0; HEADER];
                header.copy_from_slice(&self.received);
                self.received.clear();
                self.header = Some(ChunkHeader::read(header)?);
            }
        }
        Ok(())
    }

    /// The chunk, once all of it has come.
    pub(crate) fn take(&mut self) -> Result<Option<Bytes>, ChunkError> {
        let Some(header) = self.header.filter(|header| header.stored == self.received.len()) else {
            return Ok(None);
        };
        self.header = None;
        let decoded = match header.scheme {
            Scheme::None => self.received.split().freeze(),
            Scheme::Lz4 => {
                let mut decoded = BytesMut::zeroed(header.length);
                lz4_frame::decode(&self.received, &mut decoded)?;
                decoded.freeze()
            }
            Scheme::GroupedLz4 => {
                self.grouped.resize(header.length, 0);
                lz4_frame::decode(&self.received, &mut self.grouped)?;
                let mut decoded = BytesMut::zeroed(header.length);
                byte_grouping::ungroup(&self.grouped, &mut decoded);
                decoded.freeze()
            }
        };
        self.received.clear();
        Ok(Some(decoded))
    }

    /// Whether a chunk is under way.
    #[cfg(test)]
    pub(crate) fn is_in_chunk(&self) -> bool {
        self.header.is_some() || !self.received.is_empty()
    }
}

#[cfg(test)]
#[path = "chunk_decoder_tests.rs"]
mod tests;
