//! The way of a file that an older version is there of: what both consist of is copied, and only the rest is fetched.

use std::collections::HashMap;

use hfdown_protocol::{ChunkRun, RepoPath, Stamp, XetHash};

/// Of how many bytes of a file one must be shared. A basis is read whole where it lies, at some gigabyte per second.
const WORTH_READING: u64 = 16;

/// An older version of a file, and what the two have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaRoute {
    /// Where it stands.
    pub place: RepoPath,
    /// What it looked like.
    pub stamp: Stamp,
    /// What the store calls it.
    pub hash: XetHash,
    /// Which chunks it consists of.
    pub old: Vec<ChunkRun>,
    /// Which chunks the file consists of.
    pub new: Vec<ChunkRun>,
    /// How many bytes of the file are new, as far as that is known before the older version is cut.
    pub fresh: u64,
}

impl DeltaRoute {
    /// None where too little is shared.
    pub fn new(
        (place, stamp, hash): (RepoPath, Stamp, XetHash),
        old: Vec<ChunkRun>,
        new: Vec<ChunkRun>,
    ) -> Option<Self> {
        let size: u64 = new.iter().map(|run| u64::from(run.length)).sum();
        let fresh = fresh(&old, &new);
        let is_worth_it = size.saturating_sub(fresh).saturating_mul(WORTH_READING) >= size && fresh < size;
        is_worth_it.then_some(Self { place, stamp, hash, old, new, fresh })
    }

    /// How many runs its description has.
    pub fn runs(&self) -> usize {
        self.old.len() + self.new.len()
    }
}

/// Bytes of the new runs whose chunks are in none of the old ones. How long a chunk is that is known is not told before it is
/// cut: each counts as the mean of its run.
fn fresh(old: &[ChunkRun], new: &[ChunkRun]) -> u64 {
    let mut known: HashMap<u32, Vec<(u32, u32)>> = HashMap::new();
    for run in old {
        known.entry(run.xorb).or_default().push((run.chunks.start, run.chunks.end));
    }
    for intervals in known.values_mut() {
        intervals.sort_unstable();
        intervals.dedup_by(|next, last| {
            let joins = next.0 <= last.1;
            if joins {
                last.1 = last.1.max(next.1);
            }
            joins
        });
    }
    let mut fresh = 0;
    for ChunkRun { xorb, chunks, length } in new {
        let intervals = known.get(xorb).map(Vec::as_slice).unwrap_or_default();
        let shared = |(start, end): &(u32, u32)| {
            u64::from((*end).min(chunks.end).saturating_sub((*start).max(chunks.start)))
        };
        let first = intervals.partition_point(|(_, end)| *end <= chunks.start);
        let shared: u64 =
            intervals[first..].iter().take_while(|(start, _)| *start < chunks.end).map(shared).sum();
        let count = (chunks.len() as u64).max(1);
        fresh += u64::from(*length) * count.saturating_sub(shared) / count;
    }
    fresh
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(xorb: u32, chunks: std::ops::Range<u32>, length: u32) -> ChunkRun {
        ChunkRun { xorb, chunks, length }
    }

    #[test]
    fn what_is_new_is_what_no_old_run_has() {
        let old = [run(0, 0..10, 1000), run(1, 5..8, 300), run(0, 8..20, 1200)];
        for (new, expected) in [
            (vec![run(0, 0..20, 2000)], 0),
            (vec![run(1, 0..10, 1000)], 700),
            (vec![run(2, 0..10, 1000), run(0, 15..25, 500)], 1250),
            (vec![], 0),
        ] {
            assert_eq!(fresh(&old, &new), expected, "{new:?}");
        }
    }

    #[test]
    fn a_basis_that_shares_next_to_nothing_is_none() {
        let place = RepoPath::new("a").unwrap();
        let basis = (place, Stamp { size: 1, modified: 1, changed: 1, inode: 1 }, XetHash([1; 32]));
        let old = vec![run(0, 0..10, 1000)];
        for (new, fresh) in [
            (vec![run(0, 0..1, 100), run(1, 0..15, 1500)], Some(1500)),
            (vec![run(0, 0..1, 100), run(1, 0..16, 1600)], None),
            (vec![run(1, 0..16, 1600)], None),
            (vec![], None),
        ] {
            let route = DeltaRoute::new(basis.clone(), old.clone(), new);
            assert_eq!(route.map(|route| route.fresh), fresh);
        }
    }
}
