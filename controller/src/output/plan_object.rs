//! A plan in `--json`: its lists are made as they are written, as there may be a million entries.

use hfdown_protocol::Provenance;
use serde::{Serialize, Serializer};

use super::object::{FileTotals, Object, RefusedName};
use super::objects::refusal;
use super::reason::because;
use super::summary::PlanTotals;
use crate::plan::{Action, Intent, Plan, Planned, Reason};

/// The files to fetch.
#[derive(Debug)]
pub(super) struct PlannedFetches<'a>(&'a Plan);

/// The files to remove.
#[derive(Debug)]
pub(super) struct PlannedRemovals<'a>(&'a Plan);

/// What can't have its place, and what no file can be made of.
#[derive(Debug)]
pub(super) struct PlannedRefusals<'a>(&'a Plan);

/// The files that are there already.
#[derive(Debug, Serialize)]
pub(super) struct PlannedKeep {
    files: usize,
    bytes: u64,
    by_size: usize,
}

#[derive(Debug, Serialize)]
struct PlannedFetch<'a> {
    path: &'a str,
    size: u64,
    reason: &'static str,
    partial: u64,
    new: u64,
    wire: u64,
    replaces: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct PlannedRemoval<'a> {
    path: &'a str,
    size: u64,
}

/// The object.
pub(super) fn planned(plan: &Plan, intent: Intent, expected: PlanTotals) -> Object<'_> {
    Object::Plan {
        dry_run: intent == Intent::DryRun,
        fetch: PlannedFetches(plan),
        fetch_bytes: plan.missing_bytes(),
        new_bytes: plan.fresh_bytes(),
        wire_bytes: plan.wire_bytes(),
        keep: PlannedKeep {
            files: plan.kept().count(),
            bytes: plan.kept_bytes(),
            by_size: expected.by_size(),
        },
        remove: PlannedRemovals(plan),
        refuse: PlannedRefusals(plan),
        dot_files: plan.obeyed_at_home().into_iter().map(|file| file.path.as_str()).collect(),
        left_out: FileTotals { files: plan.left_out.files, bytes: plan.left_out.bytes },
    }
}

impl Serialize for PlannedFetches<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let routes = &self.0.routes;
        let wire = |file: &Planned<'_>| routes.wire(file.id, file.size, file.missing());
        let fresh = |file: &Planned<'_>| routes.fresh(file.id, file.missing());
        serializer.collect_seq(self.0.files().filter_map(|file| fetch(&file, fresh(&file), wire(&file))))
    }
}

impl Serialize for PlannedRemovals<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let removal = |size, path| PlannedRemoval { path, size };
        serializer.collect_seq(self.0.to_remove().map(|file| removal(file.stamp.size, file.path.as_str())))
    }
}

impl Serialize for PlannedRefusals<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let obstructed = self.0.obstructed();
        let obstructed = obstructed
            .map(|(file, failure)| RefusedName { path: file.path.to_string(), why: because(&failure) });
        serializer.collect_seq(obstructed.chain(self.0.refused.iter().map(refusal)))
    }
}

fn fetch<'a>(file: &Planned<'a>, new: u64, wire: u64) -> Option<PlannedFetch<'a>> {
    let Action::Fetch { reason, partial, .. } = file.action else { return None };
    let reason = match reason {
        Reason::Missing => "missing",
        Reason::OtherSize => "other_size",
        Reason::OtherContent => "other_content",
    };
    let replaces = file.replaces().map(|there| match there.provenance {
        Provenance::Placed => "placed",
        Provenance::Edited => "edited",
        Provenance::Foreign => "foreign",
        Provenance::Cached => "cached",
    });
    Some(PlannedFetch { path: file.path.as_str(), size: file.size, reason, partial, new, wire, replaces })
}
