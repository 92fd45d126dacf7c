//! What the Hub's list says of files that no sync needs, and `huggingface_hub` wants to find in its cache: with it, `hf` need
//! not ask for each file.

use hfdown_agent::digest_like;
use hfdown_protocol::{Digest, FileRow, XetHash};

use super::entry::TreeEntry;

/// Listings of more files are not written into a cache: `hf` asks the Hub itself then. Those of 50,000 have about 8 MB.
pub(super) const MOST_FILES: usize = 50_000;

/// What Xet knows files by beyond these rows is kept of large ones alone: no other is looked for there.
const LARGE: u64 = 1 << 20;
/// And of so many: they have 9 MB. A terabyte in files of 4 MB is as many.
const MOST_HASHES: usize = 256 * 1024;

/// By the rows of a table of files, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeDetails {
    /// What Xet knows the content by.
    xet_hashes: Vec<(u32, XetHash)>,
    /// Long listings have none of these. What git knows LFS files by whose pointers are not written as Git LFS writes them.
    pointers: Vec<(u32, Digest)>,
}

impl TreeDetails {
    /// Keeps what an entry says of the file in this row, which is behind all others.
    pub(super) fn add(&mut self, row: usize, entry: &TreeEntry, file: &FileRow<'_>) {
        let is_long = row >= MOST_FILES;
        let Ok(row) = u32::try_from(row) else { return };
        if (!is_long || file.size > LARGE) && self.xet_hashes.len() < MOST_HASHES {
            self.xet_hashes.extend(entry.xet_hash().map(|hash| (row, hash)));
        }
        if is_long {
            self.pointers = Vec::new();
            return;
        }
        let pointer = entry.blob().filter(|blob| *blob != usual_blob(file));
        self.pointers.extend(pointer.map(|blob| (row, blob)));
    }

    /// The same where the Xet store knows these rows by these names.
    #[cfg(test)]
    pub(crate) fn knows_by(&mut self, names: impl IntoIterator<Item = (u32, String)>) {
        let names = names.into_iter().map(|(row, name)| (row, name.parse().unwrap()));
        self.xet_hashes.extend(names);
    }

    /// What the Xet store calls the file in this row.
    pub fn xet_hash(&self, row: u32) -> Option<XetHash> {
        find(&self.xet_hashes, row)
    }

    /// What git knows the file in this row by: the digest of its content, or of its LFS pointer.
    pub(super) fn blob(&self, row: u32, file: &FileRow<'_>) -> Digest {
        find(&self.pointers, row).unwrap_or_else(|| usual_blob(file))
    }
}

fn find<T: Copy>(details: &[(u32, T)], row: u32) -> Option<T> {
    let index = details.binary_search_by_key(&row, |(row, _)| *row).ok()?;
    Some(details[index].1)
}

fn usual_blob(file: &FileRow<'_>) -> Digest {
    let (sha256, size) = match file.digest {
        blob @ Digest::GitSha1(_) => return blob,
        sha256 @ Digest::Sha256(_) => (sha256, file.size),
    };
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n");
    digest_like(Digest::GitSha1([0; 20]), pointer.as_bytes())
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::RepoPath;

    use super::*;

    #[test]
    fn of_long_listings_what_xet_knows_large_files_by_is_kept() {
        let entry = |number: u32| -> TreeEntry {
            let (hash, oid) = (format!("{number:064x}"), format!("{number:040x}"));
            serde_json::from_value(serde_json::json!({"xetHash": hash, "oid": oid})).unwrap()
        };
        let path = RepoPath::new("a").unwrap();
        let file = |size| FileRow { path: path.view(), size, digest: Digest::Sha256([0; 32]) };
        let hash = |number: u32| Some(format!("{number:064x}").parse::<XetHash>().unwrap());
        let mut details = TreeDetails::default();
        details.add(3, &entry(3), &file(9));
        assert_eq!((details.xet_hash(3), details.pointers.len()), (hash(3), 1));
        let last = u32::try_from(MOST_FILES).unwrap() - 1;
        for (row, size) in [(last, 9), (last + 1, LARGE), (last + 2, LARGE + 1), (900_000, LARGE + 1)] {
            details.add(row as usize, &entry(row), &file(size));
        }
        let found = [3, last, last + 1, last + 2, 900_000].map(|row| details.xet_hash(row));
        assert_eq!(found, [hash(3), hash(last), None, hash(last + 2), hash(900_000)]);
        assert_eq!(details.pointers.len(), 0);
        for row in 0..u32::try_from(2 * MOST_HASHES).unwrap() {
            details.add(1_000_000 + row as usize, &entry(row), &file(LARGE + 1));
        }
        assert_eq!(details.xet_hashes.len(), MOST_HASHES);
    }
}
