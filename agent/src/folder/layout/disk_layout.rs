//! What the layouts have in common.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;

use hfdown_protocol::{Digest, RepoPath, Stamp, Wanted};

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
///
/// # How the hub cache would be added
///
/// `models--org--name/{blobs,refs,snapshots}` below `HF_HUB_CACHE` is one file, `hub_cache.rs`, and one variant,
/// `Layout::HubCache { repository, revision, commit }` with its arm in `named.rs`, whose root is `HF_HUB_CACHE` itself:
///
/// - [`work_folder`](Self::work_folder) is `models--org--name/.hfdown`, so that the lock is the repository's: two runs
///   for two repositories of one cache do not wait for each other.
/// - [`place_of`](Self::place_of) is `models--org--name/blobs/<digest>`. Two wanted files of one digest have one place.
///   A blob that is there while its link is missing is found intact, and costs no byte.
/// - [`parts`](Self::parts) names a part for the digest alone. Jobs that share a part are to be one transfer: this is
///   the one thing outside of the file, in `WorkOrder::carry_out`. It hands the engine the first of them, and after the
///   run gives the others their links with `place`'s second half and reports them as placed, with 0 bytes fetched.
/// - [`place`](Self::place) holds `hf`'s own lock `.locks/models--org--name/<digest>.lock`, renames the part to the
///   blob, and makes the link `snapshots/<commit>/<path>`, relative and through a rename, as it is atomic then.
/// - [`remember`](Self::remember) records the blob as [`Origin::Seen`](crate::folder::Origin): other snapshots may
///   link to it, so it is never extraneous. [`forget`](Self::forget) has nothing to do.
/// - [`complete`](Self::complete) makes the links that are missing of blobs that were there already, and writes
///   `refs/<revision>` last, once everything is in place.
/// - [`tidy`](Self::tidy) is what a folder of hfdown's own does.
pub(crate) trait DiskLayout: fmt::Debug + Send + Sync {
    /// Where the lock, the records and the parts live, relative to the root. Runs with the same one wait for each
    /// other.
    fn work_folder(&self) -> &str {
        WORK_FOLDER
    }

    /// The place of a wanted file's bytes, relative to the root.
    fn place_of<'a>(&self, wanted: &'a Wanted) -> Cow<'a, RepoPath> {
        Cow::Borrowed(&wanted.path)
    }

    /// The names of the files' parts, in the same order. Files that share a part share a place, and are fetched once.
    fn parts(&self, wanted: &[Wanted]) -> Vec<String> {
        let numbers = number_duplicates(wanted);
        wanted.iter().zip(numbers).map(|(wanted, number)| part::name(wanted.digest, number)).collect()
    }

    /// Gives a proved and flushed part its final name, atomically. Returns what it looks like there.
    fn place(&self, at: Writable<'_>, part: &ProvedPart, wanted: &Wanted) -> Result<Stamp, RenameFault> {
        part.rename(at.work.parts(), at.folder, &self.place_of(wanted))
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

    /// The last step of a run, when every file that could be had has its place.
    fn complete(&self, _at: Writable<'_>, _wanted: &[Wanted], _completeness: Completeness) -> io::Result<()> {
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

/// Numbers files of equal content from 0, so that each has a part of its own.
fn number_duplicates(wanted: &[Wanted]) -> Vec<usize> {
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
