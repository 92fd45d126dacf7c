//! How a proved file gets its final name, and how an extraneous one loses it.

use std::io;

use hfdown_protocol::{ExtraneousFile, Failure, FailureKind, RepoPath, Stamp, Wanted};

use super::records::{Origin, Records};
use super::root::{Occupant, Root};
use crate::part::{ProvedPart, RenameFault};
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

/// So many folders wait for their flush. With a million of them, each mostly has all of its files by then.
const MOST_UNFLUSHED: usize = 4096;

/// Why a file was not placed.
#[derive(Debug)]
pub(crate) enum PlaceFault {
    /// Another program has changed the part since it was proved. It has no final name, and is worth nothing.
    PartChanged,
    /// Something is in the way of this file, or its folder refuses it. The part is kept; others may be placed.
    File(Failure),
    /// The disk is broken, full or read-only: no file can be placed.
    Disk(Failure),
}

/// A file whose bytes have their place.
#[derive(Debug)]
pub(crate) struct Placed {
    /// What it looks like there.
    pub(crate) stamp: Stamp,
    /// Whether it has its own name as well.
    pub(crate) named: Result<(), Failure>,
}

/// Gives a proved and flushed part its final name: atomic, and only over what the plan has seen.
pub(crate) fn place(
    root: &Root,
    part: &ProvedPart,
    wanted: &Wanted,
    replaces: Option<Stamp>,
    durable: Durable,
) -> Result<Placed, PlaceFault> {
    let path = &*root.place_of(wanted);
    let there = match root.occupant(path) {
        Occupant::Nothing => None,
        Occupant::File(stamp) => Some(stamp),
        Occupant::Obstacle(failure) => return Err(PlaceFault::File(failure)),
    };
    if there.is_some() && there != replaces {
        // To protect a file changes it as well.
        if let Some(obstacle) = root.obstacle_at(path) {
            return Err(PlaceFault::File(obstacle.failure("cannot place it")));
        }
        return Err(PlaceFault::File(changed_meanwhile(&wanted.path)));
    }
    let at = root.writable().map_err(PlaceFault::Disk)?;
    let refused = |error: &io::Error| {
        let is_read_only = || error.kind() == io::ErrorKind::ReadOnlyFilesystem && root.space().is_read_only;
        if system::stops_all(error) || is_read_only() {
            PlaceFault::Disk(root.failure(&format!("cannot place {}", wanted.path), error))
        } else {
            PlaceFault::File(root.refusal("cannot place it", path.as_str(), error))
        }
    };
    let stamp = root.layout().place(at, part, wanted).map_err(|fault| match fault {
        RenameFault::Changed => PlaceFault::PartChanged,
        RenameFault::Disk(error) => refused(&error),
    })?;
    let named = match root.layout().name(at, wanted) {
        Err(error) if system::stops_all(&error) => return Err(refused(&error)),
        named => named.map_err(|error| unnamed(root, wanted, &error)),
    };
    match durable {
        Durable::Now => {
            root.flush_name(at.folder, path.parent()).map_err(|error| refused(&error))?;
        }
        Durable::Later => {
            if root.flush_name_later(path.parent()) > MOST_UNFLUSHED {
                root.flush_names().map_err(PlaceFault::Disk)?;
            }
        }
    }
    Ok(Placed { stamp, named })
}

/// Gives another file of the same bytes its own name, over nothing but what the plan has seen.
pub(crate) fn name(root: &Root, wanted: &Wanted, replaces: Option<Stamp>) -> Result<(), Failure> {
    let own = root.place_of(wanted);
    let is_shared = root.layout().shared_place(wanted).is_some_and(|shared| shared == *own);
    if let (false, Occupant::File(there)) = (is_shared, root.occupant(&own))
        && Some(there) != replaces
    {
        return Err(changed_meanwhile(&wanted.path));
    }
    root.layout().name(root.writable()?, wanted).map_err(|error| unnamed(root, wanted, &error))
}

fn unnamed(root: &Root, wanted: &Wanted, error: &io::Error) -> Failure {
    let name = root.missing_name(wanted).unwrap_or_else(|| root.place_of(wanted).as_str().to_owned());
    root.refusal("cannot place it", &name, error)
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
    match root.occupant(path) {
        Occupant::Nothing => {
            records.remove(path);
            return Ok(());
        }
        Occupant::File(there) if is_ours && there == *stamp => {}
        Occupant::File(_) => return Err(changed_meanwhile(path)),
        Occupant::Obstacle(failure) => return Err(failure),
    }
    let at = root.writable()?;
    let folder = at.folder;
    let refused = |error: io::Error| root.refusal("", path.as_str(), &error);
    folder.remove_file(path.as_str()).map_err(refused)?;
    root.layout().forget(at, path).map_err(refused)?;
    records.remove(path);
    let mut parent = path.parent();
    while let Some(emptied) = parent.filter(|parent| folder.remove_dir(parent).is_ok()) {
        parent = emptied.rsplit_once('/').map(|(above, _)| above);
    }
    Ok(())
}

impl Root {
    /// Makes the names of [`Durable::Later`] survive a crash of the machine: a flush per folder instead of one per
    /// file.
    pub(crate) fn flush_names(&self) -> Result<(), Failure> {
        let parents = self.take_unflushed();
        if parents.is_empty() {
            return Ok(());
        }
        let folder = self.writable()?.folder;
        let flush = |parent: &String| {
            match system::flush_folder(folder, if parent.is_empty() { "." } else { parent }) {
                // It has been removed meanwhile, names and all.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                flushed => flushed,
            }
        };
        parents
            .iter()
            .try_for_each(flush)
            .map_err(|error| self.failure(&format!("cannot flush {}", self.path().display()), &error))
    }
}

fn changed_meanwhile(path: &RepoPath) -> Failure {
    Failure::new(FailureKind::ChangedMeanwhile, format_args!("{path} changed since it was looked at"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::{Guard, write_small};
    use hfdown_protocol::{Access, Digest, FileId, Layout, Traces};

    #[test]
    fn small_files_share_the_flush_of_their_folder_and_no_folder_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::Bare;
        let root = Root::open(folder.path().to_str().unwrap(), Access::ReadWrite, layout, Traces::Keep)
            .expect("it opens");
        for (content, path) in [("a", "x/y/one"), ("b", "x/y/two"), ("c", "top")] {
            let part = write_small(root.parts().unwrap(), &Guard::default(), content, content.as_bytes());
            let part = part.unwrap().unwrap();
            let path = RepoPath::new(path).unwrap();
            let wanted = Wanted { id: FileId(0), path, size: 1, digest: Digest::GitSha1([0; 20]) };
            place(&root, &part, &wanted, None, Durable::Later).unwrap();
            assert_eq!(std::fs::read_to_string(folder.path().join(wanted.path.as_str())).unwrap(), content);
        }
        assert_eq!(root.take_unflushed().into_iter().collect::<Vec<_>>(), ["", "x", "x/y"]);
        root.flush_name_later(Some("x/y"));
        root.flush_name_later(Some("removed/meanwhile"));
        root.flush_names().unwrap();
        assert!(root.take_unflushed().is_empty());
    }
}
