//! What a commit contains: every file with its size and digest, and every name that was refused.

use std::fmt;
use std::sync::Arc;

use hfdown_protocol::{Commit, FileTable, TooManyFiles, limits};
use reqwest::header::HeaderMap;
use serde::Deserializer;
use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use url::Url;

use super::client::nonsense;
use super::entry::{EntryKind, ListedFile, RefusalReason, TreeEntry};
use super::error_response::Resource;
use super::interception::json_by;
use super::listing_builder::ListingBuilder;
use super::{Hub, HubError, Nonsense, RepoId, RepoInfo, TreeDetails, page};

/// All files of a repository at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The repository.
    pub repo: RepoId,
    /// The commit.
    pub commit: Commit,
    /// Its files, in the Hub's order. Paths are unique, and none lies below another.
    pub files: Arc<FileTable>,
    /// What else it says of them.
    pub details: TreeDetails,
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
/// The most pages of one listing. [`limits::FILES`] in folders of their own are two entries each, and need 2,000 pages at
/// the Hub's 1,000 entries; folders within folders are more.
const PAGES: usize = 10 * limits::FILES / 1000;

#[cfg(test)]
impl Listing {
    /// A listing of these files for tests, with their sizes and digests.
    pub(crate) fn of<'a>(files: impl IntoIterator<Item = (&'a str, u64, hfdown_protocol::Digest)>) -> Self {
        let mut table = FileTable::default();
        for (name, size, digest) in files {
            let path = hfdown_protocol::RepoPath::new(name).unwrap();
            table.push(hfdown_protocol::FileRow { path: path.view(), size, digest }).unwrap();
        }
        Self {
            repo: "acme/model".parse().unwrap(),
            commit: Commit::new("607a30d783dfa663caf39e06633721c8d4cfcd7e").unwrap(),
            files: Arc::new(table),
            details: TreeDetails::default(),
            refused: Vec::new(),
        }
    }
}

impl Listing {
    fn new(info: &RepoInfo, listed: ListingBuilder) -> Result<Self, Nonsense> {
        let (files, details, refused) = listed.finish()?;
        let (repo, commit) = (info.id.clone(), info.commit.clone());
        Ok(Self { repo, commit, files: Arc::new(files), details, refused })
    }

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
    /// Lists the files of a repository at its commit. How many there are so far is told after each page.
    pub async fn list(&self, info: &RepoInfo) -> Result<Listing, HubError> {
        let start = self.endpoint().tree(&info.id, &info.commit);
        let mut url = start.clone();
        let mut listing = ListingBuilder::default();
        for _ in 0..PAGES {
            let page = self.get(Resource::Repository, &url, PAGE).await?;
            let added = read(&page.body, &page.headers, &page.url, &mut listing)?;
            added.map_err(|TooManyFiles| nonsense(&start, Nonsense::TooManyFiles))?;
            self.tell_listed(listing.len());
            // Where the question was sent, not where redirects led it: the token goes there, and only there.
            match page::next(self.endpoint(), &url, &page.headers) {
                None => {
                    drop(page);
                    return Listing::new(info, listing).map_err(|what| nonsense(&start, what));
                }
                Some(Ok(next)) if next != url => url = next,
                Some(Ok(_)) => break,
                Some(Err(_)) => return Err(nonsense(&url, Nonsense::Location)),
            }
        }
        Err(nonsense(&start, Nonsense::Endless))
    }
}

/// Adds the entries of a page that may be files. Some mirrors send a whole repository as one page: each entry is looked at
/// and forgotten.
fn read(
    body: &[u8],
    headers: &HeaderMap,
    url: &Url,
    listing: &mut ListingBuilder,
) -> Result<Result<(), TooManyFiles>, HubError> {
    let mut added = Ok(());
    let mut add = |entry: TreeEntry| {
        if added.is_ok() && entry.kind() != EntryKind::Other {
            added = listing.add(&entry);
        }
    };
    json_by(Entries(&mut add), body, headers, url)?;
    Ok(added)
}

/// A list of entries, which are handed on one by one.
struct Entries<'a>(&'a mut dyn FnMut(TreeEntry));

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element()? {
            (self.0)(entry);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::{Digest, PathError};

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
        let mut listing = ListingBuilder::default();
        let body = format!("[{entries}]");
        read(body.as_bytes(), &HeaderMap::new(), &url, &mut listing).unwrap().unwrap();
        Listing::new(&info, listing)
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
    fn what_hf_wants_to_know_besides_is_kept() {
        let other = SHA1.replace('e', "f");
        let lfs = |path: &str, oid: &str, xet: &str| {
            format!(
                r#"{{"type":"file","oid":"{oid}","size":9,"path":"{path}","xetHash":{xet},"lfs":{{"oid":"{SHA256}","size":9}}}}"#
            )
        };
        let usual = "e97e55613c2aea9fd3987882975de63e4e9c63fd";
        let hash = format!("\"{}\"", SHA256.to_uppercase());
        let kept = Some(SHA256.to_owned());
        for (oid, xet, blob, expected) in [
            (usual, &*hash, usual, &kept),
            (&other, &hash, &other, &kept),
            ("", "null", usual, &None),
            ("main", "[]", usual, &None),
            (&other, r#""x""#, &other, &None),
            (&other, &format!("\"{SHA1}\""), &other, &None),
            (&other, &format!("\"{SHA256}0\""), &other, &None),
        ] {
            let listing = list(&[regular("z"), lfs("a", oid, xet), regular("b")].join(",")).unwrap();
            let text = crate::hub::tree_text(&listing).unwrap().flatten().collect::<Vec<u8>>();
            let tree: serde_json::Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(tree["files"]["a"]["blob_id"], blob, "{oid} {xet}");
            let xet_hash = tree["files"]["a"].get("xet_hash").map(|hash| hash.as_str().unwrap().to_owned());
            assert_eq!(xet_hash, *expected, "{oid} {xet}");
            for regular in ["b", "z"] {
                assert_eq!(tree["files"][regular], serde_json::json!({ "size": 7, "blob_id": SHA1 }));
            }
        }
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
