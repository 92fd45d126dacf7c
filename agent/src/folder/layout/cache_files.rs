//! What is written in a hub cache besides blobs and links: whole, and so that a crash of the machine undoes nothing.

use std::collections::BTreeSet;
use std::io::{self, Write};

use hfdown_protocol::{Commit, RepoPath, RepositoryFolder, WantedFiles};

use crate::cache_place::{BLOBS, REFS, SNAPSHOTS};
use crate::folder::work_folder::Writable;
use crate::own_folder::{MissingFolders, OwnFolder};
use crate::system::{self, FileMode};

/// What a file in the cache is called before it has its name. It is in our own folder then: `huggingface_hub` minds every
/// name in its own.
pub(super) const NEW: &str = "new";
/// The longest reference that is believed: a commit.
const REFERENCE: u64 = 64;

/// Gives a file in the cache this content, as a whole or not at all.
pub(super) fn write_whole(
    at: Writable<'_>,
    content: &[u8],
    folder: &OwnFolder,
    name: &str,
) -> io::Result<()> {
    let own = at.work.own();
    let mut file = own.create(NEW, FileMode::Usual)?;
    file.write_all(content)?;
    own.flush_file(&file)?;
    own.dir().rename(NEW, folder.dir(), name)
}

/// Has a revision lead to a commit.
pub(super) fn refer(
    at: Writable<'_>,
    repository: &RepositoryFolder,
    revision: &RepoPath,
    commit: &Commit,
) -> io::Result<()> {
    let folder = match revision.parent() {
        Some(parent) => format!("{repository}/{REFS}/{parent}"),
        None => format!("{repository}/{REFS}"),
    };
    let folder = OwnFolder::below(at.folder, &folder, MissingFolders::Make)?;
    let (name, commit) = (revision.file_name(), commit.as_str().as_bytes());
    if folder.read(name, REFERENCE)?.is_some_and(|there| there == commit) {
        return Ok(());
    }
    write_whole(at, commit, &folder, name)?;
    folder.flush()
}

/// Makes the names in a snapshot survive a crash of the machine.
pub(super) fn flush_names(
    at: Writable<'_>,
    repository: &RepositoryFolder,
    snapshot: &str,
    wanted: &WantedFiles,
) -> io::Result<()> {
    let mut folders: BTreeSet<&str> = BTreeSet::new();
    for (_, file) in wanted.iter() {
        let mut folder = file.path.parent();
        while let Some(path) = folder.filter(|path| folders.insert(path)) {
            folder = path.rsplit_once('/').map(|(above, _)| above);
        }
    }
    let below = folders.iter().rev().map(|folder| format!("{snapshot}/{folder}"));
    let [blobs, snapshots] = [BLOBS, SNAPSHOTS].map(|folder| format!("{repository}/{folder}"));
    let above = [snapshot.to_owned(), snapshots, blobs, repository.to_string(), ".".to_owned()];
    below.chain(above).try_for_each(|folder| match system::flush_folder(at.folder, &folder) {
        Err(error) if system::stops_all(&error) => Err(error),
        // Where no folder is, or none that may be opened, no name was made.
        _ => Ok(()),
    })
}
