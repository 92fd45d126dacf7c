//! What the store says of a file, or of a part of it, checked number by number.

use std::collections::HashMap;
use std::ops::Range;

use hfdown_protocol::{Address, Term, XetHash, XorbRange, limits};
use serde::Deserialize;

/// The most chunks of a xorb, and the longest chunk.
const MOST_CHUNKS: u32 = 8 * 1024;
const LONGEST_CHUNK: u64 = 128 << 10;
/// The longest xorb, with room for the headers of its chunks.
const LONGEST_XORB: u64 = (64 << 20) + (1 << 20);

/// Which chunks of which xorbs some bytes of a file are, and where these may be fetched for a while.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct XetReconstruction {
    /// What is to be fetched.
    pub ranges: Vec<XorbRange>,
    /// The xorb of each of these.
    pub xorbs: Vec<XetHash>,
    /// In the order of the file, each behind the one before.
    pub terms: Vec<Term>,
    /// How many bytes the chunks of each term have, cut or not.
    pub unpacked: Vec<u32>,
}

/// Why an answer is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReconstructionError {
    /// It is not what the API answers.
    #[error("it makes no sense: {0}")]
    Json(String),
    /// A text that is no hash, or no address.
    #[error("it has a {0} that is none")]
    Text(&'static str),
    /// Numbers that no xorb has.
    #[error("it has a range that no xorb has")]
    Range,
    /// Chunks that are nowhere to be fetched.
    #[error("it has a term whose chunks are in none of its ranges")]
    Unlisted,
    /// Lengths that don't add up.
    #[error("its terms are not as long as what was asked for")]
    Length,
    /// Addresses that are not as well kept as the Hub's.
    #[error("it leads to an address that is not encrypted")]
    Downgrade,
    /// More than an agent takes.
    #[error("the file is in too many pieces")]
    TooMany,
}

/// How the API writes it, in both of its versions.
#[derive(Deserialize)]
struct AnsweredFile {
    #[serde(default)]
    offset_into_first_range: u64,
    terms: Vec<AnsweredTerm>,
    /// Version 2.
    #[serde(default)]
    xorbs: HashMap<String, Vec<SignedRanges>>,
    /// Version 1.
    #[serde(default)]
    fetch_info: HashMap<String, Vec<FetchInfo>>,
}

#[derive(Deserialize)]
struct AnsweredTerm {
    hash: String,
    unpacked_length: u64,
    range: Bounds<u32>,
}

#[derive(Deserialize, Clone, Copy)]
struct Bounds<T> {
    start: T,
    end: T,
}

#[derive(Deserialize)]
struct SignedRanges {
    url: String,
    ranges: Vec<ChunksAndBytes>,
}

#[derive(Deserialize)]
struct ChunksAndBytes {
    chunks: Bounds<u32>,
    /// Its end is the last byte.
    bytes: Bounds<u64>,
}

#[derive(Deserialize)]
struct FetchInfo {
    url: String,
    range: Bounds<u32>,
    /// Its end is the last byte.
    url_range: Bounds<u64>,
}

impl XetReconstruction {
    /// Reads an answer about these bytes of a file, from a Hub that is asked over an encrypted connection or not.
    pub fn from_json(
        json: &[u8],
        asked: &Range<u64>,
        is_encrypted: bool,
    ) -> Result<Self, ReconstructionError> {
        let answer: AnsweredFile =
            serde_json::from_slice(json).map_err(|error| ReconstructionError::Json(error.to_string()))?;
        let signed = answer.signed(is_encrypted)?;
        let mut read = Self::default();
        let mut numbers = HashMap::new();
        let (mut offset, mut skip) = (asked.start, answer.offset_into_first_range);
        for AnsweredTerm { hash, unpacked_length, range } in &answer.terms {
            let hash: XetHash = hash.parse().map_err(|_| ReconstructionError::Text("hash"))?;
            let count = u64::from(range.end.saturating_sub(range.start));
            if count == 0 || range.end > MOST_CHUNKS || *unpacked_length > count * LONGEST_CHUNK {
                return Err(ReconstructionError::Range);
            }
            let unpacked = u32::try_from(*unpacked_length).map_err(|_| ReconstructionError::Range)?;
            let has_it = |of: &&XorbRange| of.chunks.start <= range.start && range.end <= of.chunks.end;
            // The one that has least beside it.
            let found = signed.get(&hash).and_then(|ranges| {
                ranges.iter().filter(has_it).min_by_key(|range| range.bytes.end - range.bytes.start)
            });
            let found = found.ok_or(ReconstructionError::Unlisted)?;
            let index = *numbers.entry((hash, found.chunks.start, found.chunks.end)).or_insert_with(|| {
                read.ranges.push(found.clone());
                read.xorbs.push(hash);
                read.ranges.len() - 1
            });
            let left = asked.end.saturating_sub(offset);
            let length = unpacked_length.checked_sub(skip).ok_or(ReconstructionError::Length)?.min(left);
            if length == 0 {
                return Err(ReconstructionError::Length);
            }
            read.terms.push(Term {
                offset,
                length: u32::try_from(length).map_err(|_| ReconstructionError::Length)?,
                range: u32::try_from(index).map_err(|_| ReconstructionError::TooMany)?,
                chunks: range.start..range.end,
                skip: u32::try_from(skip).map_err(|_| ReconstructionError::Length)?,
            });
            read.unpacked.push(unpacked);
            (offset, skip) = (offset + length, 0);
        }
        if offset != asked.end {
            return Err(ReconstructionError::Length);
        }
        read.check_count()?;
        Ok(read)
    }

    /// Adds what follows, or lies behind a gap.
    pub fn append(&mut self, other: Self) -> Result<(), ReconstructionError> {
        let before = u32::try_from(self.ranges.len()).map_err(|_| ReconstructionError::TooMany)?;
        self.terms.extend(other.terms.into_iter().map(|term| Term { range: term.range + before, ..term }));
        self.ranges.extend(other.ranges);
        self.xorbs.extend(other.xorbs);
        self.unpacked.extend(other.unpacked);
        self.check_count()
    }

    fn check_count(&self) -> Result<(), ReconstructionError> {
        let is_too_much = self.ranges.len() > limits::XORB_RANGES || self.terms.len() > limits::TERMS;
        if is_too_much { Err(ReconstructionError::TooMany) } else { Ok(()) }
    }

    /// Bytes that come over the network for it: a range is fetched once for terms that follow each other in it.
    pub fn wire(&self) -> u64 {
        let mut wire: u64 = 0;
        let mut before: Option<&Term> = None;
        for term in &self.terms {
            let goes_on = before.is_some_and(|before| before.range == term.range);
            if !goes_on && let Some(range) = self.ranges.get(term.range as usize) {
                wire = wire.saturating_add(range.bytes.end - range.bytes.start);
            }
            before = Some(term);
        }
        wire
    }
}

impl AnsweredFile {
    /// The ranges of each xorb, in both versions.
    fn signed(&self, is_encrypted: bool) -> Result<HashMap<XetHash, Vec<XorbRange>>, ReconstructionError> {
        let second = self.xorbs.iter().flat_map(|(hash, all)| {
            all.iter().flat_map(move |signed| {
                signed.ranges.iter().map(move |range| (hash, &signed.url, range.chunks, range.bytes))
            })
        });
        let first = self.fetch_info.iter().flat_map(|(hash, all)| {
            all.iter().map(move |info| (hash, &info.url, info.range, info.url_range))
        });
        let mut signed: HashMap<XetHash, Vec<XorbRange>> = HashMap::new();
        for (hash, url, chunks, bytes) in second.chain(first) {
            let hash = hash.parse().map_err(|_| ReconstructionError::Text("hash"))?;
            let address = Address::new(url).map_err(|_| ReconstructionError::Text("address"))?;
            if is_encrypted && address.expose().scheme() != "https" {
                return Err(ReconstructionError::Downgrade);
            }
            let end = bytes.end.checked_add(1).ok_or(ReconstructionError::Range)?;
            let length = end.checked_sub(bytes.start).ok_or(ReconstructionError::Range)?;
            let is_range = chunks.start < chunks.end && chunks.end <= MOST_CHUNKS;
            if !is_range || length == 0 || length > LONGEST_XORB {
                return Err(ReconstructionError::Range);
            }
            let range = XorbRange { address, bytes: bytes.start..end, chunks: chunks.start..chunks.end };
            signed.entry(hash).or_default().push(range);
        }
        Ok(signed)
    }
}

#[cfg(test)]
#[path = "reconstruction_tests.rs"]
mod tests;
