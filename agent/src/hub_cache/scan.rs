//! Everything that is in the cache.

use std::collections::HashSet;
use std::io;

use super::blob_table::BlobPayload;
use super::cache_folder::HubCache;
use super::cached_id::CachedId;
use super::flaw::{CacheFlaw, FlawKind};
use super::repository_scan::{self, Amount, CachedRepository};
use super::shared_store::{self, StoredHash};
use crate::cache_place::LOCKS;

/// Files that systems put into every folder, for themselves.
const OF_SYSTEMS: [&str; 3] = [".DS_Store", "Thumbs.db", "desktop.ini"];
/// What else may be in a cache: locks, the tag for backup programs, what versions of transformers and diffusers note.
const NO_REPOSITORIES: [&str; 4] = [LOCKS, "CACHEDIR.TAG", "version.txt", "version_diffusers_cache.txt"];

/// What is in a cache.
#[derive(Debug, Default)]
pub struct CacheScan {
    /// The repositories, by kind and name.
    pub repositories: Vec<CachedRepository>,
    /// What is odd.
    pub flaws: Vec<CacheFlaw>,
    /// What stands in the cache's folder and is none of the above.
    pub foreign: Vec<String>,
    /// What all versions take on disk, each blob counted once, and whatever is in the shared store.
    pub bytes: u64,
    /// The shared store.
    pub shared: Amount,
    /// The files of the shared store, their sizes, and whether it is listed what has links to them.
    pub(super) stored: Vec<(StoredHash, u64, bool)>,
    /// Those that no repository has a link to.
    pub(super) unreferenced: Vec<StoredHash>,
}

/// Whether a name is that of a file that systems put into every folder.
pub(super) fn is_of_the_system(name: &str) -> bool {
    OF_SYSTEMS.contains(&name)
}

impl HubCache {
    /// Looks at everything.
    pub fn scan(&self) -> io::Result<CacheScan> {
        let mut scan = CacheScan::default();
        let store = shared_store::open(self);
        for entry in self.root.entries()? {
            let entry = entry?;
            let file_name = entry.file_name();
            let Some(name) = file_name.to_str() else {
                scan.foreign.push(file_name.to_string_lossy().into_owned());
                continue;
            };
            if is_of_the_system(name)
                || NO_REPOSITORIES.contains(&name)
                || store.is_some() && name == shared_store::FOLDER
            {
                continue;
            }
            let Some(id) = CachedId::of_folder(name) else {
                scan.foreign.push(name.to_owned());
                continue;
            };
            let kind = entry.file_type()?;
            if kind.is_symlink() {
                let target = self.root.read_link_contents(name).unwrap_or_default();
                let kind = FlawKind::LinkedRepository { target: target.to_string_lossy().into_owned() };
                scan.flaws.push(CacheFlaw { path: name.to_owned(), kind });
            } else if !kind.is_dir() {
                scan.flaws.push(CacheFlaw::unexpected(name));
            } else {
                match repository_scan::scan(self, id, name, &mut scan.flaws) {
                    Ok(repository) => scan.repositories.push(repository),
                    Err(error) => scan.flaws.push(CacheFlaw::unreadable(name, &error)),
                }
            }
        }
        scan.repositories.sort_by(|one, other| one.id.cmp(&other.id));
        scan.foreign.sort_unstable();
        scan.stored = store.as_ref().map(shared_store::files).unwrap_or_default();
        scan.shared = scan.stored.iter().map(|(_, size, _)| *size).collect();
        scan.unreferenced = unreferenced(&scan);
        let own = |repository: &CachedRepository| match store {
            Some(_) => repository.own_bytes(),
            None => repository.amount.bytes,
        };
        scan.bytes = scan.repositories.iter().map(own).sum::<u64>() + scan.shared.bytes;
        Ok(scan)
    }
}

/// The files of the shared store that no repository has a link to. Of one whose links are not listed it is not known.
fn unreferenced(scan: &CacheScan) -> Vec<StoredHash> {
    let blobs = scan.repositories.iter().flat_map(|repository| repository.blobs.iter());
    let linked: HashSet<StoredHash> = blobs
        .filter_map(|blob| match &blob.payload {
            BlobPayload::Shared(hash) => Some(**hash),
            _ => None,
        })
        .collect();
    let is_unreferenced = |hash: &StoredHash, is_listed: bool| is_listed && !linked.contains(hash);
    let stored = scan.stored.iter();
    stored.filter(|(hash, _, is_listed)| is_unreferenced(hash, *is_listed)).map(|(hash, ..)| *hash).collect()
}
