//! What files to fetch have in common with files that are there already: the Hub's Xet store describes both.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hfdown_protocol::{BasisVersion, ChunkRun, Commit, FoundBasis, Order, RunsOf, XetHash, batches, limits};
use tokio::time::{Duration, Instant, timeout_at};

use super::error::SessionError;
use super::session::Session;
use super::xet_sources::XetSources;
use crate::hub::{Hub, Listing, RepoInfo, XetReconstruction};
use crate::plan::{Plan, Planned};
use crate::routes::{DeltaRoute, Routes, SMALLEST, XetPolicy};

/// Earlier commits that are listed, to learn what the store calls files that another program has placed.
const MOST_COMMITS: usize = 4;
/// Files that are no version of a wanted one and that it is compared with.
const MOST_CANDIDATES: usize = 4;
/// So many of those for all wanted files: each costs a question.
const MOST_OTHERS: usize = 8;
/// A basis is good enough, and no other one asked about, where no more than one byte in so many is new.
const GOOD_ENOUGH: u64 = 16;
/// For how long all of that may take. What is not known then is fetched whole.
const PATIENCE: Duration = Duration::from_secs(15);

/// Listings of earlier commits. None where the Hub does not give one.
type Earlier = HashMap<Commit, Option<Listing>>;

impl XetSources {
    /// Finds out which files of a plan have much in common with files that are there.
    pub async fn compare(
        &self,
        plan: &Plan,
        (hub, info): (&Hub, &RepoInfo),
        bases: &[FoundBasis],
        routes: &mut Routes,
    ) {
        if self.policy == XetPolicy::Never || bases.is_empty() {
            return;
        }
        let (deadline, mut earlier, mut room) =
            (Instant::now() + PATIENCE, Earlier::new(), limits::CHUNK_RUNS);
        let mut others = HashSet::new();
        let mut files: Vec<_> = plan.to_fetch().filter(|planned| planned.size > SMALLEST).collect();
        files.sort_by_key(|planned| std::cmp::Reverse(planned.size));
        for planned in files {
            let Some(hash) = routes.hash(planned.id) else { continue };
            let finding = async {
                let mut best: Option<DeltaRoute> = None;
                for basis in candidates(bases, &planned, hash) {
                    if let (None, BasisVersion::Hash(other)) = (basis.file, &basis.version)
                        && !others.contains(other)
                        && (others.len() == MOST_OTHERS || !others.insert(*other))
                    {
                        continue;
                    }
                    let found = self.delta(&planned, hash, basis, (hub, info), &mut earlier).await;
                    let is_better = |found: &DeltaRoute| {
                        found.runs() <= room && best.as_ref().is_none_or(|best| found.fresh < best.fresh)
                    };
                    best = found.filter(is_better).or(best);
                    let is_good = |best: &DeltaRoute| best.fresh.saturating_mul(GOOD_ENOUGH) <= planned.size;
                    if best.as_ref().is_some_and(is_good) {
                        break;
                    }
                }
                best
            };
            let Ok(found) = timeout_at(deadline, finding).await else { return };
            if let Some(route) = found {
                room -= route.runs();
                routes.copy(planned.id, route);
            }
        }
    }

    /// What a file has in common with one basis.
    async fn delta(
        &self,
        planned: &Planned<'_>,
        hash: XetHash,
        basis: &FoundBasis,
        (hub, info): (&Hub, &RepoInfo),
        earlier: &mut Earlier,
    ) -> Option<DeltaRoute> {
        let FoundBasis { place, stamp, version, .. } = basis;
        let old_hash = match version {
            BasisVersion::Hash(hash) => *hash,
            BasisVersion::At(commit) => {
                let listing = listed(hub, info, commit, earlier).await?;
                let path = planned.listed_as.map_or(planned.path.as_str(), |path| path.as_str());
                xet_hash(listing, path, stamp.size)?
            }
        };
        let new = self.described(hash, planned.size).await?;
        let old =
            if old_hash == hash { Arc::clone(&new) } else { self.described(old_hash, stamp.size).await? };
        let mut numbers = HashMap::new();
        let (old, new) = (runs(&old, &mut numbers), runs(&new, &mut numbers));
        DeltaRoute::new((place.clone(), *stamp, old_hash), old, new)
    }
}

impl Session {
    /// Says what the files of a plan have in common with files that are there.
    pub(super) async fn order_copies(&mut self, routes: &Routes) -> Result<(), SessionError> {
        for (file, route) in routes.copied() {
            let DeltaRoute { place, stamp, hash, old, new, .. } = route;
            self.say(Order::Basis { file, place: place.clone(), stamp: *stamp, hash: *hash }).await?;
            for (whose, runs) in [(RunsOf::Basis, old), (RunsOf::Wanted, new)] {
                for runs in batches(runs.iter().cloned()) {
                    self.say(Order::ChunkRuns { file, whose, runs }).await?;
                }
            }
        }
        Ok(())
    }
}

/// What a wanted file is compared with: a file with the same bytes under another name, its own older version, and others, of
/// which those that are most like it come first.
fn candidates<'a>(
    bases: &'a [FoundBasis],
    planned: &Planned<'_>,
    hash: XetHash,
) -> impl Iterator<Item = &'a FoundBasis> {
    let suffix = |path: &str| path.rsplit_once('.').map(|(_, suffix)| suffix.to_owned());
    let id = planned.id;
    let same = bases.iter().filter(move |basis| basis.version == BasisVersion::Hash(hash));
    let own = bases.iter().filter(move |basis| basis.file == Some(id));
    let mut others: Vec<_> = bases.iter().filter(|basis| basis.file.is_none()).collect();
    others.sort_by_cached_key(|basis| {
        let is_other_kind = suffix(basis.place.as_str()) != suffix(planned.path.as_str());
        (is_other_kind, basis.stamp.size.abs_diff(planned.size))
    });
    others.dedup_by(|a, b| a.version == b.version);
    same.take(1).chain(own).chain(others.into_iter().take(MOST_CANDIDATES))
}

/// What the repository has at an earlier commit.
async fn listed<'a>(
    hub: &Hub,
    info: &RepoInfo,
    commit: &Commit,
    earlier: &'a mut Earlier,
) -> Option<&'a Listing> {
    if !earlier.contains_key(commit) {
        if earlier.len() == MOST_COMMITS {
            return None;
        }
        let info = RepoInfo { commit: commit.clone(), ..info.clone() };
        earlier.insert(commit.clone(), hub.list(&info).await.ok());
    }
    earlier.get(commit)?.as_ref()
}

/// What the store calls a file of a listing, if it has this size.
fn xet_hash(listing: &Listing, path: &str, size: u64) -> Option<XetHash> {
    let mut rows = (0..).zip(listing.files.iter());
    let (row, _) = rows.find(|(_, file)| file.path.as_str() == path && file.size == size)?;
    listing.details.xet_hash(row)
}

/// The chunks that a file consists of. Xorbs are numbered as they are met. Large files are asked about in slices: a chunk on
/// the border of two is in both.
fn runs(file: &XetReconstruction, numbers: &mut HashMap<XetHash, u32>) -> Vec<ChunkRun> {
    let mut runs: Vec<ChunkRun> = Vec::with_capacity(file.terms.len());
    let mut begin = 0;
    for (term, unpacked) in file.terms.iter().zip(&file.unpacked) {
        let Some(hash) = file.xorbs.get(term.range as usize) else { continue };
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let xorb = *numbers.entry(*hash).or_insert(next);
        let chunks = term.chunks.clone();
        let from = term.offset.saturating_sub(term.skip.into());
        match runs.last_mut() {
            Some(last) if term.skip > 0 && last.xorb == xorb && last.chunks.contains(&chunks.start) => {
                last.chunks.end = last.chunks.end.max(chunks.end);
                let length = (from + u64::from(*unpacked)).saturating_sub(begin);
                last.length = last.length.max(u32::try_from(length).unwrap_or(u32::MAX));
            }
            _ => {
                begin = from;
                runs.push(ChunkRun { xorb, chunks, length: *unpacked });
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::Term;

    use super::*;

    #[test]
    fn a_chunk_on_the_border_of_two_slices_counts_once() {
        let term = |offset, length, range, chunks, skip| Term { offset, length, range, chunks, skip };
        let file = XetReconstruction {
            ranges: Vec::new(),
            xorbs: vec![XetHash([1; 32]), XetHash([2; 32]), XetHash([1; 32])],
            terms: vec![
                term(0, 100, 0, 3..5, 0),
                term(100, 150, 1, 0..4, 0),
                term(250, 70, 1, 3..6, 30),
                term(320, 50, 2, 5..6, 0),
            ],
            unpacked: vec![100, 180, 100, 50],
        };
        let run = |xorb, chunks, length| ChunkRun { xorb, chunks, length };
        let expected = [run(0, 3..5, 100), run(1, 0..6, 220), run(0, 5..6, 50)];
        assert_eq!(runs(&file, &mut HashMap::new()), expected);
    }
}
