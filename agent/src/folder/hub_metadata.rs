//! What `hf download --local-dir` writes beside the files, so that it takes the folder for its own.
//!
//! Per file, `.cache/huggingface/download/<path>.metadata` has three lines: commit, `ETag`, and a Unix time that must
//! not be before the file's last change. The `ETag` is the digest's hex form, quotes removed.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use cap_std::fs::Dir;
use hfdown_protocol::{Commit, Digest, RepoPath, limits};

use crate::disk;

const FOLDER: &str = ".cache/huggingface";
const SUFFIX: &str = ".metadata";
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This file is a cache directory tag created by huggingface_hub.\n\
    # For information about cache directory tags, see:\n\
    #\thttps://bford.info/cachedir/\n";

/// Writes the metadata of one file, which must have its final modification time.
pub(super) fn write(root: &Dir, path: &RepoPath, commit: &Commit, digest: Digest) -> io::Result<()> {
    let name = name(path);
    if path.file_name().len() + SUFFIX.len() > limits::PATH_COMPONENT {
        // `hf` itself has no name for it either.
        return Ok(());
    }
    let write = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let text = format!("{commit}\n{digest}\n{}.{:06}\n", now.as_secs(), now.subsec_micros());
        root.write(&name, text)
    };
    disk::within_folders(write, || make_folders(root, &name))
}

/// The folders that a name needs, marked as `hf` marks them.
fn make_folders(root: &Dir, name: &str) -> io::Result<()> {
    if let Some((parent, _)) = name.rsplit_once('/') {
        root.create_dir_all(parent)?;
    }
    for (file, content) in [("CACHEDIR.TAG", TAG), (".gitignore", "*")] {
        let file = format!("{FOLDER}/{file}");
        if !root.exists(&file) {
            root.write(file, content)?;
        }
    }
    Ok(())
}

/// Forgets a file.
pub(super) fn remove(root: &Dir, path: &RepoPath) -> io::Result<()> {
    match root.remove_file(name(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn name(path: &RepoPath) -> String {
    format!("{FOLDER}/download/{path}{SUFFIX}")
}
