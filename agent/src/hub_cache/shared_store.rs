//! The store of Xet files that all repositories of a cache share: `blobs/<two digits>/<hash>`, to which a repository's
//! blob is then a link. Beside each file, `<hash>.refs` lists these links, and `<hash>.lock` is held while either changes.

use std::io::Read as _;

use cap_std::fs::Dir;
use data_encoding::HEXLOWER;

use super::cache_folder::HubCache;
use crate::system::{self, FileAccess};

/// The store's folder in the cache.
pub(super) const FOLDER: &str = "blobs";
/// The file that says the folder is such a store, and what is in it.
const MARKER: (&str, &[u8]) = (".huggingface-shared-blobs", b"1\n");

/// The end of the name of a list of links.
pub(super) const LIST: &str = ".refs";

/// The name of a file in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct StoredHash([u8; 32]);

impl StoredHash {
    /// Reads a name.
    pub(super) fn new(name: &str) -> Option<Self> {
        HEXLOWER.decode(name.as_bytes()).ok()?.try_into().ok().map(Self)
    }

    /// Reads the path of a file in the store, from the cache's folder on.
    pub(super) fn of_path(names: &[String]) -> Option<Self> {
        let [folder, prefix, name] = names else { return None };
        let is_placed = folder == FOLDER && name.get(..2) == Some(prefix);
        Self::new(name).filter(|_| is_placed)
    }
}

impl std::fmt::Display for StoredHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// Opens the cache's store. None where the folder of that name is none: it is left alone then.
pub(super) fn open(cache: &HubCache) -> Option<Dir> {
    let store = system::open_folder(&cache.root, FOLDER).ok()?;
    let (name, content) = MARKER;
    let file = system::open_file(&store, name, FileAccess::Read).ok()?;
    let mut found = Vec::new();
    file.take(content.len() as u64 + 1).read_to_end(&mut found).ok()?;
    (found == content).then_some(store)
}

/// Every file of the store, its size, and whether there is a list of the links to it.
pub(super) fn files(store: &Dir) -> Vec<(StoredHash, u64, bool)> {
    let mut files = Vec::new();
    for folder in store.entries().into_iter().flatten().flatten() {
        let prefix = folder.file_name();
        let Some(prefix) = prefix.to_str().filter(|prefix| prefix.len() == 2) else { continue };
        let Ok(opened) = system::open_folder(store, prefix) else { continue };
        for entry in opened.entries().into_iter().flatten().flatten() {
            let name = entry.file_name();
            let hash = name.to_str().filter(|name| name.starts_with(prefix)).and_then(StoredHash::new);
            if let (Some(hash), Ok(metadata)) = (hash, entry.metadata())
                && metadata.is_file()
            {
                let list = opened.symlink_metadata(format!("{hash}{LIST}"));
                files.push((hash, metadata.len(), list.is_ok_and(|list| list.is_file())));
            }
        }
    }
    files.sort_unstable();
    files
}
