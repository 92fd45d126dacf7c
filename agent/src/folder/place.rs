//! How a proved file gets its final name, and how an extraneous one loses it.

use std::io;

use cap_std::fs::Dir;
use hfdown_protocol::{Digest, ExtraneousFile, Failure, FailureKind, Layout, RepoPath, Stamp, Traces};

use super::hub_metadata;
use super::records::{Origin, Record, Records};
use super::root::{Root, Standing};
use crate::disk;
use crate::system;

/// When a new name is made to survive a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durable {
    /// Before [`place`] returns.
    Now,
    /// With the others of the run, by [`Root::flush_names`]. The bytes are on disk before; a crash costs at most the
    /// file.
    Later,
}

/// Gives a proved and flushed file of the parts' folder its final name: atomic, and only over what the plan has seen.
/// Returns what it looks like there, if nobody has touched it.
pub(crate) fn place(
    root: &Root,
    part: &str,
    path: &RepoPath,
    replaces: Option<Stamp>,
    durable: Durable,
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
        let proved = disk::stamp(&root.parts_io()?.metadata(part)?);
        let rename = || root.parts_io()?.rename(part, folder, path.as_str());
        disk::within_folders(rename, || {
            path.parent().map_or(Ok(()), |parent| folder.create_dir_all(parent))
        })?;
        // Before the disk takes its time. Only the rename's own trace is new here: whatever else is, is not what was
        // proved.
        let Stamp { changed, .. } = disk::stamp(&folder.metadata(path.as_str())?);
        match durable {
            Durable::Now => system::flush_folder(folder, path.parent().unwrap_or("."))?,
            Durable::Later => root.flush_name_later(path.parent()),
        }
        Ok(Stamp { changed, ..proved })
    };
    renamed().map_err(|error| disk::failure(&attempt(), &error))
}

/// Removes a file that an earlier run placed, if it still is what that run left, and the folders that it empties.
pub(crate) fn remove_extraneous(
    root: &Root,
    records: &mut Records,
    file: &ExtraneousFile,
) -> Result<(), Failure> {
    let ExtraneousFile { path, stamp } = file;
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
        let (Layout::LocalDir { commit }, Traces::Keep) = (root.layout(), root.traces()) else {
            return Ok(());
        };
        let folder = folder(root)?;
        hub_metadata::write(folder, path, commit, digest)
            .and_then(|()| self.insert(root.work_io()?, path.clone(), Record { origin, digest, stamp }))
            .map_err(|error| disk::failure(&format!("cannot record {path}"), &error))
    }
}

impl Root {
    /// Makes the names of [`Durable::Later`] survive a crash of the machine: a flush per folder instead of one per
    /// file.
    pub(crate) fn flush_names(&self) -> Result<(), Failure> {
        let parents = self.take_unflushed();
        if parents.is_empty() {
            return Ok(());
        }
        let folder = folder(self)?;
        let flush = |parent: &String| {
            match system::flush_folder(folder, if parent.is_empty() { "." } else { parent }) {
                // Somebody has removed it, names and all.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                flushed => flushed,
            }
        };
        parents
            .iter()
            .try_for_each(flush)
            .map_err(|error| disk::failure(&format!("cannot flush {}", self.path().display()), &error))
    }

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

fn changed_meanwhile(path: &RepoPath) -> Failure {
    Failure::new(FailureKind::ChangedMeanwhile, format_args!("{path} changed since it was looked at"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hfdown_protocol::Access;

    #[test]
    fn small_files_share_the_flush_of_their_folder_and_no_folder_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::Bare;
        let root = Root::open(folder.path().to_str().unwrap(), Access::ReadWrite, layout, Traces::Keep)
            .expect("it opens");
        for (part, path) in [("a", "x/y/one"), ("b", "x/y/two"), ("c", "top")] {
            root.parts().unwrap().write(part, part).unwrap();
            place(&root, part, &RepoPath::new(path).unwrap(), None, Durable::Later).unwrap();
            assert_eq!(std::fs::read_to_string(folder.path().join(path)).unwrap(), part);
        }
        assert_eq!(root.take_unflushed().into_iter().collect::<Vec<_>>(), ["", "x/y"]);
        root.flush_name_later(Some("x/y"));
        root.flush_name_later(Some("removed/meanwhile"));
        root.flush_names().unwrap();
        assert!(root.take_unflushed().is_empty());
    }
}
