//! What `hf download --local-dir` writes beside the files, so that it takes the folder for its own.
//!
//! Per file, `.cache/huggingface/download/<path>.metadata` has three lines: commit, `ETag`, and a Unix time that must
//! not be before the file's last change. The `ETag` is the digest's hex form, quotes removed.
//!
//! What stands there proves nothing here: it is read only to learn which version of a file may be there. Whatever that is, no link is followed, and only
//! names are replaced. The folders may be another user's, who may have run `hf`: what may not be written is left out, with
//! a warning. `hf` then looks at the file itself.

use std::io::{self, Read as _};
use std::time::{SystemTime, UNIX_EPOCH};

use cap_std::fs::Dir;
use hfdown_protocol::{Commit, Digest, DiskWarning, RepoPath, limits};

use super::work_folder::{DestinationFolder, Writable};
use crate::own_folder::{MissingFolders, OwnFolder};
use crate::system::{self, FileAccess, FileMode};

const FOLDER: &str = ".cache/huggingface";
const DOWNLOAD: &str = "download";
/// More than what is in one.
const LONGEST: u64 = 4096;
const SUFFIX: &str = ".metadata";
/// What a file is called before it has its name. `hf` has none that ends so.
const NEW: &str = ".hfdown-new";
/// What `hf` puts into a `CACHEDIR.TAG`.
pub(super) const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This file is a cache directory tag created by huggingface_hub.\n\
    # For information about cache directory tags, see:\n\
    #\thttps://bford.info/cachedir/\n";

/// Writes the metadata of one file, which must have its final modification time.
pub(super) fn write(at: Writable<'_>, path: &RepoPath, commit: &Commit, digest: Digest) -> io::Result<()> {
    as_courtesy(at, path, try_write(at.folder, path, commit, digest))
}

fn try_write(root: &Dir, path: &RepoPath, commit: &Commit, digest: Digest) -> io::Result<()> {
    if path.file_name().len() + SUFFIX.len() > limits::PATH_COMPONENT {
        // `hf` itself has no name for it either.
        return Ok(());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = format!("{commit}\n{digest}\n{}.{:06}\n", now.as_secs(), now.subsec_micros());
    let folder = match open(root, path, MissingFolders::Fail) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            mark(&OwnFolder::below(root, FOLDER, MissingFolders::Make)?)?;
            open(root, path, MissingFolders::Make)
        }
        opened => opened,
    };
    folder?.replace_by(NEW, &name(path), text.as_bytes(), FileMode::Usual)
}

/// The commit that a file is said to be of.
pub(super) fn commit(root: &Dir, path: &RepoPath) -> Option<Commit> {
    let folder = open(root, path, MissingFolders::Fail).ok()?;
    let file = folder.open(&name(path), FileAccess::Read, LONGEST).ok()??;
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    Commit::new(text.lines().next()?).ok()
}

/// Marks the folder as `hf` marks it.
fn mark(folder: &OwnFolder) -> io::Result<()> {
    for (name, content) in [("CACHEDIR.TAG", TAG), (".gitignore", "*")] {
        if !folder.has_file(name) {
            folder.replace_by(NEW, name, content.as_bytes(), FileMode::Usual)?;
        }
    }
    Ok(())
}

/// Forgets a file.
pub(super) fn remove(at: Writable<'_>, path: &RepoPath) -> io::Result<()> {
    as_courtesy(at, path, try_remove(at.folder, path))
}

/// What may not be written is left out. A disk that is full or broken is another matter.
fn as_courtesy(at: Writable<'_>, path: &RepoPath, done: io::Result<()>) -> io::Result<()> {
    let Err(error) = done else { return Ok(()) };
    if system::stops_all(&error) {
        return Err(error);
    }
    let file = format!("{}/{}", folder(path), name(path));
    let destination = DestinationFolder { folder: at.folder, path: at.path };
    let failure = destination.refusal("cannot write there", &file, &error);
    at.work.own().warnings().note(DiskWarning::HubMetadata { failure });
    Ok(())
}

fn try_remove(root: &Dir, path: &RepoPath) -> io::Result<()> {
    match open(root, path, MissingFolders::Fail) {
        Ok(folder) => folder.remove(&name(path)),
        // Nothing of ours is there.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// The folder of a file's metadata.
fn open(root: &Dir, path: &RepoPath, missing: MissingFolders) -> io::Result<OwnFolder> {
    OwnFolder::below(root, &folder(path), missing)
}

/// Where that is.
fn folder(path: &RepoPath) -> String {
    match path.parent() {
        Some(parent) => format!("{FOLDER}/{DOWNLOAD}/{parent}"),
        None => format!("{FOLDER}/{DOWNLOAD}"),
    }
}

fn name(path: &RepoPath) -> String {
    format!("{}{SUFFIX}", path.file_name())
}
