//! Files of the shared store that no repository has a link to any more, removed.
//!
//! Three things must agree before one goes: its list of links is there and can be read, none of the links in it is still
//! one, and no repository of the cache has a link that the list does not know of. Whatever is in doubt stays: that costs
//! room, and never a model.

use std::collections::HashSet;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use cap_std::fs::Dir;
use tokio_util::sync::CancellationToken;

use super::cache_folder::HubCache;
use super::cached_id::CachedId;
use super::repository_scan::Amount;
use super::shared_store::{self, LIST, StoredHash};
use crate::cache_place::BLOBS;
use crate::system::{self, FileAccess, FileMode};

const LOCK: &str = ".lock";
/// The largest list that is read: a line for each repository of a cache of 100,000.
const LARGEST: u64 = 32 << 20;

/// Removes those of these files that have no link.
pub(super) fn sweep(cache: &HubCache, hashes: &[StoredHash], stop: &CancellationToken) -> io::Result<Amount> {
    let mut freed = Amount::default();
    let Some(store) = shared_store::open(cache).filter(|_| !hashes.is_empty()) else { return Ok(freed) };
    let linked = linked(cache)?;
    for hash in hashes.iter().filter(|hash| !linked.contains(hash)) {
        if stop.is_cancelled() {
            return Err(ErrorKind::Interrupted.into());
        }
        let name = hash.to_string();
        let Ok(folder) = system::open_folder(&store, &name[..2]) else { continue };
        if let Some(bytes) = sweep_one(cache, &folder, hash, &name)? {
            freed = freed + Amount { files: 1, bytes };
        }
    }
    Ok(freed)
}

/// Removes one, while its lock is held. None where it stays.
fn sweep_one(cache: &HubCache, folder: &Dir, hash: &StoredHash, name: &str) -> io::Result<Option<u64>> {
    let lock_name = format!("{name}{LOCK}");
    let lock = match system::create_file(folder, &lock_name, FileMode::Usual) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            match system::open_file(folder, &lock_name, FileAccess::ReadWrite) {
                Ok(lock) => lock,
                Err(_) => return Ok(None),
            }
        }
        created => created?,
    };
    // A run that links to it just now, or a disk that can't tell.
    if lock.try_lock().is_err() {
        return Ok(None);
    }
    let list_name = format!("{name}{LIST}");
    let Ok(list) = system::open_file(folder, &list_name, FileAccess::Read) else { return Ok(None) };
    if !list.metadata()?.is_file() {
        return Ok(None);
    }
    let mut links = String::new();
    if list.take(LARGEST + 1).read_to_string(&mut links).is_err() || links.len() as u64 > LARGEST {
        return Ok(None);
    }
    if links.lines().any(|link| may_lead_to(cache, link, hash)) {
        return Ok(None);
    }
    let metadata = match folder.symlink_metadata(name) {
        Ok(metadata) if metadata.is_file() => metadata,
        _ => return Ok(None),
    };
    folder.remove_file(name)?;
    // `hf` leaves its locks as well.
    let _ = folder.remove_file(&list_name);
    Ok(Some(metadata.len()))
}

/// Whether a path of the list is a link to the file, or can't be looked at.
fn may_lead_to(cache: &HubCache, link: &str, hash: &StoredHash) -> bool {
    let names: Vec<&str> = link.split('/').collect();
    let [repository, BLOBS, name] = names[..] else { return false };
    if CachedId::of_folder(repository).is_none() || name.is_empty() || name.starts_with("..") {
        return false;
    }
    match cache.root.read_link_contents(Path::new(repository).join(BLOBS).join(name)) {
        Ok(target) => leads_to(cache, repository, &target) == Some(*hash),
        // No link: a file of its own.
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput),
    }
}

fn leads_to(cache: &HubCache, repository: &str, target: &Path) -> Option<StoredHash> {
    cache.target_of(&[repository, BLOBS], target).as_deref().and_then(StoredHash::of_path)
}

/// All files of the store that a blob of some repository is a link to. A repository that can't be looked at is an error.
fn linked(cache: &HubCache) -> io::Result<HashSet<StoredHash>> {
    let mut linked = HashSet::new();
    for entry in cache.root.entries()? {
        let entry = entry?;
        let file_name = entry.file_name();
        let Some(repository) = file_name.to_str().filter(|name| CachedId::of_folder(name).is_some()) else {
            continue;
        };
        let blobs = match system::open_folder(&cache.root, repository)
            .and_then(|repository| system::open_folder(&repository, BLOBS))
        {
            Ok(blobs) => blobs,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            // A file, or a repository that is a link: what its links lead to is not in this cache by their text.
            Err(_) if !entry.file_type()?.is_dir() => continue,
            Err(error) => return Err(error),
        };
        for blob in blobs.entries()? {
            let blob = blob?;
            if blob.file_type()?.is_symlink() {
                let target = blobs.read_link_contents(blob.file_name())?;
                linked.extend(leads_to(cache, repository, &target));
            }
        }
    }
    Ok(linked)
}
