//! Whether a run is under way on a repository of the cache: one of hfdown, which holds the lock in `.hfdown`, or one of
//! `hf`, which holds `.locks/<repository>/<blob>.lock` while it fetches that blob.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};

use cap_std::fs::Dir;

use super::cache_folder::HubCache;
use super::removal::RemovalFault;
use crate::cache_place::{LOCKS, OWN};
use crate::folder::{LOCK as OWN_LOCK, Lock, LockAttempt, holder_shown};
use crate::own_folder::{MissingFolders, OwnFolder};
use crate::system::{self, DiskFeature, FileAccess};

/// The end of their names.
const LOCK: &str = ".lock";

/// A repository that is ours for as long as this is held.
#[derive(Debug)]
pub(super) struct RepositoryLock {
    pub(super) own: OwnFolder,
    _lock: Lock,
}

/// What `hf`'s lock on a blob says.
#[derive(Debug)]
pub(super) enum BlobLock {
    /// No run of `hf` has the blob in its hands, and none will while this is held. None where it never had.
    Free { _lock: Option<File> },
    /// One has.
    Held,
    /// The disk has no locks.
    Unknown,
}

impl RepositoryLock {
    /// Takes the lock of a repository, unless a run is under way there.
    pub(super) fn take(cache: &HubCache, name: &str, repository: &Dir) -> Result<Self, RemovalFault> {
        let fail = |error| RemovalFault::failed(format!("cannot lock {name}"), error);
        let mut own = OwnFolder::below(repository, OWN, MissingFolders::MakeOurs).map_err(fail)?;
        if own.check().map_err(fail)?.is_err() {
            let why = "its folder .hfdown is another user's, or others may write to it";
            return Err(fail(io::Error::new(ErrorKind::PermissionDenied, why)));
        }
        let lock = match Lock::attempt(&own).map_err(fail)? {
            LockAttempt::Held(lock) => lock,
            LockAttempt::Busy(holder) => {
                return Err(RemovalFault::Held { holder: format!("hfdown, {}", holder_shown(&holder)) });
            }
        };
        // From here on the folder goes again where it was made for this.
        let taken = Self { own, _lock: lock };
        match held_by_hf(cache, name) {
            Ok(None) => Ok(taken),
            found => {
                taken.leave(repository);
                match found {
                    Ok(Some(lock)) => Err(RemovalFault::Held { holder: format!("hf, by its lock {lock}") }),
                    Err(error) => Err(fail(error)),
                    Ok(None) => Err(fail(ErrorKind::Other.into())),
                }
            }
        }
    }

    /// Removes what was made for the lock, where nothing else is there.
    pub(super) fn leave(&self, repository: &Dir) {
        let others = self.own.entries().any(|entry| entry.file_name() != OWN_LOCK);
        if !others {
            let _ = Lock::remove_file(&self.own);
            let _ = repository.remove_dir(OWN);
        }
    }
}

/// The first lock of a repository that `hf` holds.
fn held_by_hf(cache: &HubCache, repository: &str) -> io::Result<Option<String>> {
    let Some(locks) = locks_of(cache, repository)? else { return Ok(None) };
    for entry in locks.entries()? {
        let file_name = entry?.file_name();
        let Some(name) = file_name.to_str().and_then(|name| name.strip_suffix(LOCK)) else { continue };
        if matches!(attempt(&locks, name)?, BlobLock::Held) {
            return Ok(Some(format!("{LOCKS}/{repository}/{name}{LOCK}")));
        }
    }
    Ok(None)
}

/// The folder of `hf`'s locks on a repository's blobs, if it has ever had any.
pub(super) fn locks_of(cache: &HubCache, repository: &str) -> io::Result<Option<Dir>> {
    let opened =
        system::open_folder(&cache.root, LOCKS).and_then(|locks| system::open_folder(&locks, repository));
    match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// Takes `hf`'s lock on a blob, if there is one, without waiting for it.
pub(super) fn attempt(locks: &Dir, blob: &str) -> io::Result<BlobLock> {
    let name = format!("{blob}{LOCK}");
    let file = match system::open_file(locks, &name, FileAccess::ReadWrite) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BlobLock::Free { _lock: None }),
        // Another user's, in a cache that several share, can be looked at at least.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            system::open_file(locks, &name, FileAccess::Read)?
        }
        // A link, a folder: none of `hf`'s.
        Err(error) if system::is_no_file_of_ours(&error) => return Ok(BlobLock::Free { _lock: None }),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(BlobLock::Free { _lock: Some(file) }),
        Err(TryLockError::WouldBlock) => Ok(BlobLock::Held),
        Err(TryLockError::Error(error)) if system::lacks(DiskFeature::Locks, &error) => Ok(BlobLock::Unknown),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
