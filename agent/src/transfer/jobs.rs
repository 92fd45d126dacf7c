//! What is to be fetched, of which a million files may be: a byte each, and beside that what is not the same for all: what a
//! file replaces, and an address that is not its path below that of the others. What a connection needs of a file to work
//! on it is made when its turn comes.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hfdown_protocol::{
    Address, ChunkRun, Failure, FailureKind, FileId, Job, RunsOf, Source, Stamp, WantedFiles, XetHash, limits,
};

use super::basis::Basis;
use super::file_transfer::FileTransfer;
use crate::folder::PartNames;

/// What was ordered.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    /// By the file's number.
    ordered: Vec<Ordered>,
    count: usize,
    /// What the addresses of public files begin with, before their paths.
    base: String,
    /// The sources that can't be said in one byte.
    sources: HashMap<FileId, Source>,
    replaced: HashMap<FileId, Stamp>,
    xet: HashMap<FileId, XetHash>,
    bases: HashMap<FileId, Arc<Basis>>,
    /// Of all bases and the files that they are of.
    runs: usize,
}

/// Whether a file is to be fetched, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ordered {
    No,
    /// Its address is the base and its path.
    AtBase,
    OnRequest,
    /// See [`Jobs::sources`].
    Apart,
}

impl Jobs {
    /// Adds a file. It must have been listed, and is fetched once.
    pub(crate) fn add(&mut self, wanted: &WantedFiles, job: Job) -> Result<(), Failure> {
        let Job { file: id, replaces, source, xet } = job;
        let refused = || Failure::new(FailureKind::Protocol, "a job names no listed file, or one twice");
        let file = wanted.get(id).ok_or_else(refused)?;
        self.ordered.resize(wanted.len(), Ordered::No);
        let ordered = &mut self.ordered[id.0 as usize];
        if *ordered != Ordered::No {
            return Err(refused());
        }
        *ordered = match &source {
            Source::OnRequest => Ordered::OnRequest,
            Source::HandedOver(_) | Source::Reconstructed(_) | Source::ReconstructedInAdvance(_) => {
                Ordered::Apart
            }
            Source::Public(address) => {
                let base = address.expose().as_str().strip_suffix(file.path.as_str());
                if let (true, Some(base)) = (self.base.is_empty(), base) {
                    base.clone_into(&mut self.base);
                }
                if base == Some(&self.base) { Ordered::AtBase } else { Ordered::Apart }
            }
        };
        if *ordered == Ordered::Apart {
            self.sources.insert(id, source);
        }
        self.replaced.extend(replaces.map(|stamp| (id, stamp)));
        self.xet.extend(xet.map(|hash| (id, hash)));
        self.count += 1;
        Ok(())
    }

    /// Says what an ordered file is a newer version of.
    pub(crate) fn add_basis(&mut self, file: FileId, basis: Basis) -> Result<(), Failure> {
        let is_ordered = self.ordered.get(file.0 as usize).is_some_and(|ordered| *ordered != Ordered::No);
        if !is_ordered || self.bases.insert(file, Arc::new(basis)).is_some() {
            return Err(Failure::new(
                FailureKind::Protocol,
                "a basis is of no ordered file, or of one twice",
            ));
        }
        Ok(())
    }

    /// Adds chunks of a file that has a basis.
    pub(crate) fn add_runs(
        &mut self,
        file: FileId,
        whose: RunsOf,
        runs: Vec<ChunkRun>,
    ) -> Result<(), Failure> {
        self.runs += runs.len();
        match self.bases.get_mut(&file).and_then(Arc::get_mut) {
            Some(basis) if self.runs <= limits::CHUNK_RUNS => {
                basis.add(whose, runs);
                Ok(())
            }
            _ => Err(Failure::new(FailureKind::Protocol, "chunks are of no basis, or there are too many")),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The files, by their numbers.
    pub(crate) fn files(&self) -> impl Iterator<Item = FileId> {
        let all = (0..).map(FileId).zip(&self.ordered);
        all.filter(|(_, ordered)| **ordered != Ordered::No).map(|(id, _)| id)
    }
}

/// The files of one transfer, in the order in which they are begun.
#[derive(Debug)]
pub(crate) struct FilesToFetch {
    wanted: WantedFiles,
    jobs: Jobs,
    parts: PartNames,
    /// The largest come first: small ones fill the gaps at the end.
    order: Vec<FileId>,
    /// Those of which all was on disk at the beginning.
    kept: HashSet<FileId>,
    /// Those that get their names with another one, whose bytes and part they share.
    sharing: HashMap<FileId, Vec<FileId>>,
}

impl FilesToFetch {
    pub(crate) fn new(wanted: WantedFiles, jobs: Jobs, parts: PartNames) -> Self {
        let mut order: Vec<_> = jobs.files().collect();
        let mut sharing: HashMap<FileId, Vec<FileId>> = HashMap::new();
        if parts.are_shared() {
            let digest = |id: &FileId| wanted.get(*id).map(|file| file.digest);
            order.sort_unstable_by_key(|id| (digest(id), *id));
            order.dedup_by(|id, first| {
                let is_same = digest(id) == digest(first);
                if is_same {
                    sharing.entry(*first).or_default().push(*id);
                }
                is_same
            });
        }
        order.sort_unstable_by_key(|id| (Reverse(wanted.get(*id).map(|file| file.size)), *id));
        Self { wanted, jobs, parts, order, kept: HashSet::new(), sharing }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The name of a file's part, the file's size, and what it replaces.
    pub(super) fn part(&self, index: usize) -> Option<(String, u64, Option<Stamp>)> {
        let id = *self.order.get(index)?;
        let file = self.wanted.get(id)?;
        Some((self.parts.name(id, file.digest), file.size, self.jobs.replaced.get(&id).copied()))
    }

    /// Whether a file has a basis.
    pub(super) fn has_basis(&self, index: usize) -> bool {
        self.order.get(index).is_some_and(|id| self.jobs.bases.contains_key(id))
    }

    /// All of this file is on disk.
    pub(super) fn keep(&mut self, index: usize) {
        self.kept.extend(self.order.get(index));
    }

    /// What connections share that work on a file.
    pub(super) fn transfer(&self, index: usize) -> Option<FileTransfer> {
        let id = *self.order.get(index)?;
        let (wanted, (part, _, replaces)) = (self.wanted.get(id)?.wanted(id), self.part(index)?);
        let source = match self.jobs.ordered.get(id.0 as usize)? {
            Ordered::AtBase => {
                Address::new(&format!("{}{}", self.jobs.base, wanted.path)).ok().map(Source::Public)?
            }
            Ordered::Apart => self.jobs.sources.get(&id)?.clone(),
            Ordered::No | Ordered::OnRequest => Source::OnRequest,
        };
        let mut transfer = FileTransfer::new(wanted, replaces, part, source);
        if self.parts.are_shared() {
            transfer = transfer.shared();
        }
        for other in self.sharing.get(&id).into_iter().flatten() {
            let (file, replaces) = (self.wanted.get(*other)?, self.jobs.replaced.get(other).copied());
            transfer.share_with(file.wanted(*other), replaces);
        }
        transfer.was_kept = self.kept.contains(&id);
        transfer.xet = self.jobs.xet.get(&id).copied();
        transfer.basis = self.jobs.bases.get(&id).cloned();
        Some(transfer)
    }
}

#[cfg(test)]
#[path = "jobs_tests.rs"]
mod tests;
