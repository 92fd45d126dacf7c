//! What a commit contains: every file with its size and digest, and every name that was refused.

use std::collections::HashSet;

use hfdown_protocol::{Commit, Digest, PathError, RepoPath, limits};
use serde::Deserialize;
use url::Url;

use super::answer::{Subject, printable};
use super::client::nonsense;
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
    total: u64,
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
    pub reason: Refusal,
}

/// Why a listed file is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
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
        self.total
    }
}

impl Hub {
    /// Lists the files of a repository at its commit.
    pub async fn list(&self, info: &RepoInfo) -> Result<Listing, HubError> {
        let start = self.endpoint().tree(&info.id, &info.commit);
        let mut url = start.clone();
        let mut entries = Vec::new();
        for _ in 0..PAGES {
            let page = self.get(Subject::Repo, &url, PAGE).await?;
            entries.extend(read(&page.body, &page.url)?);
            if entries.len() > limits::FILES {
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
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    oid: Option<String>,
    #[serde(default)]
    size: serde_json::Value,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    #[serde(alias = "sha256")]
    oid: Option<String>,
    #[serde(default)]
    size: serde_json::Value,
}

/// The files of a page.
fn read(body: &[u8], url: &Url) -> Result<Vec<Entry>, HubError> {
    let mut entries: Vec<Entry> = serde_json::from_slice(body)
        .map_err(|error| nonsense(url, Nonsense::Json(printable(&error.to_string()))))?;
    entries.retain(|entry| entry.kind == "file");
    Ok(entries)
}

/// Tells files from what has to be refused.
fn sort_out(info: &RepoInfo, entries: Vec<Entry>) -> Result<Listing, Nonsense> {
    let mut files: Vec<ListedFile> = Vec::new();
    let mut refused = Vec::new();
    let mut seen = HashSet::new();
    for entry in entries {
        match check(&entry) {
            Ok(file) if seen.insert(file.path.clone()) => files.push(file),
            Ok(_) => refused.push(Refused { name: entry.path, reason: Refusal::Duplicate }),
            Err(reason) => refused.push(Refused { name: entry.path, reason }),
        }
    }
    let folders: HashSet<String> =
        files.iter().flat_map(|file| folders(&file.path)).map(str::to_owned).collect();
    let (parents, files): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| folders.contains(file.path.as_str()));
    refused
        .extend(parents.into_iter().map(|file| Refused { name: file.path.into(), reason: Refusal::Parent }));
    let total =
        files.iter().try_fold(0_u64, |total, file| total.checked_add(file.size)).ok_or(Nonsense::Sizes)?;
    Ok(Listing { repo: info.id.clone(), commit: info.commit.clone(), files, refused, total })
}

fn check(entry: &Entry) -> Result<ListedFile, Refusal> {
    let path = RepoPath::new(entry.path.as_str())?;
    let size = entry.size.as_u64().ok_or(Refusal::Size)?;
    let digest = match &entry.lfs {
        Some(lfs) if !lfs.size.is_null() && lfs.size.as_u64() != Some(size) => return Err(Refusal::Size),
        Some(lfs) => lfs.oid.as_deref().map(|oid| Digest::sha256(oid.strip_prefix("sha256:").unwrap_or(oid))),
        None => entry.oid.as_deref().map(Digest::git_sha1),
    };
    Ok(ListedFile { path, size, digest: digest.and_then(Result::ok).ok_or(Refusal::Digest)? })
}

/// Every folder above a file.
fn folders(path: &RepoPath) -> impl Iterator<Item = &str> {
    path.as_str().match_indices('/').map(|(end, _)| &path.as_str()[..end])
}
