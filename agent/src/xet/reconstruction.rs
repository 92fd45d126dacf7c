//! Which chunks of which xorbs the missing bytes of a file are.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hfdown_protocol::{HubNetwork, Term, XorbRange};
use tokio::sync::OnceCell;

use super::LONGEST_CHUNK;

/// The longest xorb in bytes, with room for the headers of its chunks.
const LONGEST_XORB: u64 = (64 << 20) + (1 << 20);
/// The most chunks of a xorb.
const MOST_CHUNKS: u32 = 8 * 1024;
/// So many terms are looked at for one that has a chunk again, or goes on in a xorb: a file of zeros has the same chunk in
/// each, and one with small changes comes from the old xorbs and the new ones in turn.
const SOON: usize = 16;

/// How many bytes of xorbs are kept for all connections that work on a file: what is small, and is in several places of it.
const STOCK: u64 = 2 << 20;

/// The terms of what is missing of one file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reconstruction {
    ranges: Vec<XorbRange>,
    terms: Vec<Term>,
    /// Ranges that are fetched once, whole, whatever connections need of them.
    stock: HashMap<u32, OnceCell<Bytes>>,
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
    /// They are not all of what was asked for.
    #[error("leaves out some of the file")]
    Gap,
}

impl Reconstruction {
    /// Checks an answer about a file of `size` bytes of which these were asked for.
    pub(crate) fn new(
        ranges: Vec<XorbRange>,
        terms: Vec<Term>,
        hub: HubNetwork,
        size: u64,
        asked: &[Range<u64>],
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
        let stock = stock_of(&ranges, &terms);
        let reconstruction = Self { ranges, terms, stock, hub };
        if asked.iter().all(|range| reconstruction.has(range)) {
            Ok(reconstruction)
        } else {
            Err(TermError::Gap)
        }
    }

    /// The terms of these bytes alone, which follow each other. What is passed over of a term is decoded all the same.
    pub(crate) fn within(&self, missing: &[Range<u64>]) -> Self {
        let mut terms = Vec::new();
        for range in missing {
            let behind = self.terms[self.first_behind(range.start)..].iter();
            terms.extend(behind.take_while(|term| term.offset < range.end).filter_map(|term| {
                let (first, last) = (term.offset.max(range.start), end(term).min(range.end));
                let length = u32::try_from(last.checked_sub(first)?).ok()?;
                let skip = term.skip.checked_add(u32::try_from(first - term.offset).ok()?)?;
                Some(Term { offset: first, length, range: term.range, chunks: term.chunks.clone(), skip })
            }));
        }
        let stock = stock_of(&self.ranges, &terms);
        Self { ranges: self.ranges.clone(), terms, stock, hub: self.hub }
    }

    /// Whether all of these bytes are in terms.
    fn has(&self, range: &Range<u64>) -> bool {
        let mut position = range.start;
        for term in &self.terms[self.first_behind(position)..] {
            if position >= range.end || term.offset > position {
                break;
            }
            position = end(term);
        }
        position >= range.end
    }

    /// The first term of which something is at this offset or behind it.
    fn first_behind(&self, offset: u64) -> usize {
        self.terms.partition_point(|term| end(term) <= offset)
    }

    /// Where a file of `size` bytes may be cut.
    pub(crate) fn cuts(&self, size: u64) -> Arc<[u64]> {
        let ends = self.terms.iter().flat_map(|term| [term.offset, end(term)]);
        let mut cuts: Vec<_> = ends.filter(|cut| (1..size).contains(cut)).collect();
        cuts.dedup();
        cuts.into()
    }

    /// The terms that are just these bytes of the file; none where it is cut elsewhere.
    pub(crate) fn terms_of(&self, extent: &Range<u64>) -> Option<Range<usize>> {
        let first = self.first_behind(extent.start);
        let behind = self.terms.partition_point(|term| term.offset < extent.end);
        let terms = self.terms.get(first..behind)?;
        let is_whole = terms.first()?.offset == extent.start
            && end(terms.last()?) == extent.end
            && terms.windows(2).all(|pair| end(&pair[0]) == pair[1].offset);
        is_whole.then_some(first..behind)
    }

    /// Whether a chunk is one of the terms that follow soon.
    pub(crate) fn has_soon(&self, terms: &Range<usize>, range: u32, chunk: u32) -> bool {
        self.soon(terms).any(|term| term.range == range && term.chunks.contains(&chunk))
    }

    /// Whether the terms that follow soon go on in a xorb range at this chunk or behind it.
    pub(crate) fn goes_on_soon(&self, terms: &Range<usize>, range: u32, chunk: u32) -> bool {
        self.soon(terms).any(|term| term.range == range && term.chunks.start >= chunk)
    }

    fn soon(&self, terms: &Range<usize>) -> impl Iterator<Item = &Term> {
        self.terms.get(terms.clone()).unwrap_or_default().iter().take(SOON)
    }

    pub(crate) fn term(&self, index: usize) -> Option<&Term> {
        self.terms.get(index)
    }

    pub(crate) fn range(&self, index: u32) -> Option<&XorbRange> {
        self.ranges.get(index as usize)
    }

    /// The bytes of a range, where they are kept for all connections.
    pub(crate) fn stock(&self, range: u32) -> Option<&OnceCell<Bytes>> {
        self.stock.get(&range)
    }

    pub(crate) fn hub(&self) -> HubNetwork {
        self.hub
    }
}

/// The ranges to keep: those of several terms that don't follow each other. What is new in a changed file is like that: one
/// xorb has all of it, in one range.
fn stock_of(ranges: &[XorbRange], terms: &[Term]) -> HashMap<u32, OnceCell<Bytes>> {
    let (mut last, mut again) = (HashMap::new(), BTreeSet::new());
    for (place, term) in terms.iter().enumerate() {
        if last.insert(term.range, place).is_some_and(|before| before + 1 < place) {
            again.insert(term.range);
        }
    }
    let mut size = 0;
    let mut fits = |number: &u32| {
        let bytes =
            ranges.get(*number as usize).map_or(u64::MAX, |range| range.bytes.end - range.bytes.start);
        let fits = bytes <= STOCK - size;
        size += if fits { bytes } else { 0 };
        fits
    };
    again.into_iter().filter(|number| fits(number)).map(|number| (number, OnceCell::new())).collect()
}

/// Where a term ends. It was checked that this is within the file.
fn end(term: &Term) -> u64 {
    term.offset.saturating_add(u64::from(term.length))
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::Address;

    use proptest::prelude::*;

    use super::*;

    const SIZE: u64 = 1_000_000;

    fn range(bytes: Range<u64>, chunks: Range<u32>) -> XorbRange {
        XorbRange { address: Address::new("http://127.0.0.1:1/xorb").unwrap(), bytes, chunks }
    }

    fn term(offset: u64, length: u32, range: u32, chunks: Range<u32>, skip: u32) -> Term {
        Term { offset, length, range, chunks, skip }
    }

    fn reconstruct(ranges: Vec<XorbRange>, terms: Vec<Term>) -> Result<Reconstruction, TermError> {
        Reconstruction::new(ranges, terms, HubNetwork::Public, SIZE, &[])
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
    fn of_terms_that_are_at_hand_those_of_what_is_missing_are_cut_out() {
        let terms = vec![term(0, 200, 0, 0..1, 7), term(200, 100, 0, 1..2, 0), term(400, 100, 0, 2..3, 0)];
        let whole = reconstruct(vec![range(0..9, 0..9)], terms.clone()).unwrap();
        assert_eq!(whole.within(&[0..300, 400..500]), whole);
        let some = whole.within(&[50..60, 150..250, 290..420]);
        let expected = [
            term(50, 10, 0, 0..1, 57),
            term(150, 50, 0, 0..1, 157),
            term(200, 50, 0, 1..2, 0),
            term(290, 10, 0, 1..2, 90),
            term(400, 20, 0, 2..3, 0),
        ];
        assert_eq!(some.terms, expected);
        assert_eq!(some.terms_of(&(150..250)), Some(1..3));
    }

    #[test]
    fn an_extent_is_terms_or_is_cut_elsewhere() {
        let terms = vec![term(0, 200, 0, 0..1, 0), term(200, 100, 0, 1..2, 0), term(400, 100, 0, 2..3, 0)];
        let reconstruction = reconstruct(vec![range(0..9, 0..9)], terms).unwrap();
        assert_eq!(*reconstruction.cuts(SIZE), [200, 300, 400, 500]);
        assert_eq!(*reconstruction.cuts(500), [200, 300, 400]);
        for (extent, expected) in [
            (0..200, Some(0..1)),
            (0..300, Some(0..2)),
            (400..500, Some(2..3)),
            (150..200, None),
            (0..250, None),
            (200..500, None),
            (300..400, None),
            (400..600, None),
            (500..600, None),
        ] {
            assert_eq!(reconstruction.terms_of(&extent), expected, "{extent:?}");
        }
    }

    /// Numbers of which many are small, so that some of them fit together.
    fn number() -> impl Strategy<Value = u32> {
        prop_oneof![0u32..5, 0u32..200_000, any::<u32>()]
    }

    proptest! {
        #[test]
        fn no_numbers_are_more_than_an_error(
            ranges in prop::collection::vec((any::<u64>(), number(), number(), number()), 0..3),
            terms in prop::collection::vec((number(), number(), number(), number(), number()), 0..4),
            extent in (number(), number()),
        ) {
            let ranges = ranges.into_iter().map(|(start, length, first, behind)| {
                range(start..start.saturating_add(u64::from(length)), first..behind)
            });
            let terms = terms.into_iter().map(|(offset, length, chunk, count, skip)| {
                term(u64::from(offset), length, chunk % 3, chunk..chunk.saturating_add(count), skip)
            });
            if let Ok(made) = reconstruct(ranges.collect(), terms.collect()) {
                let cuts = made.cuts(SIZE);
                prop_assert!(cuts.windows(2).all(|pair| pair[0] < pair[1]));
                let _ = made.terms_of(&(u64::from(extent.0)..u64::from(extent.1)));
                let _ = made.has_soon(&(0..usize::MAX), extent.0, extent.1);
            }
        }

        /// Whatever is missing when an answer is checked, a range of it that is widened to the cuts is a run of terms.
        #[test]
        fn what_was_asked_for_is_all_there_or_is_said_to_be_missing(
            terms in prop::collection::vec((0u64..3, 1u32..20), 1..12),
            asked in prop::collection::vec((0u64..200, 1u64..30), 0..4),
        ) {
            let (mut offset, mut placed) = (0, Vec::new());
            for (gap, length) in terms {
                placed.push(term(offset + gap, length, 0, 0..1, 0));
                offset += gap + u64::from(length);
            }
            let is_there = |byte: u64| placed.iter().any(|term| (term.offset..end(term)).contains(&byte));
            let asked: Vec<_> = asked.into_iter().map(|(start, length)| start..start + length).collect();
            let expected = asked.iter().cloned().flatten().all(is_there);
            let made =
                Reconstruction::new(vec![range(0..9, 0..1)], placed.clone(), HubNetwork::Public, SIZE, &asked);
            prop_assert_eq!(made.is_ok(), expected);
            if let Ok(reconstruction) = made {
                let cuts = reconstruction.cuts(SIZE);
                for range in asked {
                    let start = cuts.iter().rev().find(|cut| **cut <= range.start).copied().unwrap_or(0);
                    let behind = cuts.iter().find(|cut| **cut >= range.end).copied().unwrap_or(SIZE);
                    prop_assert!(reconstruction.terms_of(&(start..behind)).is_some());
                }
            }
        }
    }
}
