//! Which chunks of which xorbs the missing bytes of a file are.

use std::ops::Range;
use std::sync::Arc;

use hfdown_protocol::{HubNetwork, Term, XorbRange};

use super::LONGEST_CHUNK;

/// The longest xorb in bytes, with room for the headers of its chunks.
const LONGEST_XORB: u64 = (64 << 20) + (1 << 20);
/// The most chunks of a xorb.
const MOST_CHUNKS: u32 = 8 * 1024;

/// The terms of what is missing of one file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reconstruction {
    ranges: Vec<XorbRange>,
    terms: Vec<Term>,
    /// Where the Hub is that said so.
    hub: HubNetwork,
}

/// Why terms are none of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TermError {
    /// A xorb has no such bytes or chunks.
    #[error("names a range that no xorb has")]
    Range,
    /// A term is longer than its chunks, or they are not where it says.
    #[error("has a term that its chunks can't be")]
    Chunks,
    /// They don't follow each other within the file.
    #[error("has terms that overlap, or go beyond the file")]
    Order,
}

/// Which terms an extent consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TermsOfExtent {
    /// These.
    Terms(Range<usize>),
    /// It begins or ends in the middle of one.
    CutElsewhere,
    /// Something in it belongs to none.
    Gap,
}

impl Reconstruction {
    /// Checks an answer about a file of `size` bytes.
    pub(crate) fn new(
        ranges: Vec<XorbRange>,
        terms: Vec<Term>,
        hub: HubNetwork,
        size: u64,
    ) -> Result<Self, TermError> {
        let is_range = |range: &XorbRange| {
            let length = range.bytes.end.saturating_sub(range.bytes.start);
            range.bytes.start < range.bytes.end
                && length <= LONGEST_XORB
                && range.chunks.start < range.chunks.end
                && range.chunks.end <= MOST_CHUNKS
        };
        if !ranges.iter().all(is_range) {
            return Err(TermError::Range);
        }
        let mut end = 0;
        for term in &terms {
            let Some(range) = ranges.get(term.range as usize) else { return Err(TermError::Range) };
            let count = u64::from(term.chunks.end.saturating_sub(term.chunks.start));
            let is_within = term.chunks.start >= range.chunks.start && term.chunks.end <= range.chunks.end;
            let longest = count * LONGEST_CHUNK as u64;
            if count == 0 || !is_within || term.length == 0 {
                return Err(TermError::Chunks);
            }
            if u64::from(term.skip) + u64::from(term.length) > longest {
                return Err(TermError::Chunks);
            }
            if term.offset < end {
                return Err(TermError::Order);
            }
            end = term
                .offset
                .checked_add(u64::from(term.length))
                .filter(|end| *end <= size)
                .ok_or(TermError::Order)?;
        }
        Ok(Self { ranges, terms, hub })
    }

    /// Where the file may be cut.
    pub(crate) fn cuts(&self) -> Arc<[u64]> {
        let mut cuts: Vec<_> =
            self.terms.iter().flat_map(|term| [term.offset, term.offset + u64::from(term.length)]).collect();
        cuts.dedup();
        cuts.into()
    }

    /// The terms that are just these bytes of the file.
    pub(crate) fn terms_of(&self, extent: &Range<u64>) -> TermsOfExtent {
        let end = |term: &Term| term.offset + u64::from(term.length);
        let first = self.terms.partition_point(|term| end(term) <= extent.start);
        let behind = self.terms.partition_point(|term| term.offset < extent.end);
        let terms = self.terms.get(first..behind).unwrap_or_default();
        let (Some(start), Some(last)) = (terms.first(), terms.last()) else { return TermsOfExtent::Gap };
        if start.offset < extent.start || end(last) > extent.end {
            return TermsOfExtent::CutElsewhere;
        }
        let is_whole = start.offset == extent.start
            && end(last) == extent.end
            && terms.windows(2).all(|pair| end(&pair[0]) == pair[1].offset);
        if is_whole { TermsOfExtent::Terms(first..behind) } else { TermsOfExtent::Gap }
    }

    pub(crate) fn term(&self, index: usize) -> Option<&Term> {
        self.terms.get(index)
    }

    pub(crate) fn range(&self, index: u32) -> Option<&XorbRange> {
        self.ranges.get(index as usize)
    }

    pub(crate) fn hub(&self) -> HubNetwork {
        self.hub
    }
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::Address;

    use super::*;

    const SIZE: u64 = 1_000_000;

    fn range(bytes: Range<u64>, chunks: Range<u32>) -> XorbRange {
        XorbRange { address: Address::new("http://127.0.0.1:1/xorb").unwrap(), bytes, chunks }
    }

    fn term(offset: u64, length: u32, range: u32, chunks: Range<u32>, skip: u32) -> Term {
        Term { offset, length, range, chunks, skip }
    }

    fn reconstruct(ranges: Vec<XorbRange>, terms: Vec<Term>) -> Result<Reconstruction, TermError> {
        Reconstruction::new(ranges, terms, HubNetwork::Public, SIZE)
    }

    #[test]
    fn numbers_that_no_xorb_and_no_file_have_are_refused() {
        let good = || range(0..1000, 2..10);
        let whole = || term(0, 1000, 0, 2..4, 0);
        assert!(reconstruct(vec![good()], vec![whole(), term(1000, 5, 0, 9..10, 131_067)]).is_ok());
        for wrong in [
            range(1000..1000, 0..1),
            range(0..LONGEST_XORB + 1, 0..1),
            range(0..9, 1..1),
            range(0..9, 0..MOST_CHUNKS + 1),
        ] {
            assert_eq!(reconstruct(vec![wrong.clone()], vec![]), Err(TermError::Range), "{wrong:?}");
        }
        for (wrong, error) in [
            (term(0, 1, 1, 2..3, 0), TermError::Range),
            (term(0, 1, 0, 1..3, 0), TermError::Chunks),
            (term(0, 1, 0, 9..11, 0), TermError::Chunks),
            (term(0, 1, 0, 3..3, 0), TermError::Chunks),
            (term(0, 0, 0, 2..3, 0), TermError::Chunks),
            (term(0, 131_072, 0, 2..3, 1), TermError::Chunks),
            (term(0, u32::MAX, 0, 2..3, u32::MAX), TermError::Chunks),
            (term(SIZE, 1, 0, 2..3, 0), TermError::Order),
            (term(u64::MAX, 1, 0, 2..3, 0), TermError::Order),
        ] {
            assert_eq!(reconstruct(vec![good()], vec![wrong.clone()]), Err(error), "{wrong:?}");
        }
        let overlap = vec![whole(), term(999, 5, 0, 2..3, 0)];
        assert_eq!(reconstruct(vec![good()], overlap), Err(TermError::Order));
    }

    #[test]
    fn an_extent_is_terms_or_says_why_it_is_none() {
        let terms = vec![term(100, 100, 0, 0..1, 0), term(200, 100, 0, 1..2, 0), term(400, 100, 0, 2..3, 0)];
        let reconstruction = reconstruct(vec![range(0..9, 0..9)], terms).unwrap();
        assert_eq!(*reconstruction.cuts(), [100, 200, 300, 400, 500]);
        for (extent, expected) in [
            (100..200, TermsOfExtent::Terms(0..1)),
            (100..300, TermsOfExtent::Terms(0..2)),
            (400..500, TermsOfExtent::Terms(2..3)),
            (150..200, TermsOfExtent::CutElsewhere),
            (100..250, TermsOfExtent::CutElsewhere),
            (0..100, TermsOfExtent::Gap),
            (0..200, TermsOfExtent::Gap),
            (200..500, TermsOfExtent::Gap),
            (300..400, TermsOfExtent::Gap),
            (400..600, TermsOfExtent::Gap),
            (500..600, TermsOfExtent::Gap),
        ] {
            assert_eq!(reconstruction.terms_of(&extent), expected, "{extent:?}");
        }
    }
}
