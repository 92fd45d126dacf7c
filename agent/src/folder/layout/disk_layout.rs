//! What the layouts have in common.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io;

use cap_std::fs::Dir;
use hfdown_protocol::{Digest, Failure, RepoPath, Stamp, Wanted};

use crate::folder::file_set::FileSet;
use crate::folder::records::{Record, Records};
use crate::folder::work_folder::Writable;
use crate::part::{self, ProvedPart, RenameFault};

/// Our own folder, wherever the root is one folder of one model.
const WORK_FOLDER: &str = ".cache/hfdown";

/// Where things stand in a destination folder, and what is kept beside them.
///
/// The agent knows of *places*: a place is where the bytes of a wanted file stand, and what is looked at, read, replaced
/// and recorded. Where a place has not the file's own name, the layout makes that name as well. The methods with a body are
/// right for every layout whose files stand at their paths.
pub(crate) trait DiskLayout: fmt::Debug + Send + Sync {
    /// Where the lock, the records and the parts live, relative to the root. Runs with the same one wait for each
    /// other.
    fn work_folder(&self) -> &str {
        WORK_FOLDER
    }

    /// The folder that a run has for itself, relative to the root, where it is not the root.
    fn held(&self) -> Option<&str> {
        None
    }

    /// The place of a wanted file's bytes, relative to the root, which may decide.
    fn place_of<'a>(&self, _root: Option<&Dir>, wanted: &'a Wanted) -> Cow<'a, RepoPath> {
        Cow::Borrowed(&wanted.path)
    }

    /// What stands where a wanted file is to have its own name, and does not give way, where that is not its place.
    fn obstacle(&self, _root: &Dir, _wanted: &Wanted) -> Option<Failure> {
        None
    }

    /// The names of the files' parts, in the same order. Files that share a part share a place, and are fetched once.
    fn parts(&self, wanted: &[Wanted]) -> Vec<String> {
        let numbers = number_duplicates(wanted);
        wanted.iter().zip(numbers).map(|(wanted, number)| part::name(wanted.digest, number)).collect()
    }

    /// Gets the folder ready, which is locked.
    fn prepare(&self, _at: Writable<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Whether it is to be told what else the commit contains.
    fn lacks_tree(&self, _root: &Dir) -> bool {
        false
    }

    /// The first step of a run.
    fn begin(&self, _at: Writable<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Keeps other programs from fetching the same bytes, until what is returned is dropped.
    fn claim(&self, _at: Writable<'_>, _wanted: &Wanted) -> io::Result<Claim> {
        Ok(Claim::Ours(None))
    }

    /// Where another program that fetches the same bytes puts them.
    fn shared_place(&self, _wanted: &Wanted) -> Option<RepoPath> {
        None
    }

    /// Gives a proved and flushed part its final name, atomically. Returns what it looks like there.
    fn place(&self, at: Writable<'_>, part: &ProvedPart, wanted: &Wanted) -> Result<Stamp, RenameFault> {
        part.rename(at.work.parts(), at.folder, &self.place_of(Some(at.folder), wanted))
    }

    /// Gives a file its own name, whose bytes are at the [shared place](Self::shared_place) and right.
    fn name(&self, _at: Writable<'_>, _wanted: &Wanted) -> io::Result<()> {
        Ok(())
    }

    /// Remembers that the bytes at a file's place are right.
    fn remember(
        &self,
        at: Writable<'_>,
        records: &mut Records,
        wanted: &Wanted,
        record: Record,
    ) -> io::Result<()>;

    /// Forgets what was remembered beside the records of a file that is removed.
    fn forget(&self, at: Writable<'_>, path: &RepoPath) -> io::Result<()>;

    /// The last step of a run, when every file that could be had has its place. Those that are intact were found so.
    fn complete(
        &self,
        _at: Writable<'_>,
        _wanted: &[Wanted],
        _intact: &FileSet,
        _completeness: Completeness,
    ) -> io::Result<()> {
        // A file at its own path needs nothing more.
        Ok(())
    }

    /// Leaves our own folder in order, where traces are kept.
    fn tidy(&self, at: Writable<'_>, records: &mut Records, resumable: &HashSet<String>) -> io::Result<()>;
}

/// Whether everything that is wanted is in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completeness {
    Whole,
    Partial,
}

/// Whether bytes may be fetched now.
#[derive(Debug)]
pub(crate) enum Claim {
    /// They may. Other programs wait for as long as this is open, where they can be made to.
    Ours(Option<File>),
    /// Another program fetches them.
    Busy,
}

/// Numbers files of equal content from 0, so that each has a part of its own.
pub(super) fn number_duplicates(wanted: &[Wanted]) -> Vec<usize> {
    let mut seen: HashMap<Digest, usize> = HashMap::new();
    wanted
        .iter()
        .map(|wanted| {
            let count = seen.entry(wanted.digest).or_default();
            *count += 1;
            *count - 1
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::FileId;

    use super::*;

    #[test]
    fn files_of_equal_content_are_told_apart() {
        let wanted = |(id, content): (u32, u8)| Wanted {
            id: FileId(id),
            path: RepoPath::new(format!("file-{id}")).unwrap(),
            size: 1,
            digest: Digest::GitSha1([content; 20]),
        };
        let files: Vec<_> = (0..).zip([1, 2, 1, 1]).map(wanted).collect();
        assert_eq!(number_duplicates(&files), [0, 0, 1, 2]);
    }
}
