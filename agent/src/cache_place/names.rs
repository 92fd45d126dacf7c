//! What is called how in a hub cache, below the cache's own folder.

use hfdown_protocol::{Commit, Digest, RepositoryFolder};

/// Where the bytes of a repository's files are, by their digests.
pub const BLOBS: &str = "blobs";
/// Which commit a branch or tag leads to.
pub const REFS: &str = "refs";
/// The files of each commit, as links to blobs.
pub const SNAPSHOTS: &str = "snapshots";
/// What each commit contains.
pub const TREES: &str = "trees";

/// The locks of the blobs of all repositories, in the cache's own folder.
pub const LOCKS: &str = ".locks";
/// What hfdown keeps in a repository's folder.
pub const OWN: &str = ".hfdown";

/// A blob: `models--org--name/blobs/<digest>`.
pub fn blob_below(repository: &RepositoryFolder, digest: Digest) -> String {
    format!("{repository}/{BLOBS}/{digest}")
}

/// The files of a commit: `models--org--name/snapshots/<commit>`.
pub fn snapshot_below(repository: &RepositoryFolder, commit: &Commit) -> String {
    format!("{repository}/{SNAPSHOTS}/{commit}")
}

/// What a commit contains: `models--org--name/trees/<commit>.json`.
pub fn tree_below(repository: &RepositoryFolder, commit: &Commit) -> String {
    format!("{repository}/{TREES}/{commit}.json")
}

/// What hfdown keeps of a repository: `models--org--name/.hfdown`.
pub fn own_below(repository: &RepositoryFolder) -> String {
    format!("{repository}/{OWN}")
}

/// The folder of the locks of a repository's blobs: `.locks/models--org--name`.
pub fn locks_below(repository: &RepositoryFolder) -> String {
    format!("{LOCKS}/{repository}")
}
