//! How a proved file gets its final name, and how a stray one loses it.

use std::io;

use cap_std::fs::Dir;
use hfdown_protocol::{Digest, Failure, FailureKind, Layout, RepoPath, Stamp, Stray};

use super::hub_metadata;
use super::records::{Origin, Record, Records};
use super::root::{Root, Standing};
use crate::disk;

/// Gives a proved and flushed file of the parts' folder its final name: atomic, and only over what the plan has seen.
/// Returns what it looks like there.
pub(crate) fn place(
    root: &Root,
    part: &str,
    path: &RepoPath,
    replaces: Option<Stamp>,
) -> Result<Stamp, Failure> {
    let attempt = || format!("cannot place {path}");
    let there = match root.standing(path) {
        Standing::Nothing => None,
        Standing::File(stamp) => Some(stamp),
        Standing::Obstacle(failure) => return Err(failure),
    };
    if there.is_some() && there != replaces {
        return Err(changed_meanwhile(path));
    }
    let folder = folder(root)?;
    let renamed = || -> io::Result<Stamp> {
        if let Some(parent) = path.parent() {
            folder.create_dir_all(parent)?;
        }
        root.parts_io()?.rename(part, folder, path.as_str())?;
        sync_folder(folder, path.parent())?;
        Ok(disk::stamp(&folder.metadata(path.as_str())?))
    };
    renamed().map_err(|error| disk::failure(&attempt(), &error))
}

/// Removes a file that an earlier run placed, if it still is what that run left, and the folders that it empties.
pub(crate) fn remove_stray(root: &Root, records: &mut Records, stray: &Stray) -> Result<(), Failure> {
    let Stray { path, stamp } = stray;
    let is_ours =
        records.get(path).is_some_and(|record| record.origin == Origin::Placed && record.stamp == *stamp);
    match root.standing(path) {
        Standing::Nothing => {
            records.remove(path);
            return Ok(());
        }
        Standing::File(there) if is_ours && there == *stamp => {}
        Standing::File(_) => return Err(changed_meanwhile(path)),
        Standing::Obstacle(failure) => return Err(failure),
    }
    let folder = folder(root)?;
    folder
        .remove_file(path.as_str())
        .and_then(|()| hub_metadata::remove(folder, path))
        .map_err(|error| disk::failure(&format!("cannot remove {path}"), &error))?;
    records.remove(path);
    let mut parent = path.parent();
    while let Some(emptied) = parent.filter(|parent| folder.remove_dir(parent).is_ok()) {
        parent = emptied.rsplit_once('/').map(|(above, _)| above);
    }
    Ok(())
}

impl Records {
    /// Remembers that a file is right, and tells `hf` so as well.
    pub(crate) fn remember(
        &mut self,
        root: &Root,
        path: &RepoPath,
        digest: Digest,
        stamp: Stamp,
        origin: Origin,
    ) -> Result<(), Failure> {
        let Layout::Folder { commit } = root.layout() else { return Ok(()) };
        let folder = folder(root)?;
        hub_metadata::write(folder, path, commit, digest)
            .and_then(|()| self.insert(root.work_io()?, path.clone(), Record { origin, digest, stamp }))
            .map_err(|error| disk::failure(&format!("cannot record {path}"), &error))
    }
}

impl Root {
    fn parts_io(&self) -> io::Result<&Dir> {
        self.parts().map_err(io::Error::other)
    }

    fn work_io(&self) -> io::Result<&Dir> {
        self.work().map_err(io::Error::other)
    }
}

fn folder(root: &Root) -> Result<&Dir, Failure> {
    root.folder().ok_or_else(|| Failure::new(FailureKind::Protocol, "the folder is not there"))
}

/// The new name itself must survive a crash of the machine.
fn sync_folder(root: &Dir, parent: Option<&str>) -> io::Result<()> {
    #[cfg(unix)]
    // Opened as a file: cap-std's own handles of folders are `O_PATH`, which can't be flushed.
    root.open(parent.unwrap_or("."))?.sync_all()?;
    #[cfg(not(unix))]
    let _ = (root, parent);
    Ok(())
}

fn changed_meanwhile(path: &RepoPath) -> Failure {
    Failure::new(FailureKind::ChangedMeanwhile, format_args!("{path} changed since it was looked at"))
}
