//! A part whose bytes were proved, on its way to its final name.
//!
//! What gets the name is the very file that was hashed, in the state that it was hashed in. Another program can still
//! write to it, or give its name to another file; both show, right before the rename and right after it.

use std::fs::File;
use std::io;

use cap_std::fs::{Dir, Metadata};
use hfdown_protocol::{RepoPath, Stamp};

use super::new_file::NewFile;
use crate::disk;
use crate::system;

/// A proved and flushed part.
#[derive(Debug)]
pub(crate) struct ProvedPart {
    name: String,
    data: File,
    new_file: NewFile,
    /// What it looked like when it was proved.
    stamp: Stamp,
}

/// Why a part did not get its final name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenameFault {
    /// It is not what was proved any more.
    #[error("another program changed it while it was placed")]
    Changed,
    #[error(transparent)]
    Disk(#[from] io::Error),
}

impl ProvedPart {
    pub(super) fn new(name: String, data: File, new_file: NewFile, stamp: Stamp) -> Self {
        Self { name, data, new_file, stamp }
    }

    /// Gives it its final name, atomically, and makes the folders that are missing. Returns what it looks like there.
    pub(crate) fn rename(&self, parts: &Dir, folder: &Dir, place: &RepoPath) -> Result<Stamp, RenameFault> {
        let is_as_proved = self.look()?.is_some_and(|now| self.new_file.is_same(self.stamp, now));
        if !is_as_proved || !self.is_at(parts, &self.name)? {
            return Err(RenameFault::Changed);
        }
        let rename = || parts.rename(&self.name, folder, place.as_str());
        disk::within_folders(rename, || {
            place.parent().map_or(Ok(()), |parent| folder.create_dir_all(parent))
        })?;
        // Before the disk takes its time. Only the rename's own trace is new here: whatever else is, is not what was
        // proved.
        let now = self.look()?;
        let is_there = self.is_at(folder, place.as_str())?;
        let with_trace = |now: Stamp| Stamp { changed: now.changed, ..self.stamp };
        match now {
            Some(now) if is_there && self.new_file.is_same(with_trace(now), now) => return Ok(now),
            _ => {}
        }
        // It goes back, to be thrown away. Another file that stands there by now is not ours to touch: the next attempt
        // finds that the place has changed.
        if is_there {
            folder.rename(place.as_str(), parts, &self.name)?;
        }
        Err(RenameFault::Changed)
    }

    /// What it looks like now. Nothing that was proved has two names: who has the other could write to it unseen.
    fn look(&self) -> io::Result<Option<Stamp>> {
        let metadata = Metadata::from_file(&self.data)?;
        Ok((system::looks(&metadata).links <= 1).then(|| disk::stamp(&metadata)))
    }

    /// Whether it has this name.
    fn is_at(&self, folder: &Dir, name: &str) -> io::Result<bool> {
        let there = match folder.symlink_metadata(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            there => there?,
        };
        Ok(there.is_file() && self.new_file.is_one_file(disk::stamp(&there), self.stamp))
    }
}
