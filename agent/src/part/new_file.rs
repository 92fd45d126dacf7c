//! What a file that we make in the folder of parts looks like: who may use it, and what its stamp is worth.
//!
//! It is learned by making one. The umask alone would not do: a folder may hand down rights of its own to what is made
//! in it, and a mounted disk may know one mode for everything.

use std::fs::File;
use std::io;
use std::time::SystemTime;

use cap_std::fs::Metadata;
use hfdown_protocol::{DiskWarning, Stamp};

use crate::disk_warnings::DiskWarnings;
use crate::own_folder::OwnFolder;
use crate::system::{self, DiskFeature, FileAccess, FileMode};

/// User, group and others may read and write and so on; no set-user-id.
const MODE: u32 = 0o777;
/// What a part has that is ours alone.
const PRIVATE: u32 = 0o600;

/// What a new file of ours looks like here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewFile {
    /// The mode of a file that was made as any program makes it: what a placed file has.
    usual: u32,
    /// Whether a stamp shows each write at once, and nothing else moves it. Elsewhere only its size means something
    /// while a file is open.
    pub(super) stamps_follow_writes: bool,
}

impl NewFile {
    pub(super) fn learn(parts: &OwnFolder) -> io::Result<Self> {
        parts.probe(FileMode::Usual, |file| {
            let stamps_follow_writes = system::stamps_follow_writes(file);
            Ok(Self { usual: mode(file)?, stamps_follow_writes })
        })
    }

    /// Opens a part that an earlier run has left. None if what is there can't be one.
    pub(super) fn reopen(parts: &OwnFolder, name: &str) -> io::Result<Option<File>> {
        let Some(file) = parts.open(name, FileAccess::ReadWrite, u64::MAX)? else { return Ok(None) };
        // A disk without modes refuses; then all its files look alike.
        if mode(&file)? != PRIVATE {
            let _ = system::set_mode(&file, PRIVATE);
        }
        Ok(Some(file))
    }

    /// Gives a part the mode of a placed file.
    pub(super) fn set_usual_mode(self, file: &File, warnings: &DiskWarnings) -> io::Result<()> {
        if mode(file)? == self.usual {
            return Ok(());
        }
        let changed = system::set_mode(file, self.usual);
        warnings.without(DiskFeature::Modes, DiskWarning::NoModes, changed)
    }

    /// Gives a part that did not get its place the mode of one: a later run goes on from it.
    pub(super) fn set_private_mode(file: &File) {
        // A disk without modes refuses; then all its files look alike.
        let _ = system::set_mode(file, PRIVATE);
    }

    /// Gives a file a time that no write of another program gives it: the clock of a disk ticks, so that a write within the
    /// tick of our own last one would not show otherwise.
    pub(super) fn set_time_apart(self, file: &File) {
        if self.stamps_follow_writes {
            // A disk that refuses tells no less than before.
            let _ = file.set_modified(SystemTime::now());
        }
    }

    /// Whether two looks at a file have found it in the same state, as far as this disk lets that be told.
    pub(super) fn is_same(self, before: Stamp, now: Stamp) -> bool {
        if self.stamps_follow_writes { before == now } else { before.size == now.size }
    }

    /// Whether two stamps are those of one file.
    pub(super) fn is_one_file(self, one: Stamp, other: Stamp) -> bool {
        !self.stamps_follow_writes || one.inode == other.inode
    }
}

fn mode(file: &File) -> io::Result<u32> {
    Ok(system::looks(&Metadata::from_file(file)?).mode & MODE)
}
