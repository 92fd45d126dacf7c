//! Sets of byte ranges: what of a file is on disk, and what is missing.

use std::ops::Range;

/// A set of bytes, kept as sorted ranges that neither touch nor overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RangeSet {
    ranges: Vec<Range<u64>>,
}

impl RangeSet {
    /// Adds a range; what is there already does no harm.
    pub(crate) fn insert(&mut self, added: Range<u64>) {
        if added.is_empty() {
            return;
        }
        let first = self.ranges.partition_point(|range| range.end < added.start);
        let after = self.ranges.partition_point(|range| range.start <= added.end);
        let mut merged = added;
        if first < after {
            merged.start = merged.start.min(self.ranges[first].start);
            merged.end = merged.end.max(self.ranges[after - 1].end);
        }
        self.ranges.splice(first..after, [merged]);
    }

    /// Takes a range out; what is not there does no harm.
    pub(crate) fn remove(&mut self, removed: Range<u64>) {
        if removed.is_empty() {
            return;
        }
        let first = self.ranges.partition_point(|range| range.end <= removed.start);
        let after = self.ranges.partition_point(|range| range.start < removed.end);
        if first >= after {
            return;
        }
        let before = self.ranges[first].start..removed.start;
        let behind = removed.end..self.ranges[after - 1].end;
        self.ranges.splice(first..after, [before, behind].into_iter().filter(|range| !range.is_empty()));
    }

    /// What of a range is not in the set.
    pub(crate) fn missing(&self, within: Range<u64>) -> Self {
        let mut missing = Self::default();
        let first = self.ranges.partition_point(|range| range.end <= within.start);
        let after = self.ranges.partition_point(|range| range.start < within.end);
        missing.insert(within);
        for range in self.ranges.get(first..after).unwrap_or_default() {
            missing.remove(range.clone());
        }
        missing
    }

    /// Where the run of bytes that begins at 0 ends.
    pub(crate) fn front(&self) -> u64 {
        self.ranges.first().filter(|range| range.start == 0).map_or(0, |range| range.end)
    }

    /// How many bytes are in the set.
    pub(crate) fn total(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    /// How many ranges it takes.
    pub(crate) fn count(&self) -> usize {
        self.ranges.len()
    }

    /// The first range, cut to at most `longest` bytes, taken out of the set.
    pub(crate) fn take_first(&mut self, longest: u64) -> Option<Range<u64>> {
        let first = self.ranges.first()?;
        let taken = first.start..first.end.min(first.start.saturating_add(longest));
        self.remove(taken.clone());
        Some(taken)
    }

    /// The same in at most so many ranges: those that are closest to each other count as one, with what is between them.
    pub(crate) fn joined(&self, most: usize) -> Self {
        let mut gaps: Vec<_> = self.ranges.windows(2).map(|pair| pair[1].start - pair[0].end).collect();
        let surplus = self.ranges.len().saturating_sub(most.max(1));
        if surplus == 0 {
            return self.clone();
        }
        gaps.sort_unstable();
        let widest = gaps[surplus - 1];
        let mut joined = self.clone();
        for pair in self.ranges.windows(2).filter(|pair| pair[1].start - pair[0].end <= widest) {
            joined.insert(pair[0].end..pair[1].start);
        }
        joined
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Range<u64>> {
        self.ranges.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// The same set, byte by byte.
    fn bytes(set: &RangeSet) -> BTreeSet<u64> {
        set.iter().flat_map(Clone::clone).collect()
    }

    fn is_canonical(set: &RangeSet) -> bool {
        set.ranges.iter().all(|range| range.start < range.end)
            && set.ranges.windows(2).all(|pair| pair[0].end < pair[1].start)
    }

    proptest! {
        #[test]
        fn agrees_with_a_set_of_bytes(steps in prop::collection::vec((any::<bool>(), 0u64..60, 0u64..20), 0..40)) {
            let mut set = RangeSet::default();
            let mut model = BTreeSet::new();
            for (insert, start, length) in steps {
                let range = start..start + length;
                if insert {
                    set.insert(range.clone());
                    model.extend(range);
                } else {
                    set.remove(range.clone());
                    model.retain(|byte| !range.contains(byte));
                }
                prop_assert!(is_canonical(&set), "{set:?}");
                prop_assert_eq!(bytes(&set), model.clone());
                prop_assert_eq!(set.total(), model.len() as u64);
                let missing: BTreeSet<u64> = (0..90).filter(|byte| !model.contains(byte)).collect();
                prop_assert_eq!(bytes(&set.missing(0..90)), missing);
                let front = (0..90).find(|byte| !model.contains(byte)).unwrap_or(0);
                prop_assert_eq!(set.front(), front);
            }
        }

        #[test]
        fn what_is_joined_has_all_and_no_more_ranges_than_may_be(
            steps in prop::collection::vec((0u64..200, 1u64..5), 0..40), most in 1usize..8
        ) {
            let mut set = RangeSet::default();
            for (start, length) in steps {
                set.insert(start..start + length);
            }
            let joined = set.joined(most);
            prop_assert!(is_canonical(&joined) && joined.count() <= most.max(1), "{joined:?}");
            prop_assert!(bytes(&joined).is_superset(&bytes(&set)));
            let ends = |set: &RangeSet| set.iter().next().map(|first| first.start).zip(set.iter().last().map(|last| last.end));
            prop_assert_eq!(ends(&joined), ends(&set));
            prop_assert!(set.count() > most || joined == set);
        }

        #[test]
        fn taking_pieces_takes_everything_once(size in 0u64..1000, longest in 1u64..50) {
            let mut missing = RangeSet::default().missing(0..size);
            let mut next = 0;
            while let Some(piece) = missing.take_first(longest) {
                prop_assert_eq!(piece.start, next);
                prop_assert!(piece.end - piece.start <= longest);
                next = piece.end;
            }
            prop_assert_eq!(next, size);
        }
    }
}
