//! `hfdown cache ls`, as the objects of `--json`.

use std::time::SystemTime;

use super::object::Object;
use crate::cache::{CacheListing, CacheRows, RepositoryRow, RevisionRow};
use crate::text::units::instant;

/// The objects of a listing: a row each, and what they come to.
pub(super) fn objects(listing: &CacheListing) -> Vec<Object<'_>> {
    let mut objects: Vec<_> = match &listing.rows {
        CacheRows::Repositories(rows) => rows.iter().map(repository).collect(),
        CacheRows::Revisions(rows) => rows.iter().map(revision).collect(),
    };
    let totals = listing.totals;
    objects.push(Object::Cache {
        path: &listing.path,
        repositories: totals.repositories,
        revisions: totals.revisions,
        size: totals.bytes,
        incomplete: totals.incomplete.bytes,
        partial: totals.parts.bytes,
        orphaned: totals.orphaned.bytes,
    });
    objects
}

fn repository(row: &RepositoryRow) -> Object<'_> {
    Object::CachedRepository {
        id: &row.id,
        kind: row.kind.singular(),
        size: row.amount.bytes,
        revisions: row.revisions,
        refs: &row.refs,
        files: row.amount.files,
        last_used: time(row.last_used),
        last_changed: time(row.last_changed),
        incomplete: row.incomplete.bytes,
        partial: row.parts.bytes,
        orphaned: row.orphaned.bytes,
        path: &row.path,
    }
}

fn revision(row: &RevisionRow) -> Object<'_> {
    Object::CachedRevision {
        id: &row.id,
        kind: row.kind.singular(),
        commit: &row.commit,
        refs: &row.refs,
        size: row.amount.bytes,
        files: row.amount.files,
        last_changed: time(row.last_changed),
        path: &row.path,
    }
}

fn time(time: SystemTime) -> String {
    instant(time)
}
