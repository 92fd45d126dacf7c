//! Files among the user's own: nothing stays beside them, but for the parts of a transfer that was cut off.

use std::collections::HashSet;
use std::io;

use hfdown_protocol::{RepoPath, Wanted};

use super::disk_layout::DiskLayout;
use crate::folder::hub_metadata;
use crate::folder::records::{Record, Records};
use crate::folder::work_folder::Writable;

/// Files at their paths, and nothing else.
#[derive(Debug)]
pub(super) struct Bare;

impl DiskLayout for Bare {
    fn remember(
        &self,
        _at: Writable<'_>,
        _records: &mut Records,
        _wanted: &Wanted,
        _record: Record,
    ) -> io::Result<()> {
        Ok(())
    }

    /// A file that is recorded here was placed by a run with another layout.
    fn forget(&self, at: Writable<'_>, path: &RepoPath) -> io::Result<()> {
        hub_metadata::remove(at, path)
    }

    /// A part of another file may be another transfer's, so it stays, and our folder with it.
    fn tidy(&self, at: Writable<'_>, _records: &mut Records, _resumable: &HashSet<String>) -> io::Result<()> {
        at.work.remove(at.folder);
        Ok(())
    }
}
