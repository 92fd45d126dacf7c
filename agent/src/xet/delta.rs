//! What of a new file stands in an old one, its *basis*: the chunks that both their reconstructions name.
//!
//! A reconstruction says which chunks of which xorb follow each other, and how many bytes a run of them has; how long each
//! chunk is, only the old file tells, once it is cut.

use std::ops::Range;

use hfdown_protocol::{ChunkRun, XetHash};

/// A file that was cut into chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutFile {
    /// Where each chunk begins, and where the last one ends.
    pub offsets: Vec<u64>,
    /// What the Xet store calls the file.
    pub hash: XetHash,
}

/// Bytes of the new file that stand in the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Copied {
    /// Where in the old one.
    pub(crate) from: u64,
    /// Where in the new one.
    pub(crate) to: u64,
    /// How many.
    pub(crate) length: u64,
}

/// The runs of the old file do not describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the Hub describes the file that is there in chunks which it does not have")]
pub(crate) struct NotItsRuns;

/// Chunks of a xorb that stand in the old file one after the other.
#[derive(Debug, Clone)]
struct KnownRun {
    xorb: u32,
    chunks: Range<u32>,
    /// The first of them, counted in the old file.
    first: usize,
}

/// Where the chunks of xorbs stand in the old file.
struct KnownChunks<'a> {
    offsets: &'a [u64],
    /// Sorted and apart.
    known: Vec<KnownRun>,
}

/// Finds what of a file with the new runs can be copied out of a basis with the old ones.
pub(crate) fn copies(basis: &CutFile, old: &[ChunkRun], new: &[ChunkRun]) -> Result<Vec<Copied>, NotItsRuns> {
    let basis = KnownChunks::new(&basis.offsets, old)?;
    let (mut copies, mut offset) = (Vec::new(), 0_u64);
    for run in new {
        for copy in basis.of_run(run, offset) {
            push(&mut copies, copy);
        }
        offset = offset.saturating_add(run.length.into());
    }
    Ok(copies)
}

/// Adds a copy, to the last one where it goes on from that.
fn push(copies: &mut Vec<Copied>, copy: Copied) {
    match copies.last_mut() {
        Some(last) if last.from + last.length == copy.from && last.to + last.length == copy.to => {
            last.length += copy.length;
        }
        _ => copies.push(copy),
    }
}

impl<'a> KnownChunks<'a> {
    fn new(offsets: &'a [u64], runs: &[ChunkRun]) -> Result<Self, NotItsRuns> {
        let (mut known, mut first) = (Vec::with_capacity(runs.len()), 0);
        for ChunkRun { xorb, chunks, length } in runs {
            let end = first + chunks.len();
            let (Some(begin), Some(behind)) = (offsets.get(first), offsets.get(end)) else {
                return Err(NotItsRuns);
            };
            if chunks.is_empty() || behind - begin != u64::from(*length) {
                return Err(NotItsRuns);
            }
            known.push(KnownRun { xorb: *xorb, chunks: chunks.clone(), first });
            first = end;
        }
        if first + 1 != offsets.len() {
            return Err(NotItsRuns);
        }
        known.sort_by_key(|known| (known.xorb, known.chunks.start));
        // What stands there twice is taken from where it stands first by these numbers.
        let mut covered = (0, 0);
        known.retain_mut(|known| {
            if known.xorb != covered.0 {
                covered = (known.xorb, 0);
            }
            let passed = covered.1.clamp(known.chunks.start, known.chunks.end);
            known.first += (passed - known.chunks.start) as usize;
            known.chunks.start = passed;
            covered.1 = covered.1.max(known.chunks.end);
            !known.chunks.is_empty()
        });
        Ok(Self { offsets, known })
    }

    /// The pieces of the old file that these chunks stand in, in their order.
    fn pieces(&self, run: &ChunkRun) -> impl DoubleEndedIterator<Item = KnownPiece> {
        let Range { start, end } = run.chunks;
        let before = |known: &KnownRun| (known.xorb, known.chunks.end) <= (run.xorb, start);
        let first = self.known.partition_point(before);
        let behind = self.known.partition_point(|known| (known.xorb, known.chunks.start) < (run.xorb, end));
        self.known[first..behind.max(first)].iter().map(move |known| {
            let chunks = known.chunks.start.max(start)..known.chunks.end.min(end);
            let from = known.first + (chunks.start - known.chunks.start) as usize;
            let bytes = self.offsets[from]..self.offsets[from + chunks.len()];
            KnownPiece { chunks, bytes }
        })
    }

    /// What can be copied of a run that begins there in the new file. How long a chunk is that is missing is not known; so
    /// of those between two that are missing it is not known where they belong.
    fn of_run(&self, run: &ChunkRun, offset: u64) -> Vec<Copied> {
        let (mut front, mut copies) = ((run.chunks.start, offset), Vec::new());
        for KnownPiece { chunks, bytes } in self.pieces(run) {
            if chunks.start != front.0 {
                break;
            }
            let length = bytes.end - bytes.start;
            copies.push(Copied { from: bytes.start, to: front.1, length });
            front = (chunks.end, front.1.saturating_add(length));
        }
        let end = offset.saturating_add(run.length.into());
        let (mut back, mut behind) = ((run.chunks.end, end), Vec::new());
        for KnownPiece { chunks, bytes } in self.pieces(run).rev() {
            if chunks.end != back.0 || chunks.start < front.0 {
                break;
            }
            let length = bytes.end - bytes.start;
            back = (chunks.start, back.1.saturating_sub(length));
            behind.push(Copied { from: bytes.start, to: back.1, length });
        }
        // Each chunk between them has at least a byte.
        let fits = if front.0 == run.chunks.end { front.1 == end } else { front.1 < back.1 };
        if !fits {
            return Vec::new();
        }
        copies.extend(behind.into_iter().rev());
        copies
    }
}

/// Chunks of a run, and the bytes of the old file that they are.
struct KnownPiece {
    chunks: Range<u32>,
    bytes: Range<u64>,
}

#[cfg(test)]
#[path = "delta_tests.rs"]
mod tests;
