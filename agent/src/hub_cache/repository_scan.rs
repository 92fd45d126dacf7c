//! A repository's folder in the cache: its revisions, and what lies there beside them.

use std::io;
use std::iter::Sum;
use std::ops::Add;
use std::time::SystemTime;

use cap_std::fs::Dir;
use hfdown_protocol::Digest;

use super::blob_table::{BlobName, BlobPayload, BlobTable};
use super::cache_folder::HubCache;
use super::cached_id::CachedId;
use super::flaw::{CacheFlaw, FlawKind};
use super::part_files::PartFile;
use super::refs::{self, CachedRef};
use super::scan::is_of_the_system;
use super::snapshot_walk::{SnapshotFile, SnapshotPlace, walk};
use crate::cache_place::{BLOBS, REFS, SNAPSHOTS};
use crate::system;

/// So many files, of so many bytes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
}

/// A version of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedRevision {
    /// The commit.
    pub commit: String,
    /// The names that it has: branches, tags, `refs/pr/1`.
    pub refs: Vec<String>,
    /// How many files it has, and how large its blobs are together, each counted once.
    pub amount: Amount,
    /// When the last of its blobs was written.
    pub last_changed: SystemTime,
    /// Its files that are no links.
    pub(super) copies: Amount,
    /// Its blobs, by their number in the table, in order.
    pub(super) blobs: Vec<u32>,
}

/// A repository.
#[derive(Debug)]
pub struct CachedRepository {
    /// Its kind and name.
    pub id: CachedId,
    /// The name of its folder.
    pub folder: String,
    /// Its versions, in the order of their commits.
    pub revisions: Vec<CachedRevision>,
    /// The blobs of all versions, each counted once.
    pub amount: Amount,
    /// When a blob was last read, as far as the disk tells.
    pub last_used: SystemTime,
    /// When a blob was last written.
    pub last_changed: SystemTime,
    /// What cut-off runs of `hf` left.
    pub incomplete: Amount,
    /// What cut-off runs of hfdown left, for later ones to go on from.
    pub parts: Amount,
    /// Blobs of no version.
    pub orphaned: Amount,
    /// Whether links of versions may have been overlooked: then no blob counts as orphaned.
    pub(super) is_uncertain: bool,
    pub(super) blobs: BlobTable,
    pub(super) part_files: Vec<PartFile>,
    /// Whether each blob belongs to a version.
    pub(super) used: Vec<bool>,
    /// Names of commits that are not there.
    pub(super) dangling_refs: Vec<CachedRef>,
}

impl CachedRepository {
    /// Whether refs or links may have been overlooked, so that it is not known what nothing needs.
    pub fn is_uncertain(&self) -> bool {
        self.is_uncertain
    }

    /// All names of its versions.
    pub fn refs(&self) -> impl Iterator<Item = &str> {
        self.revisions.iter().flat_map(|revision| &revision.refs).map(String::as_str)
    }

    /// Whether a blob of no revision has this digest, or something that a cut-off run left.
    pub(super) fn has_trace_of(&self, digest: Digest) -> bool {
        let name = digest.to_string();
        let is_orphaned = |index: usize| {
            !self.is_uncertain && !self.used[index] && self.blobs.get(index).payload != BlobPayload::Missing
        };
        self.blobs.find(&BlobName::Digest(digest)).is_some_and(is_orphaned)
            || self.blobs.incomplete.iter().any(|(left, _)| left.starts_with(&name))
            || self.part_files.iter().any(|part| part.name == name)
    }

    /// The parts that no run goes on from: their file is there already, or what belongs to them is not.
    pub(super) fn useless_parts(&self) -> Amount {
        self.part_files.iter().filter(|part| part.is_useless(self)).map(PartFile::amount).sum()
    }

    /// The sizes of its versions' blobs that are its own, and not in the shared store.
    pub(super) fn own_bytes(&self) -> u64 {
        let shared = |index: &usize| matches!(self.blobs.get(*index).payload, BlobPayload::Shared(_));
        let shared = (0..self.blobs.len()).filter(|index| self.used[*index]).filter(shared);
        self.amount.bytes - shared.map(|index| self.blobs.get(index).size).sum::<u64>()
    }
}

/// Looks at a repository's folder.
pub(super) fn scan(
    cache: &HubCache,
    id: CachedId,
    folder: &str,
    flaws: &mut Vec<CacheFlaw>,
) -> io::Result<CachedRepository> {
    let opened = system::open_folder(&cache.root, folder)?;
    let mut found = refs::read(&opened, folder, flaws);
    let mut is_uncertain = found.is_uncertain;
    let blobs = match system::open_folder(&opened, BLOBS) {
        Ok(blobs) => BlobTable::read(cache, folder, &blobs, flaws)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => BlobTable::default(),
        Err(error) => {
            flaws.push(CacheFlaw::unreadable(format!("{folder}/{BLOBS}"), &error));
            BlobTable::default()
        }
    };
    let metadata = opened.dir_metadata()?;
    let parts = PartFile::all_of(&opened);
    let mut repository = CachedRepository {
        id,
        folder: folder.to_owned(),
        revisions: Vec::new(),
        amount: Amount::default(),
        last_used: metadata.accessed()?.into_std(),
        last_changed: metadata.modified()?.into_std(),
        incomplete: blobs.incomplete(),
        parts: parts.iter().map(PartFile::amount).sum(),
        part_files: parts,
        orphaned: Amount::default(),
        is_uncertain: false,
        used: vec![false; blobs.len()],
        blobs,
        dangling_refs: Vec::new(),
    };
    let mut copies = SnapshotCopies::default();
    match system::open_folder(&opened, SNAPSHOTS) {
        Ok(snapshots) => {
            is_uncertain |= add_revisions(&mut repository, cache, &snapshots, &mut copies, flaws)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            is_uncertain = true;
            flaws.push(CacheFlaw::unreadable(format!("{folder}/{SNAPSHOTS}"), &error));
        }
    }
    repository.is_uncertain = is_uncertain;
    repository.revisions.sort_unstable_by(|one, other| one.commit.cmp(&other.commit));
    for named in found.refs.drain(..) {
        let is_of = |revision: &CachedRevision| revision.commit.cmp(&named.commit);
        if let Ok(at) = repository.revisions.binary_search_by(is_of) {
            repository.revisions[at].refs.push(named.name);
        } else {
            let path = format!("{folder}/{REFS}/{}", named.name);
            let kind = FlawKind::NoSnapshot { commit: named.commit.clone() };
            flaws.push(CacheFlaw { path, kind });
            repository.dangling_refs.push(named);
        }
    }
    count(&mut repository, &copies);
    Ok(repository)
}

/// Files of snapshots that are no links.
#[derive(Debug, Default)]
struct SnapshotCopies {
    amount: Amount,
    last_used: Option<SystemTime>,
    last_changed: Option<SystemTime>,
}

/// Looks at every snapshot. Says whether one may have been overlooked.
fn add_revisions(
    repository: &mut CachedRepository,
    cache: &HubCache,
    snapshots: &Dir,
    copies: &mut SnapshotCopies,
    flaws: &mut Vec<CacheFlaw>,
) -> io::Result<bool> {
    let mut is_uncertain = false;
    for entry in snapshots.entries()? {
        let entry = entry?;
        let file_name = entry.file_name();
        let place = format!("{}/{SNAPSHOTS}/{}", repository.folder, file_name.to_string_lossy());
        let Some(commit) = file_name.to_str() else {
            is_uncertain = true;
            flaws.push(CacheFlaw::unexpected(place));
            continue;
        };
        if is_of_the_system(commit) {
            continue;
        }
        if !entry.file_type()?.is_dir() {
            is_uncertain |= !entry.file_type()?.is_file();
            flaws.push(CacheFlaw::unexpected(place));
            continue;
        }
        match system::open_folder(snapshots, commit) {
            Ok(snapshot) => {
                is_uncertain |= add_revision(repository, cache, commit, &snapshot, copies, flaws)?;
            }
            Err(error) => {
                is_uncertain = true;
                flaws.push(CacheFlaw::unreadable(place, &error));
            }
        }
    }
    Ok(is_uncertain)
}

/// Looks at a snapshot. Says whether a link of it may have been overlooked.
fn add_revision(
    repository: &mut CachedRepository,
    cache: &HubCache,
    commit: &str,
    snapshot: &Dir,
    copies: &mut SnapshotCopies,
    flaws: &mut Vec<CacheFlaw>,
) -> io::Result<bool> {
    let place = format!("{}/{SNAPSHOTS}/{commit}", repository.folder);
    let (mut blobs, mut amount, mut last_changed) = (Vec::new(), Amount::default(), None);
    let before = copies.amount;
    let mut missing: Option<(u64, String)> = None;
    let mut elsewhere: Option<(u64, String)> = None;
    let mut is_uncertain = false;
    let note = |noted: &mut Option<(u64, String)>, path: &str| match noted {
        Some((files, _)) => *files += 1,
        None => *noted = Some((1, path.to_owned())),
    };
    let table = &repository.blobs;
    walk(SnapshotPlace { cache, repository: &repository.folder, commit }, snapshot, &mut |path, file| {
        match file {
            SnapshotFile::Blob(name) => match table.find(&name) {
                Some(index) if table.get(index).payload != BlobPayload::Missing => {
                    amount.files += 1;
                    blobs.push(u32::try_from(index).unwrap_or(u32::MAX));
                }
                _ => note(&mut missing, path),
            },
            SnapshotFile::Copy(metadata) => {
                let own = Amount { files: 1, bytes: metadata.len() };
                let changed = metadata.modified().ok().map(cap_std::time::SystemTime::into_std);
                let used = metadata.accessed().ok().map(cap_std::time::SystemTime::into_std);
                (amount, copies.amount) = (amount + own, copies.amount + own);
                last_changed = last_changed.max(changed);
                copies.last_changed = copies.last_changed.max(changed);
                copies.last_used = copies.last_used.max(used);
            }
            SnapshotFile::Elsewhere => {
                is_uncertain = true;
                note(&mut elsewhere, path);
            }
            SnapshotFile::Unreadable(error) => {
                is_uncertain = true;
                flaws.push(CacheFlaw::unreadable(format!("{place}/{path}"), &error));
            }
        }
    });
    for (noted, kind) in [
        (missing, (|files, first| FlawKind::NoBlob { files, first }) as fn(u64, String) -> FlawKind),
        (elsewhere, |files, first| FlawKind::LeadsElsewhere { files, first }),
    ] {
        if let Some((files, first)) = noted {
            flaws.push(CacheFlaw { path: place.clone(), kind: kind(files, first) });
        }
    }
    blobs.sort_unstable();
    blobs.dedup();
    blobs.shrink_to_fit();
    for index in &blobs {
        let blob = table.get(*index as usize);
        repository.used[*index as usize] = true;
        amount.bytes += blob.size;
        last_changed = last_changed.max(Some(blob.modified()));
    }
    let last_changed = match last_changed {
        Some(changed) => changed,
        None => snapshot.dir_metadata()?.modified()?.into_std(),
    };
    let own = Amount { files: copies.amount.files - before.files, bytes: copies.amount.bytes - before.bytes };
    let revision = CachedRevision {
        commit: commit.to_owned(),
        refs: Vec::new(),
        amount,
        last_changed,
        copies: own,
        blobs,
    };
    repository.revisions.push(revision);
    Ok(is_uncertain)
}

/// Adds up what the versions have in common.
fn count(repository: &mut CachedRepository, copies: &SnapshotCopies) {
    let (mut amount, mut orphaned) = (copies.amount, Amount::default());
    let (mut last_used, mut last_changed) = (copies.last_used, copies.last_changed);
    for (index, is_used) in repository.used.iter().enumerate() {
        let blob = repository.blobs.get(index);
        let own = Amount { files: 1, bytes: blob.size };
        if *is_used {
            amount = amount + own;
            last_used = last_used.max(Some(blob.accessed()));
            last_changed = last_changed.max(Some(blob.modified()));
        } else if !repository.is_uncertain && blob.name.is_plain() {
            orphaned = orphaned + own;
        }
    }
    (repository.amount, repository.orphaned) = (amount, orphaned);
    // The folder's own times, where there are no files.
    repository.last_used = last_used.unwrap_or(repository.last_used);
    repository.last_changed = last_changed.unwrap_or(repository.last_changed);
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { files: self.files + other.files, bytes: self.bytes.saturating_add(other.bytes) }
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

impl FromIterator<u64> for Amount {
    fn from_iter<I: IntoIterator<Item = u64>>(sizes: I) -> Self {
        sizes.into_iter().map(|bytes| Self { files: 1, bytes }).sum()
    }
}
