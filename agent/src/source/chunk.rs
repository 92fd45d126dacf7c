//! What is asked of a source, and the pieces in which it answers.

use std::ops::Range;

use bytes::Bytes;

/// Which bytes of a file are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it, from a source that need not know of ranges.
    Whole,
    /// These.
    Range(Range<u64>),
}

/// Some bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Where in the file they begin.
    pub(crate) offset: u64,
    pub(crate) bytes: Bytes,
    /// How many bytes came over the network for them.
    pub(crate) wire: u64,
}
