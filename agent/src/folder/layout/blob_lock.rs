//! The lock that `huggingface_hub` holds while it fetches a blob.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};

use cap_std::fs::Dir;
use hfdown_protocol::{RepositoryFolder, Wanted};

use super::disk_layout::Claim;
use crate::cache_place::locks_below;
use crate::own_folder::{MissingFolders, OwnFolder};
use crate::system::{self, FileAccess, FileMode};

/// Who may use a lock, as `huggingface_hub` has it whatever the umask.
const LOCK: u32 = 0o664;

/// Takes it, if it is free. It saves a second download, and nothing depends on it: what can't be locked is fetched without.
pub(super) fn take(cache: &Dir, repository: &RepositoryFolder, wanted: &Wanted) -> io::Result<Claim> {
    let name = format!("{}.lock", wanted.digest);
    let locks = OwnFolder::below(cache, &locks_below(repository), MissingFolders::Make);
    let opened = locks.and_then(|locks| open(&locks, &name).map(|opened| (locks, opened)));
    let (locks, (lock, is_new)) = match opened {
        Err(error) if system::stops_all(&error) => return Err(error),
        Err(_) => return Ok(Claim::Ours(None)),
        Ok(opened) => opened,
    };
    Ok(match lock.try_lock() {
        Ok(()) => Claim::Ours(Some(lock)),
        Err(TryLockError::WouldBlock) => Claim::Busy,
        Err(TryLockError::Error(_)) => {
            if is_new {
                // Where a disk has no locks, a file that is there is one to `huggingface_hub`, which waits until it is gone.
                let _ = locks.remove(&name);
            }
            Claim::Ours(None)
        }
    })
}

/// The file, open, and whether it was not there.
fn open(locks: &OwnFolder, name: &str) -> io::Result<(File, bool)> {
    let open = || system::open_file(locks.dir(), name, FileAccess::ReadWrite).map(|file| (file, false));
    match open() {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        opened => return opened,
    }
    match system::create_file(locks.dir(), name, FileMode::Usual) {
        // Another program was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => open(),
        created => {
            let file = created?;
            // Other users of the cache are to wait for it as well.
            let _ = system::set_mode(&file, LOCK);
            Ok((file, true))
        }
    }
}
