//! What the Hub's list says of files that no sync needs, and `huggingface_hub` wants to find in its cache: with it, `hf` need
//! not ask for each file.

use hfdown_agent::digest_like;
use hfdown_protocol::{Digest, FileRow, XetHash};

use super::entry::TreeEntry;

/// Listings of more files are not written into a cache: `hf` asks the Hub itself then. Those of 50,000 have about 8 MB.
pub(super) const MOST_FILES: usize = 50_000;

/// By the rows of a table of files, in their order. Long listings have none of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeDetails {
    /// What Xet knows the content by, which is written as a SHA-256 is.
    xet_hashes: Vec<(u32, Digest)>,
    /// What git knows LFS files by whose pointers are not written as Git LFS writes them.
    pointers: Vec<(u32, Digest)>,
}

impl TreeDetails {
    /// Keeps what an entry says of the file in this row, which is behind all others.
    pub(super) fn add(&mut self, row: usize, entry: &TreeEntry, file: &FileRow<'_>) {
        let Some(row) = u32::try_from(row).ok().filter(|_| row < MOST_FILES) else {
            *self = Self::default();
            return;
        };
        self.xet_hashes.extend(entry.xet_hash().map(|hash| (row, hash)));
        let pointer = entry.blob().filter(|blob| *blob != usual_blob(file));
        self.pointers.extend(pointer.map(|blob| (row, blob)));
    }

    /// The same where the Xet store knows these rows by these names.
    #[cfg(test)]
    pub(crate) fn knows_by(&mut self, names: impl IntoIterator<Item = (u32, String)>) {
        let names = names.into_iter().map(|(row, name)| (row, Digest::sha256(&name).unwrap()));
        self.xet_hashes.extend(names);
    }

    /// What the Xet store calls the file in this row.
    pub fn xet_hash(&self, row: u32) -> Option<XetHash> {
        // Read as a SHA-256 is, whose bytes are in another order.
        find(&self.xet_hashes, row)?.to_string().parse().ok()
    }

    /// What git knows the file in this row by: the digest of its content, or of its LFS pointer.
    pub(super) fn blob(&self, row: u32, file: &FileRow<'_>) -> Digest {
        find(&self.pointers, row).unwrap_or_else(|| usual_blob(file))
    }
}

fn find(details: &[(u32, Digest)], row: u32) -> Option<Digest> {
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
