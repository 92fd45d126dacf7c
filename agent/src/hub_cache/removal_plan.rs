//! What of the cache is to go, and what that frees. Pure: nothing has happened yet.

use std::collections::{BTreeMap, HashMap};

use super::blob_table::{Blob, BlobPayload};
use super::cached_id::CachedId;
use super::repository_scan::{Amount, CachedRepository, CachedRevision};
use super::scan::CacheScan;
use super::shared_store::StoredHash;

/// What of a repository is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemovalScope {
    /// All of it.
    Whole,
    /// Some of its revisions, by their commits, and some of what lies beside them.
    Some {
        /// The commits.
        commits: Vec<String>,
        /// What else.
        leftovers: CacheLeftovers,
    },
}

/// What goes that belongs to no revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheLeftovers {
    /// Nothing.
    Keep,
    /// What is of no use to any later run.
    Useless,
    /// That, and the parts of files that a later run of hfdown would go on from.
    All,
}

/// What of a repository is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryRemoval {
    /// Its kind and name.
    pub id: CachedId,
    /// Its folder's name.
    pub folder: String,
    /// How much of it.
    pub scope: RemovalScope,
    /// The revisions: commits, and their refs, which go with them.
    pub revisions: Vec<(String, Vec<String>)>,
    /// Blobs, and files of snapshots that are no links, which no revision needs that stays.
    pub files: Amount,
    /// What cut-off runs of `hf` left.
    pub incomplete: Amount,
    /// What cut-off runs of hfdown left.
    pub parts: Amount,
    /// Blobs of no revision.
    pub orphaned: Amount,
    /// What all of this frees, but for what is in the shared store.
    pub freed: u64,
    /// The links to the shared store among them.
    pub(super) shared: Vec<StoredHash>,
}

/// All that is to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemovalPlan {
    /// From these repositories, by kind and name.
    pub repositories: Vec<RepositoryRemoval>,
    /// What goes from the shared store, since no repository has a link to it then.
    pub shared: Amount,
    /// The bytes that are free afterwards.
    pub freed: u64,
    /// These: the files of the shared store that are looked at when the rest has gone.
    pub(super) sweep: Vec<StoredHash>,
}

/// Which files of the shared store may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedSweep {
    /// Those that a repository had a link to which is removed.
    Unlinked,
    /// All that no repository has a link to.
    All,
}

impl RemovalPlan {
    /// Plans. `scopes` are by the number of the repository in the scan.
    pub fn new(scan: &CacheScan, scopes: BTreeMap<usize, RemovalScope>, sweep: SharedSweep) -> Self {
        let mut plan = Self::default();
        for (index, scope) in scopes {
            let removal = RepositoryRemoval::new(&scan.repositories[index], scope);
            if removal.is_something() {
                plan.repositories.push(removal);
            }
        }
        let mut links: HashMap<StoredHash, i64> = HashMap::new();
        for blob in scan.repositories.iter().flat_map(|repository| repository.blobs.iter()) {
            if let BlobPayload::Shared(hash) = &blob.payload {
                *links.entry(**hash).or_default() += 1;
            }
        }
        for hash in plan.repositories.iter().flat_map(|removal| &removal.shared) {
            *links.entry(*hash).or_default() -= 1;
            plan.sweep.push(*hash);
        }
        if sweep == SharedSweep::All {
            plan.sweep.extend(scan.unreferenced.iter().copied());
        }
        plan.sweep.sort_unstable();
        plan.sweep.dedup();
        let has_no_link = |hash: &&StoredHash| links.get(hash).is_none_or(|links| *links <= 0);
        let size = |hash: &StoredHash| {
            let at = scan.stored.binary_search_by(|(stored, ..)| stored.cmp(hash)).ok()?;
            let (_, size, is_listed) = scan.stored[at];
            is_listed.then_some(size)
        };
        plan.shared = plan.sweep.iter().filter(has_no_link).filter_map(size).collect();
        plan.freed = plan.repositories.iter().map(|removal| removal.freed).sum::<u64>() + plan.shared.bytes;
        plan
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.repositories.is_empty() && self.shared.files == 0
    }

    /// How many revisions go.
    pub fn revisions(&self) -> usize {
        self.repositories.iter().map(|removal| removal.revisions.len()).sum()
    }
}

impl RepositoryRemoval {
    /// What goes of a repository as it is now.
    pub(super) fn new(repository: &CachedRepository, scope: RemovalScope) -> Self {
        let mut removal = Self {
            id: repository.id.clone(),
            folder: repository.folder.clone(),
            revisions: Vec::new(),
            files: Amount::default(),
            incomplete: Amount::default(),
            parts: Amount::default(),
            orphaned: Amount::default(),
            freed: 0,
            shared: Vec::new(),
            scope,
        };
        removal.revisions = repository
            .revisions
            .iter()
            .filter(|revision| removal.takes(revision))
            .map(|revision| (revision.commit.clone(), revision.refs.clone()))
            .collect();
        let going: Vec<&Blob> = removal.blobs(repository);
        let (mut files, mut orphaned) = (Amount::default(), Amount::default());
        for blob in going {
            let index = repository.blobs.find(&blob.name);
            let is_of_revisions = index.is_some_and(|index| repository.used[index]);
            let into = if is_of_revisions { &mut files } else { &mut orphaned };
            let bytes = match &blob.payload {
                BlobPayload::Shared(hash) => {
                    removal.shared.push(**hash);
                    0
                }
                BlobPayload::Own => blob.size,
                // What they lead to stays.
                BlobPayload::Linked | BlobPayload::Missing => 0,
            };
            *into = *into + Amount { files: 1, bytes };
        }
        let copies = |revision: &&CachedRevision| removal.takes(revision);
        files = files + repository.revisions.iter().filter(copies).map(|revision| revision.copies).sum();
        (removal.files, removal.orphaned) = (files, orphaned);
        match &removal.scope {
            RemovalScope::Whole | RemovalScope::Some { leftovers: CacheLeftovers::All, .. } => {
                (removal.incomplete, removal.parts) = (repository.incomplete, repository.parts);
            }
            RemovalScope::Some { leftovers: CacheLeftovers::Useless, .. } => {
                (removal.incomplete, removal.parts) = (repository.incomplete, repository.useless_parts());
            }
            RemovalScope::Some { leftovers: CacheLeftovers::Keep, .. } => {}
        }
        let all = removal.files + removal.orphaned + removal.incomplete + removal.parts;
        removal.freed = all.bytes;
        removal
    }

    /// Whether a revision goes.
    pub(super) fn takes(&self, revision: &CachedRevision) -> bool {
        match &self.scope {
            RemovalScope::Whole => true,
            RemovalScope::Some { commits, .. } => commits.contains(&revision.commit),
        }
    }

    /// The blobs that go: those that only revisions need which go as well, and those of no revision, if they are to.
    /// None where a revision that stays may have links that were overlooked.
    pub(super) fn blobs<'a>(&self, repository: &'a CachedRepository) -> Vec<&'a Blob> {
        let leftovers = match &self.scope {
            RemovalScope::Whole => return repository.blobs.iter().collect(),
            RemovalScope::Some { leftovers, .. } => *leftovers,
        };
        let stays = |revision: &&CachedRevision| !self.takes(revision);
        if repository.is_uncertain {
            return Vec::new();
        }
        let mut kept = vec![false; repository.blobs.len()];
        for index in repository.revisions.iter().filter(stays).flat_map(|revision| &revision.blobs) {
            kept[*index as usize] = true;
        }
        let goes = |index: usize| {
            let is_orphaned = !repository.used[index];
            let is_left = is_orphaned && repository.blobs.get(index).name.is_plain();
            !kept[index] && (!is_orphaned || is_left && leftovers != CacheLeftovers::Keep)
        };
        repository.blobs.iter().enumerate().filter(|(index, _)| goes(*index)).map(|(_, blob)| blob).collect()
    }

    fn is_something(&self) -> bool {
        let all = self.files + self.orphaned + self.incomplete + self.parts;
        self.scope == RemovalScope::Whole || !self.revisions.is_empty() || all.files > 0
    }
}
