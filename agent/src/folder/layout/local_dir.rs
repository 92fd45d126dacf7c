//! A folder of its own, as `hf download --local-dir` leaves it: files at their paths, `hf`'s metadata and our records
//! beside them.

use std::collections::HashSet;
use std::io;

use cap_std::fs::Dir;
use hfdown_protocol::{Commit, RepoPath, Wanted};

use super::disk_layout::DiskLayout;
use crate::folder::hub_metadata;
use crate::folder::records::{Record, Records};
use crate::folder::work_folder::Writable;

/// Files at their paths, with records and `hf`'s metadata.
#[derive(Debug)]
pub(super) struct LocalDir {
    /// What the metadata names.
    commit: Commit,
}

impl LocalDir {
    pub(super) fn new(commit: Commit) -> Self {
        Self { commit }
    }
}

impl DiskLayout for LocalDir {
    fn remember(
        &self,
        at: Writable<'_>,
        records: &mut Records,
        wanted: &Wanted,
        record: Record,
    ) -> io::Result<()> {
        records.begin(&self.commit);
        hub_metadata::write(at, &wanted.path, &self.commit, wanted.digest)?;
        records.insert(at.work.own(), wanted.path.clone(), record)
    }

    fn older_version(&self, folder: &Dir, wanted: &Wanted) -> Option<(RepoPath, Commit)> {
        let commit = hub_metadata::commit(folder, &wanted.path)?;
        (commit != self.commit).then(|| (wanted.path.clone(), commit))
    }

    fn commit(&self) -> Option<&Commit> {
        Some(&self.commit)
    }

    fn forget(&self, at: Writable<'_>, path: &RepoPath) -> io::Result<()> {
        hub_metadata::remove(at, path)
    }

    /// The folder is all of one listing: a part that this listing does not want is wanted by none.
    fn tidy(&self, at: Writable<'_>, records: &mut Records, resumable: &HashSet<String>) -> io::Result<()> {
        at.work.sweep_parts(resumable);
        records.save(at.work.own())
    }
}
