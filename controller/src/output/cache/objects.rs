//! `hfdown cache`, as the objects of `--json`.

use std::time::SystemTime;

use super::verification;
use crate::cache::{
    CacheEvent, CacheListing, CacheRemoval, CacheRows, Freed, GoingExtent, GoingRepository, RepositoryRow,
    RevisionRow,
};
use crate::output::object::{GoingFields, Object};
use crate::output::reason::{because, kind};
use crate::plan::Intent;
use crate::text::units::instant;

/// The objects of an event.
pub(in crate::output) fn objects(event: &CacheEvent) -> Vec<Object<'_>> {
    vec![match event {
        // A cache that is not there is an empty one.
        CacheEvent::Absent { .. } => return Vec::new(),
        CacheEvent::Listed(listing) => return listed(listing),
        CacheEvent::Planned(planned) => removal(planned),
        CacheEvent::NotFreed { id, failure } => {
            Object::NotFreed { id, kind: kind(failure), why: because(failure) }
        }
        CacheEvent::Freed(done) => freed(done),
        CacheEvent::Checked(file) => Object::CachedFile {
            id: &file.id,
            kind: file.kind.singular(),
            commit: &file.commit,
            path: &file.path,
            state: verification::state(file.state),
            why: file.why.as_deref(),
        },
        CacheEvent::Verified(sum) => Object::CacheVerification {
            revisions: sum.revisions,
            ok: sum.ok,
            wrong: sum.wrong,
            missing: sum.missing,
            unreadable: sum.unreadable,
            unknown: sum.unknown,
            left_out: sum.left_out,
        },
        CacheEvent::NothingToPrune { intent } => {
            let nothing = Object::Removal {
                dry_run: *intent == Intent::DryRun,
                remove: Vec::new(),
                shared: 0,
                bytes: 0,
            };
            return vec![nothing, freed(&Freed::default())];
        }
    }]
}

/// The objects of a listing: a row each, and what they come to.
fn listed(listing: &CacheListing) -> Vec<Object<'_>> {
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

/// What is to go.
fn removal(removal: &CacheRemoval) -> Object<'_> {
    Object::Removal {
        dry_run: removal.intent == Intent::DryRun,
        remove: removal.repositories.iter().map(going).collect(),
        shared: removal.shared.bytes,
        bytes: removal.bytes,
    }
}

fn going(going: &GoingRepository) -> GoingFields<'_> {
    GoingFields {
        id: &going.id,
        kind: going.kind.singular(),
        whole: going.extent == GoingExtent::Whole,
        revisions: going.revisions.iter().map(|revision| revision.commit.as_str()).collect(),
        refs: going.revisions.iter().flat_map(|revision| &revision.refs).map(String::as_str).collect(),
        incomplete: going.incomplete.bytes,
        partial: going.parts.bytes,
        orphaned: going.orphaned.bytes,
        bytes: going.bytes,
    }
}

/// What has gone.
fn freed(freed: &Freed) -> Object<'static> {
    Object::Freed {
        repositories: freed.repositories,
        revisions: freed.revisions,
        failed: freed.failed,
        bytes: freed.bytes,
    }
}
