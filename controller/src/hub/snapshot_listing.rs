//! What a snapshot of the cache should contain, as the cache itself says it: `trees/<commit>.json`, where there is one; the
//! links of the snapshot otherwise, whose targets are called by their digests.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use hfdown_agent::cache_place::{REFS, snapshot_below, tree_below};
use hfdown_protocol::{Commit, Digest, FileRow, FileTable, RepoPath, RepositoryFolder, limits};
use serde::Deserialize;

/// The largest tree that is read: `huggingface_hub` writes 160 bytes per file.
const LARGEST_TREE: u64 = 256 << 20;
/// More than a commit has digits.
const LONGEST_REF: u64 = 256;
/// Folders below this one are not looked into.
const DEEPEST: usize = 64;

/// What a cache says of a snapshot.
#[derive(Debug)]
pub struct SnapshotListing {
    /// The commit.
    pub commit: Commit,
    /// Its files.
    pub files: FileTable,
}

/// Why a cache does not say it.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotListingError {
    /// No reference of that name leads to a commit.
    #[error("the cache has no `{0}` of it")]
    NoRevision(String),
    /// There is no such snapshot.
    #[error("the cache has no snapshot of commit {0}")]
    NoSnapshot(Commit),
    /// The cache can't be read.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// Reads it. Blocks.
pub fn read(
    cache: &Path,
    repository: &RepositoryFolder,
    revision: &str,
) -> Result<SnapshotListing, SnapshotListingError> {
    let commit = commit(cache, repository, revision)?;
    let snapshot = cache.join(snapshot_below(repository, &commit));
    if !snapshot.is_dir() {
        return Err(SnapshotListingError::NoSnapshot(commit));
    }
    let files = match tree(&cache.join(tree_below(repository, &commit))) {
        Some(files) => files,
        None => links(&snapshot)?,
    };
    Ok(SnapshotListing { commit, files })
}

fn commit(
    cache: &Path,
    repository: &RepositoryFolder,
    revision: &str,
) -> Result<Commit, SnapshotListingError> {
    if let Ok(commit) = Commit::new(revision) {
        return Ok(commit);
    }
    let name = RepoPath::new(revision).ok();
    let path = name.map(|name| cache.join(repository.as_str()).join(REFS).join(name.as_str()));
    let text = path.and_then(|path| bounded(&path, LONGEST_REF).ok());
    let commit = text.and_then(|text| Commit::new(String::from_utf8_lossy(&text).trim()).ok());
    commit.ok_or_else(|| SnapshotListingError::NoRevision(revision.to_owned()))
}

/// None where there is none that can be understood: it is only there to save questions.
fn tree(path: &Path) -> Option<FileTable> {
    let mut files = FileTable::default();
    for (name, size, digest) in read_tree(&bounded(path, LARGEST_TREE).ok()?)? {
        let path = RepoPath::new(name).ok()?;
        files.push(FileRow { path: path.view(), size: size?, digest: digest? }).ok()?;
    }
    Some(files)
}

/// The names of a commit's files, their sizes and what proves them, in the order of the names, as `huggingface_hub` keeps
/// them in `trees/`. None where it is of another format.
pub(crate) fn read_tree(
    text: &[u8],
) -> Option<impl Iterator<Item = (String, Option<u64>, Option<Digest>)> + use<>> {
    let tree: TreeFile = serde_json::from_slice(text).ok()?;
    let file = |(name, entry): (String, TreeFileEntry)| match entry.lfs_sha256 {
        Some(sha256) => (name, entry.lfs_size.or(entry.size), Digest::sha256(&sha256).ok()),
        None => (name, entry.size, Digest::git_sha1(&entry.blob_id).ok()),
    };
    (tree.format_version == 1).then(|| tree.files.into_iter().map(file))
}

#[derive(Deserialize)]
struct TreeFile {
    format_version: u32,
    files: BTreeMap<String, TreeFileEntry>,
}

#[derive(Deserialize)]
struct TreeFileEntry {
    size: Option<u64>,
    blob_id: String,
    lfs_sha256: Option<String>,
    lfs_size: Option<u64>,
}

/// What a file has, unless that is more than may be.
fn bounded(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

fn links(snapshot: &Path) -> io::Result<FileTable> {
    let mut found = Vec::new();
    collect(snapshot, "", 0, &mut found)?;
    found.sort_unstable_by(|one: &(RepoPath, u64, Digest), other| one.0.cmp(&other.0));
    let mut files = FileTable::default();
    for (path, size, digest) in &found {
        let row = FileRow { path: path.view(), size: *size, digest: *digest };
        files.push(row).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    }
    Ok(files)
}

fn collect(
    folder: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<(RepoPath, u64, Digest)>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().map(|name| format!("{prefix}{name}")) else { continue };
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < DEEPEST {
            collect(&entry.path(), &format!("{name}/"), depth + 1, found)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path())?;
            let digest = target.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let digest = Digest::sha256(digest).or_else(|_| Digest::git_sha1(digest));
            let size = fs::metadata(entry.path()).map_or(0, |there| there.len());
            if let (Ok(path), Ok(digest)) = (RepoPath::new(name), digest) {
                found.push((path, size, digest));
            }
        }
        if found.len() > limits::FILES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
    }
    Ok(())
}
