//! What the Hub's Xet store is made of: pure functions and values.

mod byte_grouping;
mod chunk_decoder;
mod chunking;
mod delta;
mod lz4_frame;
mod merkle;
mod reconstruction;

pub(crate) use chunk_decoder::ChunkDecoder;
pub use chunking::cut;
pub use delta::CutFile;
pub(crate) use delta::{Copied, copies};
pub(crate) use reconstruction::Reconstruction;

/// The longest chunk, in bytes of the file.
pub(crate) const LONGEST_CHUNK: usize = 128 << 10;

/// Why bytes of a xorb are no chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChunkError {
    /// A kind that there may be one day.
    #[error("has a chunk of version {version} and scheme {scheme}, of which nothing is known")]
    Unknown { version: u8, scheme: u8 },
    /// Lengths that no chunk has.
    #[error("has a chunk of {length} bytes that takes {stored}")]
    Length { stored: usize, length: usize },
    /// What is compressed is broken.
    #[error("{0}")]
    Lz4(&'static str),
    /// More comes out than the header says.
    #[error("has a chunk of more bytes than it says")]
    TooLong,
    /// Less comes out, or has come.
    #[error("has a chunk of fewer bytes than it says")]
    TooShort,
}

/// Bytes that any program can make, for tests.
#[cfg(test)]
pub(crate) fn noise(length: usize, mut state: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
