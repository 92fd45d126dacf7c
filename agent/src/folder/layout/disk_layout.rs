//! What the layouts have in common.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io;

use cap_std::fs::Dir;
use hfdown_protocol::{
    Commit, Digest, Failure, FileId, Proof, Provenance, RepoPath, Stamp, Wanted, WantedFiles,
};

use crate::folder::file_set::FileSet;
use crate::folder::records::{Record, Records};
use crate::folder::work_folder::Writable;
use crate::part::{self, ProvedPart, RenameFault};

/// The root itself.
const ROOT: &str = ".";
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

    /// The folder that a run has for itself, relative to the root, where it is not the root. No link in it is followed.
    fn held(&self) -> Option<&str> {
        None
    }

    /// The place of a wanted file's bytes, relative to the root, which may decide.
    fn place_of<'a>(&self, _root: Option<&Dir>, wanted: &'a Wanted) -> Cow<'a, RepoPath> {
        Cow::Borrowed(&wanted.path)
    }

    /// Who put a file at a place that the records don't speak of.
    fn unrecorded(&self, _place: &RepoPath) -> Provenance {
        Provenance::Foreign
    }

    /// What stands where a wanted file is to have its own name, and does not give way, where that is not its place.
    fn obstacle(&self, _root: &Dir, _wanted: &Wanted) -> Option<Failure> {
        None
    }

    /// The name of its own that a wanted file has not, where that is not its place.
    fn missing_name(&self, _root: &Dir, _wanted: &Wanted) -> Option<String> {
        None
    }

    /// Where an older version of a wanted file stands, and which commit has it there.
    fn older_version(&self, _folder: &Dir, _wanted: &Wanted) -> Option<(RepoPath, Commit)> {
        None
    }

    /// What of the listed files stands at their paths: a folder below the root.
    fn listed_below(&self) -> &str {
        ROOT
    }

    /// How it is known that a file is intact whose bytes have just been read, where its place has not its own name.
    fn proof_by_name(&self, _folder: &Dir, _wanted: &Wanted) -> Proof {
        Proof::Read
    }

    /// The names of the files' parts. Files that share a part share a place, and are fetched once.
    fn parts(&self, wanted: &WantedFiles) -> PartNames {
        PartNames::one_per_file(wanted)
    }

    /// Gets the folder ready, which is locked.
    fn prepare(&self, _at: Writable<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Whether it is to be told what else the commit contains.
    fn lacks_tree(&self, _root: &Dir) -> bool {
        false
    }

    /// The first step of a run, with what else the commit contains, if that was told: as it stands in our own folder.
    fn begin(&self, _at: Writable<'_>, _tree: Option<File>) -> io::Result<()> {
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

    /// Gives a proved and flushed part the name of its place, atomically. Returns what it looks like there.
    fn place(&self, at: Writable<'_>, part: &ProvedPart, wanted: &Wanted) -> Result<Stamp, RenameFault> {
        part.rename(at.work.parts(), at.folder, &self.place_of(Some(at.folder), wanted))
    }

    /// Gives a file its own name, whose bytes are in place and right, where that is not its place.
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

    /// What the records are of, where there are any.
    fn commit(&self) -> Option<&Commit> {
        None
    }

    /// Forgets what was remembered beside the records of a file that is removed.
    fn forget(&self, at: Writable<'_>, path: &RepoPath) -> io::Result<()>;

    /// The last step of a run, when every file that could be had has its place. Those that are intact were found or placed so.
    /// Returns why one of them has not its name, if so.
    fn complete(
        &self,
        _at: Writable<'_>,
        _wanted: &WantedFiles,
        _intact: &FileSet,
        _completeness: Completeness,
    ) -> io::Result<Option<Failure>> {
        // A file at its own path needs nothing more.
        Ok(None)
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

/// What the parts of wanted files are called: for their digests, and files of equal content by a number as well, unless
/// they share a part.
#[derive(Debug, Default)]
pub(crate) struct PartNames {
    /// By the file's number. None where no two are equal, or where these are shared.
    duplicates: Vec<u32>,
    are_shared: bool,
}

impl PartNames {
    /// So that files of equal content share a part.
    pub(super) fn one_per_digest() -> Self {
        Self { duplicates: Vec::new(), are_shared: true }
    }

    /// So that each file has a part of its own: files of equal content are numbered from 0.
    pub(crate) fn one_per_file(wanted: &WantedFiles) -> Self {
        let digest = |id: u32| wanted.get(FileId(id)).map(|file| file.digest);
        let mut by_digest: Vec<u32> = wanted.iter().map(|(id, _)| id.0).collect();
        by_digest.sort_unstable_by(|one, other| digest(*one).cmp(&digest(*other)).then(one.cmp(other)));
        let mut duplicates = Vec::new();
        for pair in by_digest.windows(2) {
            if digest(pair[0]) == digest(pair[1]) {
                duplicates.resize(by_digest.len(), 0);
                duplicates[pair[1] as usize] = duplicates[pair[0] as usize] + 1;
            }
        }
        Self { duplicates, are_shared: false }
    }

    /// The name of a file's part.
    pub(crate) fn name(&self, id: FileId, digest: Digest) -> String {
        part::name(digest, self.duplicates.get(id.0 as usize).map_or(0, |number| *number as usize))
    }

    /// Whether files of equal content share a part.
    pub(crate) fn are_shared(&self) -> bool {
        self.are_shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_equal_content_are_told_apart() {
        let wanted = |(id, content): (u32, u8)| Wanted {
            id: FileId(id),
            path: RepoPath::new(format!("file-{id}")).unwrap(),
            size: 1,
            digest: Digest::GitSha1([content; 20]),
        };
        let files = WantedFiles::of((0..).zip([1, 2, 1, 1]).map(wanted)).unwrap();
        assert_eq!(PartNames::one_per_file(&files).duplicates, [0, 0, 1, 2]);
    }
}
