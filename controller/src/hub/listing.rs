//! What a commit contains: every file with its size and digest, and every name that was refused.

use std::collections::HashSet;

use hfdown_protocol::{Commit, Digest, PathError, RepoPath, limits};
use serde::Deserialize;
use url::Url;

use super::client::nonsense;
use super::error_response::{Resource, printable};
use super::{Hub, HubError, Nonsense, RepoId, RepoInfo, page};

/// All files of a repository at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The repository.
    pub repo: RepoId,
    /// The commit.
    pub commit: Commit,
    /// Its files, in the Hub's order. Paths are unique, and none lies below another.
    pub files: Vec<ListedFile>,
    /// What the Hub lists and we don't touch.
    pub refused: Vec<Refused>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// Where it belongs.
    pub path: RepoPath,
    /// Its size in bytes.
    pub size: u64,
    /// What proves it.
    pub digest: Digest,
}

/// A file that is listed and refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its name as the Hub lists it: hostile text, to be sanitised before it is shown.
    pub name: String,
    /// Why it is refused.
    pub reason: RefusalReason,
}

/// Why a listed file is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusalReason {
    /// The name is no path inside a repository.
    #[error("{0}")]
    Path(#[from] PathError),
    /// The name is listed twice; the first one counts.
    #[error("it is listed twice")]
    Duplicate,
    /// Another file lies below it, so it would have to be a folder as well.
    #[error("another file lies below it")]
    Parent,
    /// Its size is missing, no number, or not the same in both places.
    #[error("its size makes no sense")]
    Size,
    /// Its digest is missing or malformed, so nothing could prove it.
    #[error("its digest makes no sense")]
    Digest,
}

/// The most bytes of one page. The Hub's hold 1,000 entries in about 300 KB; some mirrors send everything as one page.
const PAGE: u64 = 64 << 20;
/// The most pages of one listing: twice what [`limits::FILES`] need at the Hub's 1,000 entries each.
const PAGES: usize = 2 * limits::FILES / 1000;

impl Listing {
    /// The size of all files together, in bytes.
    pub fn total(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

impl Hub {
    /// Lists the files of a repository at its commit.
    pub async fn list(&self, info: &RepoInfo) -> Result<Listing, HubError> {
        let start = self.endpoint().tree(&info.id, &info.commit);
        let mut url = start.clone();
        let mut entries: Vec<TreeEntry> = Vec::new();
        let mut names = 0;
        for _ in 0..PAGES {
            let page = self.get(Resource::Repository, &url, PAGE).await?;
            let more = read(&page.body, &page.url)?;
            names += more.iter().map(|entry| entry.path.len()).sum::<usize>();
            entries.extend(more);
            if entries.len() > limits::FILES || names > limits::NAMES {
                break;
            }
            // Where the question was sent, not where redirects led it: the token goes there, and only there.
            match page::next(&url, &page.headers) {
                None => return sort_out(info, entries).map_err(|what| nonsense(&start, what)),
                Some(Ok(next)) if next != url => url = next,
                Some(Ok(_)) => break,
                Some(Err(_)) => return Err(nonsense(&url, Nonsense::Location)),
            }
        }
        Err(nonsense(&start, Nonsense::Endless))
    }
}

/// An entry of the tree, as far as it is used.
#[derive(Deserialize)]
struct TreeEntry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    oid: Option<String>,
    #[serde(default)]
    size: serde_json::Value,
    lfs: Option<LfsPointer>,
}

#[derive(Deserialize)]
struct LfsPointer {
    #[serde(alias = "sha256")]
    oid: Option<String>,
    #[serde(default)]
    size: serde_json::Value,
}

/// The files of a page.
fn read(body: &[u8], url: &Url) -> Result<Vec<TreeEntry>, HubError> {
    let mut entries: Vec<TreeEntry> = serde_json::from_slice(body)
        .map_err(|error| nonsense(url, Nonsense::Json(printable(&error.to_string()))))?;
    entries.retain(|entry| entry.kind == "file");
    Ok(entries)
}

/// Tells files from what has to be refused.
fn sort_out(info: &RepoInfo, entries: Vec<TreeEntry>) -> Result<Listing, Nonsense> {
    let mut files: Vec<ListedFile> = Vec::new();
    let mut refused = Vec::new();
    let mut seen = HashSet::new();
    for entry in entries {
        match check(&entry) {
            Ok(file) if seen.insert(file.path.clone()) => files.push(file),
            Ok(_) => refused.push(Refused { name: entry.path, reason: RefusalReason::Duplicate }),
            Err(reason) => refused.push(Refused { name: entry.path, reason }),
        }
    }
    let folders: HashSet<String> =
        files.iter().flat_map(|file| folders(&file.path)).map(str::to_owned).collect();
    let (parents, files): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| folders.contains(file.path.as_str()));
    refused.extend(
        parents.into_iter().map(|file| Refused { name: file.path.into(), reason: RefusalReason::Parent }),
    );
    // Checked once, so that sizes can be added up everywhere else.
    files.iter().try_fold(0_u64, |total, file| total.checked_add(file.size)).ok_or(Nonsense::Sizes)?;
    Ok(Listing { repo: info.id.clone(), commit: info.commit.clone(), files, refused })
}

fn check(entry: &TreeEntry) -> Result<ListedFile, RefusalReason> {
    let path = RepoPath::new(entry.path.as_str())?;
    let size = entry.size.as_u64().ok_or(RefusalReason::Size)?;
    let digest = match &entry.lfs {
        Some(lfs) if !lfs.size.is_null() && lfs.size.as_u64() != Some(size) => {
            return Err(RefusalReason::Size);
        }
        Some(lfs) => lfs.oid.as_deref().map(|oid| Digest::sha256(oid.strip_prefix("sha256:").unwrap_or(oid))),
        None => entry.oid.as_deref().map(Digest::git_sha1),
    };
    Ok(ListedFile { path, size, digest: digest.and_then(Result::ok).ok_or(RefusalReason::Digest)? })
}

/// Every folder above a file.
fn folders(path: &RepoPath) -> impl Iterator<Item = &str> {
    path.as_str().match_indices('/').map(|(end, _)| &path.as_str()[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Gating, RepoKind};

    const SHA1: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
    const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn list(entries: &str) -> Result<Listing, Nonsense> {
        let info = RepoInfo {
            id: RepoId::new(RepoKind::Model, "org/name").unwrap(),
            commit: Commit::new(SHA1).unwrap(),
            private: false,
            gating: Gating::Open,
            license: None,
            last_modified: None,
            tags: Vec::new(),
        };
        let url = Url::parse("https://hub.example/api").unwrap();
        sort_out(&info, read(format!("[{entries}]").as_bytes(), &url).unwrap())
    }

    /// An entry as the Hub writes it for a regular file.
    fn regular(path: &str) -> String {
        serde_json::json!({ "type": "file", "oid": SHA1, "size": 7, "path": path }).to_string()
    }

    fn paths(listing: &Listing) -> Vec<&str> {
        listing.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn files_are_listed_with_their_own_kind_of_digest() {
        let lfs = format!(
            r#"{{"type":"file","oid":"{SHA1}","size":9,"path":"a/m.bin","xetHash":"x","lfs":{{"oid":"{SHA256}","size":9,"pointerSize":130}}}}"#
        );
        let folder = r#"{"type":"directory","oid":"x","size":0,"path":"a"}"#;
        let listing = list(&[folder, &regular("config.json"), &lfs].join(",")).unwrap();
        let seen: Vec<_> =
            listing.files.iter().map(|file| (file.path.as_str(), file.size, file.digest)).collect();
        assert_eq!(
            seen,
            [
                ("config.json", 7, Digest::git_sha1(SHA1).unwrap()),
                ("a/m.bin", 9, Digest::sha256(SHA256).unwrap()),
            ]
        );
        assert_eq!((listing.total(), listing.refused), (16, vec![]));
    }

    #[test]
    fn what_cannot_be_trusted_is_refused_by_name() {
        let file = |rest: &str| format!(r#"{{"type":"file","path":"x",{rest}}}"#);
        for (entry, reason) in [
            (regular("../x"), RefusalReason::Path(PathError::Dots)),
            (regular("/etc/x"), RefusalReason::Path(PathError::Absolute)),
            (regular("a\0b"), RefusalReason::Path(PathError::Character)),
            (regular(".cache/hfdown/x"), RefusalReason::Path(PathError::Reserved)),
            (regular(""), RefusalReason::Path(PathError::Empty)),
            (file(&format!(r#""oid":"{SHA1}""#)), RefusalReason::Size),
            (file(&format!(r#""oid":"{SHA1}","size":-1"#)), RefusalReason::Size),
            (file(&format!(r#""oid":"{SHA1}","size":"7""#)), RefusalReason::Size),
            (file(&format!(r#""oid":"{SHA1}","size":1e30"#)), RefusalReason::Size),
            (file(&format!(r#""size":7,"lfs":{{"oid":"{SHA256}","size":8}}"#)), RefusalReason::Size),
            (file(r#""size":7"#), RefusalReason::Digest),
            (file(r#""size":7,"oid":"main""#), RefusalReason::Digest),
            (file(&format!(r#""size":7,"oid":"{SHA256}""#)), RefusalReason::Digest),
            (file(&format!(r#""oid":"{SHA1}","size":7,"lfs":{{}}"#)), RefusalReason::Digest),
        ] {
            let listing = list(&[entry.as_str(), &regular("good")].join(",")).unwrap();
            assert_eq!(paths(&listing), ["good"], "{entry}");
            let [refused] = listing.refused.as_slice() else { panic!("{entry}: {:?}", listing.refused) };
            assert_eq!(refused.reason, reason, "{entry}");
        }
    }

    #[test]
    fn a_name_that_is_also_a_folder_is_refused() {
        let listing = list(&["a", "a/b", "a/b/c", "a", "ab", "a-b"].map(regular).join(",")).unwrap();
        assert_eq!(paths(&listing), ["a/b/c", "ab", "a-b"]);
        let refused: Vec<_> =
            listing.refused.iter().map(|refused| (refused.name.as_str(), refused.reason)).collect();
        assert_eq!(
            refused,
            [("a", RefusalReason::Duplicate), ("a", RefusalReason::Parent), ("a/b", RefusalReason::Parent)]
        );
    }

    #[test]
    fn sizes_that_cannot_be_added_are_nonsense() {
        let giant = |path: &str| regular(path).replace(":7", &format!(":{}", u64::MAX));
        assert_eq!(list(&[giant("a"), giant("b")].join(",")), Err(Nonsense::Sizes));
    }
}
