//! What a commit contains: every file with its size and digest, and every name that was refused.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hfdown_protocol::{Commit, Digest, FileRow, FileTable, RepoPath, limits};
use reqwest::header::HeaderMap;
use url::Url;

use super::client::nonsense;
use super::entry::{EntryKind, ListedFile, RefusalReason, TreeEntry};
use super::error_response::Resource;
use super::interception::json;
use super::{Hub, HubError, Nonsense, RepoId, RepoInfo, page};

/// All files of a repository at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The repository.
    pub repo: RepoId,
    /// The commit.
    pub commit: Commit,
    /// Its files, in the Hub's order. Paths are unique, and none lies below another.
    pub files: Arc<FileTable>,
    /// What the Hub lists and we don't touch.
    pub refused: Vec<Refused>,
}

/// A file that is listed and refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its name as the Hub lists it: hostile text, to be sanitised before it is shown.
    pub name: String,
    /// Why it is refused.
    pub reason: RefusalReason,
}

/// The most bytes of one page. The Hub's hold 1,000 entries in about 300 KB; some mirrors send everything as one page.
const PAGE: u64 = 64 << 20;
/// The most pages of one listing: twice what [`limits::FILES`] need at the Hub's 1,000 entries each.
const PAGES: usize = 2 * limits::FILES / 1000;
/// The bytes that an LFS pointer stays below, by the specification of Git LFS.
const LARGEST_POINTER: u64 = 1024;

impl Listing {
    /// The size of all files together, in bytes.
    pub fn total(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The file of this name.
    pub fn find(&self, name: &str) -> Option<ListedFile> {
        self.files.iter().find(|file| file.path.as_str() == name).map(ListedFile::from)
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
            let more = read(&page.body, &page.headers, &page.url)?;
            names += more.iter().map(|entry| entry.name().len()).sum::<usize>();
            entries.extend(more);
            if entries.len() > limits::FILES || names > limits::NAMES {
                break;
            }
            // Where the question was sent, not where redirects led it: the token goes there, and only there.
            match page::next(self.endpoint(), &url, &page.headers) {
                None => return sort_out(info, &entries).map_err(|what| nonsense(&start, what)),
                Some(Ok(next)) if next != url => url = next,
                Some(Ok(_)) => break,
                Some(Err(_)) => return Err(nonsense(&url, Nonsense::Location)),
            }
        }
        Err(nonsense(&start, Nonsense::Endless))
    }
}

/// The entries of a page that may be files.
fn read(body: &[u8], headers: &HeaderMap, url: &Url) -> Result<Vec<TreeEntry>, HubError> {
    let mut entries: Vec<TreeEntry> = json(body, headers, url)?;
    entries.retain(|entry| entry.kind() != EntryKind::Other);
    Ok(entries)
}

/// Tells files from what has to be refused.
fn sort_out(info: &RepoInfo, entries: &[TreeEntry]) -> Result<Listing, Nonsense> {
    let mut found: Vec<Result<ListedFile, Refused>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for entry in entries {
        let name = entry.name();
        let file = entry.file().map_err(|reason| Refused { name: name.to_owned(), reason });
        match places.entry(name) {
            Entry::Vacant(place) => {
                place.insert(found.len());
                found.push(file);
            }
            Entry::Occupied(place) => {
                let first = &mut found[*place.get()];
                *first = either(first, file);
            }
        }
    }
    let folders: HashSet<String> =
        found.iter().flatten().flat_map(|file| folders(&file.path)).map(str::to_owned).collect();
    let unsaid: HashSet<&str> =
        entries.iter().filter(|entry| entry.kind() == EntryKind::Unsaid).map(TreeEntry::name).collect();
    let (mut files, mut refused) = (Vec::new(), Vec::new());
    for found in found {
        let name = found.as_ref().map_or_else(|refused| &*refused.name, |file| file.path.as_str());
        let is_folder = folders.contains(name);
        match found {
            _ if is_folder && unsaid.contains(name) => {}
            Ok(file) if is_folder => {
                refused.push(Refused { name: file.path.into(), reason: RefusalReason::Parent });
            }
            Ok(file) => files.push(file),
            Err(one) => refused.push(one),
        }
    }
    // Checked once, so that sizes can be added up everywhere else.
    files.iter().try_fold(0_u64, |total, file| total.checked_add(file.size)).ok_or(Nonsense::Sizes)?;
    let mut table = FileTable::default();
    for file in files {
        let ListedFile { path, size, digest } = file;
        table.push(FileRow { path: path.view(), size, digest }).map_err(|_| Nonsense::Endless)?;
    }
    Ok(Listing { repo: info.id.clone(), commit: info.commit.clone(), files: Arc::new(table), refused })
}

/// Which of two entries of one name counts: one that can be had, and of two of those the one that describes the content.
/// Two that say the same are one.
fn either(
    first: &Result<ListedFile, Refused>,
    again: Result<ListedFile, Refused>,
) -> Result<ListedFile, Refused> {
    let (one, other) = match (first, again) {
        (Ok(one), Ok(other)) => (one, other),
        // What has been listed in two ways stays so.
        (Err(Refused { reason: RefusalReason::Resized(..) | RefusalReason::Redigested, .. }), _)
        | (_, Err(_)) => {
            return first.clone();
        }
        (Err(_), again) => return again,
    };
    let is_pointer =
        |file: &ListedFile| matches!(file.digest, Digest::GitSha1(_)) && file.size < LARGEST_POINTER;
    let is_large = |file: &ListedFile| matches!(file.digest, Digest::Sha256(_));
    let differ = |reason| Err(Refused { name: other.path.to_string(), reason });
    if *one == other || is_large(one) && is_pointer(&other) {
        Ok(one.clone())
    } else if is_pointer(one) && is_large(&other) {
        Ok(other)
    } else if one.size == other.size {
        differ(RefusalReason::Redigested)
    } else {
        differ(RefusalReason::Resized(one.size, other.size))
    }
}

/// Every folder above a file.
fn folders(path: &RepoPath) -> impl Iterator<Item = &str> {
    path.as_str().match_indices('/').map(|(end, _)| &path.as_str()[..end])
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::PathError;

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
        sort_out(&info, &read(format!("[{entries}]").as_bytes(), &HeaderMap::new(), &url).unwrap())
    }

    /// An entry as the Hub writes it for a regular file.
    fn regular(path: &str) -> String {
        serde_json::json!({ "type": "file", "oid": SHA1, "size": 7, "path": path }).to_string()
    }

    fn paths(listing: &Listing) -> Vec<&str> {
        listing.files.iter().map(|file| file.path.as_str()).collect()
    }

    fn refusals(listing: &Listing) -> Vec<(&str, RefusalReason)> {
        listing.refused.iter().map(|refused| (refused.name.as_str(), refused.reason)).collect()
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
        assert_eq!((listing.total(), listing.refused.as_slice()), (16, &[][..]));
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
            (file(&format!(r#""oid":"{SHA1}""#)), RefusalReason::NoSize),
            (file(r#""size":7,"oid":"main""#), RefusalReason::BadDigest),
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
        assert_eq!(refusals(&listing), [("a", RefusalReason::Parent), ("a/b", RefusalReason::Parent)]);
    }

    #[test]
    fn a_folder_is_none_that_does_not_say_so() {
        let unsaid = |path: &str| regular(path).replace(r#","type":"file""#, "");
        let sizeless = format!(r#"{{"oid":"{SHA1}","path":"b"}}"#);
        let entries = [unsaid("a"), unsaid("a/x"), sizeless, regular("b/x"), unsaid("c")];
        let listing = list(&entries.join(",")).unwrap();
        assert_eq!((paths(&listing), refusals(&listing)), (vec!["a/x", "b/x", "c"], vec![]));
    }

    #[test]
    fn a_name_that_is_listed_twice_is_one_file_if_the_entries_agree() {
        let other = regular("x").replace(SHA1, &SHA1.replace('e', "f"));
        let longer = regular("x").replace(":7", ":8");
        let broken = regular("x").replace(":7", r#":"many""#);
        let pointer = regular("x").replace(":7", ":130");
        let huge = regular("x").replace(":7", ":5000");
        let lfs = format!(r#"{{"type":"file","path":"x","lfs":{{"oid":"{SHA256}","size":9000}}}}"#);
        for (entries, expected) in [
            (vec![&regular("x"), &regular("x"), &regular("x")], Ok(7)),
            (vec![&broken, &regular("x"), &broken], Ok(7)),
            (vec![&pointer, &lfs], Ok(9000)),
            (vec![&lfs, &pointer], Ok(9000)),
            (vec![&regular("x"), &other], Err(RefusalReason::Redigested)),
            (vec![&regular("x"), &longer, &regular("x")], Err(RefusalReason::Resized(7, 8))),
            (vec![&huge, &lfs], Err(RefusalReason::Resized(5000, 9000))),
            (vec![&broken, &broken], Err(RefusalReason::BadSize)),
        ] {
            let entries: Vec<_> = entries.into_iter().cloned().chain([regular("good")]).collect();
            let listing = list(&entries.join(",")).unwrap();
            let x = listing.files.iter().find(|file| file.path.as_str() == "x").map(|file| file.size);
            let seen = match refusals(&listing)[..] {
                [] => Ok(x.unwrap()),
                [("x", reason)] if x.is_none() => Err(reason),
                _ => panic!("{listing:?}"),
            };
            assert_eq!(seen, expected, "{entries:?}");
            assert!(paths(&listing).contains(&"good"), "{entries:?}");
        }
    }

    #[test]
    fn sizes_that_cannot_be_added_are_nonsense() {
        let giant = |path: &str| regular(path).replace(":7", &format!(":{}", u64::MAX));
        assert_eq!(list(&[giant("a"), giant("b")].join(",")), Err(Nonsense::Sizes));
    }
}
