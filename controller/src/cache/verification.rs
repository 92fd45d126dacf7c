//! What a check of the cache has found, as it is shown.

use hfdown_agent::hub_cache::{CachedFile, CachedFileState, CachedId, CachedKind, MissingPiece, TreeListing};

use crate::hub::snapshot_listing;
use crate::text::sanitize;

/// A file that was checked. Its texts are sanitised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedCacheFile {
    /// Its repository, as it is typed.
    pub id: String,
    /// Its kind.
    pub kind: CachedKind,
    /// The commit.
    pub commit: String,
    /// Its path there.
    pub path: String,
    /// How it is.
    pub state: CacheFileState,
    /// Why it is not right.
    pub why: Option<String>,
}

/// How a file of the cache is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheFileState {
    /// Its content is what its digest says.
    Right,
    /// Its content is something else.
    Wrong,
    /// It is not there, though something of it is.
    Missing,
    /// It can't be read.
    Unreadable,
    /// Nothing says what it should be.
    Unknown,
}

/// What a check has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheVerification {
    /// How many revisions were checked.
    pub revisions: usize,
    /// Files that are right.
    pub ok: usize,
    /// Files with other content.
    pub wrong: usize,
    /// Files of which something is missing.
    pub missing: usize,
    /// Files that can't be read.
    pub unreadable: usize,
    /// Files of which nothing says what they should be.
    pub unknown: usize,
    /// Files that the repositories list and of which there is no trace.
    pub left_out: usize,
}

impl CheckedCacheFile {
    /// What is shown of a file.
    pub fn new(id: &CachedId, commit: &str, file: &CachedFile) -> Self {
        let shown = |text: &str| sanitize(text, 600);
        let (state, why) = match &file.state {
            CachedFileState::Right => (CacheFileState::Right, None),
            CachedFileState::Wrong { expected, found } => {
                let why = format!("its content has {}:{found}, and not {expected}", found.kind());
                (CacheFileState::Wrong, Some(why))
            }
            CachedFileState::Missing { what: MissingPiece::Blob } => {
                (CacheFileState::Missing, Some("its blob is missing".to_owned()))
            }
            CachedFileState::Missing { what: MissingPiece::Link } => {
                let why = "it is not in the snapshot, though its blob is there, or a part of it";
                (CacheFileState::Missing, Some(why.to_owned()))
            }
            CachedFileState::Unreadable { why } => (CacheFileState::Unreadable, Some(shown(why))),
            CachedFileState::Unknown => {
                let why = "nothing says what its digest should be";
                (CacheFileState::Unknown, Some(why.to_owned()))
            }
        };
        Self {
            id: shown(&id.to_string()),
            kind: id.kind,
            commit: shown(commit),
            path: sanitize(&file.path, 4_096),
            state,
            why,
        }
    }
}

impl CacheVerification {
    /// Counts a file.
    pub fn add(&mut self, state: CacheFileState) {
        *match state {
            CacheFileState::Right => &mut self.ok,
            CacheFileState::Wrong => &mut self.wrong,
            CacheFileState::Missing => &mut self.missing,
            CacheFileState::Unreadable => &mut self.unreadable,
            CacheFileState::Unknown => &mut self.unknown,
        } += 1;
    }
}

/// Reads the listing of a revision as `huggingface_hub` keeps it in `trees/`. None where it is of another format.
pub fn parse_tree(bytes: &[u8]) -> Option<TreeListing> {
    let files = snapshot_listing::read_tree(bytes)?;
    Some(files.filter_map(|(path, _, digest)| Some((path, digest?))).collect())
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::Digest;

    use super::*;

    #[test]
    fn a_listing_is_read_as_it_is_kept() {
        let (sha1, sha256) = ("a".repeat(40), "b".repeat(64));
        let text = format!(
            r#"{{"format_version": 1, "files": {{"a": {{"size": 1, "blob_id": "{sha1}"}},
                "b": {{"size": 1, "blob_id": "{sha1}", "lfs_sha256": "{sha256}", "lfs_size": 1, "xet_hash": "x"}}}}}}"#
        );
        let tree = parse_tree(text.as_bytes()).unwrap();
        assert_eq!(tree["a"], Digest::git_sha1(&sha1).unwrap());
        assert_eq!(tree["b"], Digest::sha256(&sha256).unwrap());
        for text in [&text.replace(": 1, \"files", ": 2, \"files"), "{}", "[", ""] {
            assert_eq!(parse_tree(text.as_bytes()), None, "{text}");
        }
    }
}
