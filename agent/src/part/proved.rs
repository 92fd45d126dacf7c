//! A part whose bytes were proved, on its way to its final name.
//!
//! What gets the name is the very file that was hashed, in the state that it was hashed in. Another program can still
//! write to it, or give its name to another file; both show, right before the rename and right after it.

use std::fs::File;
use std::io;

use cap_std::fs::{Dir, Metadata};
use hfdown_protocol::{RepoPath, Stamp};

use super::new_file::NewFile;
use super::replace::{Renames, replace};
use crate::disk;
use crate::own_folder::OwnFolder;
use crate::system;

/// What a file is called that makes room for a part, behind the part's name.
pub(super) const OLD: &str = ".old";

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
    pub(crate) fn rename(
        &self,
        parts: &OwnFolder,
        folder: &Dir,
        place: &RepoPath,
    ) -> Result<Stamp, RenameFault> {
        let renamed = self.try_rename(parts, folder, place);
        if let Err(RenameFault::Disk(_)) = renamed {
            // It stays where it is, for a run that can place it.
            NewFile::set_private_mode(&self.data);
        }
        renamed
    }

    fn try_rename(&self, parts: &OwnFolder, folder: &Dir, place: &RepoPath) -> Result<Stamp, RenameFault> {
        let (warnings, parts) = (parts.warnings(), parts.dir());
        let is_as_proved = self.look()?.is_some_and(|now| self.new_file.is_same(self.stamp, now));
        if !is_as_proved || !self.is_at(parts, &self.name)? {
            return Err(RenameFault::Changed);
        }
        let renames = PartRenames { part: &self.name, parts, folder, place: place.as_str() };
        disk::within_folders(
            || replace(&renames, warnings),
            || place.parent().map_or(Ok(()), |parent| folder.create_dir_all(parent)),
        )?;
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

/// The renames of a part, and of the file that has its place.
struct PartRenames<'a> {
    part: &'a str,
    parts: &'a Dir,
    folder: &'a Dir,
    place: &'a str,
}

impl PartRenames<'_> {
    fn old(&self) -> String {
        format!("{}{OLD}", self.part)
    }
}

impl Renames for PartRenames<'_> {
    fn place(&self) -> io::Result<()> {
        self.parts.rename(self.part, self.folder, self.place)
    }

    fn set_aside(&self) -> io::Result<()> {
        // Of what stands in the way a file alone is one that a file may replace.
        if !self.folder.symlink_metadata(self.place)?.is_file() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        // One that a run left here that was killed: the file that stands here now was there after it.
        let _ = self.drop_old();
        self.folder.rename(self.place, self.parts, self.old())
    }

    fn put_back(&self) -> io::Result<()> {
        self.parts.rename(self.old(), self.folder, self.place)
    }

    fn drop_old(&self) -> io::Result<()> {
        self.parts.remove_file(self.old())
    }
}
