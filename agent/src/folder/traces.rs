//! What of hfdown itself may stay in a folder, on whatever layout: what is remembered, and what goes at the end.

use std::collections::HashSet;

use hfdown_protocol::{Failure, Stamp, Traces, Wanted, WantedFiles, XetHash};

use super::layout::Completeness;
use super::open::Folder;
use super::records::{Origin, Record, Records};
use super::root::Root;

impl Records {
    /// Remembers that a file is right, where anything may stay of it.
    pub(crate) fn remember(
        &mut self,
        root: &Root,
        wanted: &Wanted,
        stamp: Stamp,
        origin: Origin,
        xet: Option<XetHash>,
    ) -> Result<(), Failure> {
        match root.traces() {
            Traces::Remove => Ok(()),
            Traces::Keep => {
                let record = Record { origin, digest: wanted.digest, stamp, xet };
                root.layout()
                    .remember(root.writable()?, self, wanted, record)
                    .map_err(|error| root.failure(&format!("cannot record {}", wanted.path), &error))
            }
        }
    }
}

impl Folder {
    /// The parts of these files that are there, for a run that goes on from them.
    pub(crate) fn resumable(&self, wanted: &WantedFiles) -> HashSet<String> {
        let there = self.root.writable().map(|at| at.work.part_names()).unwrap_or_default();
        if there.is_empty() {
            return there;
        }
        let parts = self.root.layout().parts(wanted);
        let names = wanted.iter().map(|(id, file)| parts.name(id, file.digest));
        names.filter(|name| there.contains(name)).collect()
    }

    /// Ends a run: gives the layout what it still wants, and leaves our own folder in order for a run that goes on from
    /// these parts; or takes it away once there is no part to go on from.
    pub(crate) fn finish(
        &self,
        wanted: &WantedFiles,
        completeness: Completeness,
        resumable: &HashSet<String>,
    ) -> Result<(), Failure> {
        let (root, layout) = (&self.root, self.root.layout());
        let at = root.writable()?;
        let completed = layout.complete(at, wanted, &self.intact(), completeness);
        let finished = completed.and_then(|unnamed| {
            match root.traces() {
                Traces::Keep => {
                    let named = if unnamed.is_none() { completeness } else { Completeness::Partial };
                    if let Some(commit) = layout.commit() {
                        self.records().conclude(commit, named);
                    }
                    layout.tidy(at, &mut self.records(), resumable)?;
                }
                Traces::Remove => {
                    at.work.sweep_parts(resumable);
                    at.work.remove_with_records(at.folder);
                }
            }
            Ok(unnamed)
        });
        let attempt = || format!("cannot record what is in {}", root.path().display());
        finished.map_err(|error| root.failure(&attempt(), &error))?.map_or(Ok(()), Err)
    }
}
