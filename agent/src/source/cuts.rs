//! Where a file may be cut into ranges that are asked for one by one.

use std::ops::Range;
use std::sync::Arc;

/// The offsets at which a range may begin and end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cuts {
    /// At every byte.
    Anywhere,
    /// The file comes as a whole: its server ignores ranges.
    Nowhere,
    /// At these, sorted, neither the file's beginning nor its end among them.
    At(Arc<[u64]>),
}

impl Cuts {
    /// Whether a range may be divided at all.
    pub(crate) fn divide(&self) -> bool {
        *self != Self::Nowhere
    }

    /// The shortest range that begins and ends at cuts and has all of this one, in a file of `size` bytes.
    pub(crate) fn widen(&self, range: Range<u64>, size: u64) -> Range<u64> {
        match self {
            Self::Anywhere => range,
            Self::Nowhere => 0..size,
            Self::At(cuts) => {
                let before = cuts.partition_point(|cut| *cut <= range.start);
                let behind = cuts.partition_point(|cut| *cut < range.end);
                let start = before.checked_sub(1).map_or(0, |last| cuts[last]);
                start..cuts.get(behind).copied().unwrap_or(size)
            }
        }
    }

    /// The first cut at `offset` or behind it that leaves something of what is before `end`.
    pub(crate) fn first_from(&self, offset: u64, end: u64) -> Option<u64> {
        let cut = match self {
            Self::Anywhere => offset,
            Self::Nowhere => return None,
            Self::At(cuts) => *cuts.get(cuts.partition_point(|cut| *cut < offset))?,
        };
        (cut < end).then_some(cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 100;

    #[test]
    fn ranges_are_widened_to_where_they_may_be_cut() {
        let terms = Cuts::At([10, 40, 70].into());
        for (cuts, range, expected) in [
            (&Cuts::Anywhere, 3..5, 3..5),
            (&Cuts::Nowhere, 3..5, 0..SIZE),
            (&terms, 3..5, 0..10),
            (&terms, 0..10, 0..10),
            (&terms, 10..40, 10..40),
            (&terms, 39..41, 10..70),
            (&terms, 10..11, 10..40),
            (&terms, 69..71, 40..SIZE),
            (&terms, 70..SIZE, 70..SIZE),
            (&Cuts::At([].into()), 3..5, 0..SIZE),
        ] {
            assert_eq!(cuts.widen(range.clone(), SIZE), expected, "{cuts:?} {range:?}");
        }
    }

    #[test]
    fn a_range_is_divided_at_the_next_cut_or_not_at_all() {
        let terms = Cuts::At([10, 40, 70].into());
        for (cuts, offset, end, expected) in [
            (&Cuts::Anywhere, 50, SIZE, Some(50)),
            (&Cuts::Anywhere, 50, 50, None),
            (&Cuts::Nowhere, 50, SIZE, None),
            (&terms, 0, SIZE, Some(10)),
            (&terms, 40, SIZE, Some(40)),
            (&terms, 41, SIZE, Some(70)),
            (&terms, 41, 70, None),
            (&terms, 71, SIZE, None),
        ] {
            assert_eq!(cuts.first_from(offset, end), expected, "{cuts:?} {offset}..{end}");
        }
        assert!(terms.divide() && Cuts::Anywhere.divide() && !Cuts::Nowhere.divide());
    }
}
