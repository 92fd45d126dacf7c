//! What is in the cache, a row for each.

use std::cmp::Reverse;
use std::path::Path;
use std::time::SystemTime;

use hfdown_agent::cache_place::SNAPSHOTS;
use hfdown_agent::hub_cache::{Amount, CacheScan, CachedKind, CachedRepository, CachedRevision};

use crate::text::sanitize;

/// The most characters of a name that are shown. A folder's name has 255 bytes at most.
const LONGEST: usize = 300;

/// What is shown of a cache. Its texts are sanitised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheListing {
    /// Where the cache is.
    pub path: String,
    /// What is shown.
    pub rows: CacheRows,
    /// All of that together.
    pub totals: CacheTotals,
    /// When it was looked at.
    pub now: SystemTime,
}

/// A row per repository, or one per revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheRows {
    /// Repositories.
    Repositories(Vec<RepositoryRow>),
    /// Revisions.
    Revisions(Vec<RevisionRow>),
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryRow {
    /// Its name as it is typed.
    pub id: String,
    /// Its kind.
    pub kind: CachedKind,
    /// How many revisions it has.
    pub revisions: usize,
    /// Their names.
    pub refs: Vec<String>,
    /// The blobs of all revisions, each counted once.
    pub amount: Amount,
    /// When a blob was last read.
    pub last_used: SystemTime,
    /// When a blob was last written.
    pub last_changed: SystemTime,
    /// What cut-off runs of `hf` left.
    pub incomplete: Amount,
    /// What cut-off runs of hfdown left, to go on from.
    pub parts: Amount,
    /// Blobs of no revision.
    pub orphaned: Amount,
    /// Where it is.
    pub path: String,
}

/// A revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRow {
    /// Its repository's name as it is typed.
    pub id: String,
    /// That one's kind.
    pub kind: CachedKind,
    /// The commit.
    pub commit: String,
    /// Its names.
    pub refs: Vec<String>,
    /// Its files, and the size of their blobs, each counted once.
    pub amount: Amount,
    /// When one of its blobs was last written.
    pub last_changed: SystemTime,
    /// Where it is.
    pub path: String,
}

/// What a listing comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheTotals {
    /// How many repositories.
    pub repositories: usize,
    /// How many revisions.
    pub revisions: usize,
    /// What they take on disk, each blob counted once.
    pub bytes: u64,
    /// What cut-off runs of `hf` left.
    pub incomplete: Amount,
    /// What cut-off runs of hfdown left, to go on from.
    pub parts: Amount,
    /// Blobs of no revision.
    pub orphaned: Amount,
}

/// What comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CacheOrder {
    /// By kind and name
    #[default]
    Name,
    /// The largest
    Size,
    /// What was read last
    Used,
    /// What was written last
    Changed,
}

impl CacheListing {
    /// A row for each of these repositories, which are all of the cache where `is_all`.
    pub fn of_repositories(
        path: &Path,
        scan: &CacheScan,
        shown: Option<&[usize]>,
        order: CacheOrder,
        now: SystemTime,
    ) -> Self {
        let repositories: Vec<_> = chosen(scan, shown).collect();
        let totals = totals(scan, shown.is_none(), &repositories);
        let mut rows: Vec<_> = repositories.iter().map(|one| repository_row(path, one)).collect();
        match order {
            CacheOrder::Name => {}
            CacheOrder::Size => rows.sort_by_key(|row| Reverse(row.amount.bytes)),
            CacheOrder::Used => rows.sort_by_key(|row| Reverse(row.last_used)),
            CacheOrder::Changed => rows.sort_by_key(|row| Reverse(row.last_changed)),
        }
        Self { path: shown_path(path), rows: CacheRows::Repositories(rows), totals, now }
    }

    /// A row for each of their revisions.
    pub fn of_revisions(
        path: &Path,
        scan: &CacheScan,
        shown: Option<&[usize]>,
        order: CacheOrder,
        now: SystemTime,
    ) -> Self {
        let mut repositories: Vec<_> = chosen(scan, shown).collect();
        let totals = totals(scan, shown.is_none(), &repositories);
        if order == CacheOrder::Used {
            // When a blob was read says nothing of a revision: several may have it.
            repositories.sort_by_key(|repository| Reverse(repository.last_used));
        }
        let rows = repositories.iter().flat_map(|repository| {
            repository.revisions.iter().map(|revision| revision_row(path, repository, revision))
        });
        let mut rows: Vec<_> = rows.collect();
        match order {
            CacheOrder::Name | CacheOrder::Used => {}
            CacheOrder::Size => rows.sort_by_key(|row| Reverse(row.amount.bytes)),
            CacheOrder::Changed => rows.sort_by_key(|row| Reverse(row.last_changed)),
        }
        Self { path: shown_path(path), rows: CacheRows::Revisions(rows), totals, now }
    }
}

fn chosen<'a>(
    scan: &'a CacheScan,
    shown: Option<&'a [usize]>,
) -> Box<dyn Iterator<Item = &'a CachedRepository> + 'a> {
    match shown {
        None => Box::new(scan.repositories.iter()),
        Some(shown) => Box::new(shown.iter().map(|index| &scan.repositories[*index])),
    }
}

/// What repositories share is counted once where all are shown, and for each of them otherwise.
fn totals(scan: &CacheScan, is_all: bool, repositories: &[&CachedRepository]) -> CacheTotals {
    CacheTotals {
        repositories: repositories.len(),
        revisions: repositories.iter().map(|repository| repository.revisions.len()).sum(),
        bytes: if is_all {
            scan.bytes
        } else {
            repositories.iter().map(|repository| repository.amount.bytes).sum()
        },
        incomplete: repositories.iter().map(|repository| repository.incomplete).sum(),
        parts: repositories.iter().map(|repository| repository.parts).sum(),
        orphaned: repositories.iter().map(|repository| repository.orphaned).sum(),
    }
}

fn repository_row(path: &Path, repository: &CachedRepository) -> RepositoryRow {
    let mut refs: Vec<_> = repository.refs().map(shown).collect();
    refs.sort_unstable();
    RepositoryRow {
        id: shown(&repository.id.to_string()),
        kind: repository.id.kind,
        revisions: repository.revisions.len(),
        refs,
        amount: repository.amount,
        last_used: repository.last_used,
        last_changed: repository.last_changed,
        incomplete: repository.incomplete,
        parts: repository.parts,
        orphaned: repository.orphaned,
        path: shown_path(&path.join(&repository.folder)),
    }
}

fn revision_row(path: &Path, repository: &CachedRepository, revision: &CachedRevision) -> RevisionRow {
    RevisionRow {
        id: shown(&repository.id.to_string()),
        kind: repository.id.kind,
        commit: shown(&revision.commit),
        refs: revision.refs.iter().map(|name| shown(name)).collect(),
        amount: revision.amount,
        last_changed: revision.last_changed,
        path: shown_path(&path.join(&repository.folder).join(SNAPSHOTS).join(&revision.commit)),
    }
}

fn shown(text: &str) -> String {
    sanitize(text, LONGEST)
}

fn shown_path(path: &Path) -> String {
    sanitize(path.to_string_lossy().as_bytes(), 4096)
}
