//! The path of a destination: what a user wrote, the folders that have to be made for it, and what stands in the way.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use hfdown_protocol::{Failure, FailureKind};

use super::work_folder::DestinationFolder;
use crate::{disk, system};

/// Makes a folder and those above it, and makes the new names survive a crash of the machine: without them, what is
/// placed in it later would not either.
pub(super) fn create_folder(path: &Path) -> Result<(), Failure> {
    let missing: Vec<_> = path.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    let create = || -> io::Result<()> {
        std::fs::create_dir_all(path)?;
        for above in missing.iter().filter_map(|made| made.parent()) {
            match system::flush_folder(&Dir::open_ambient_dir(above, ambient_authority())?, ".") {
                // One that may be written to and not be read.
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
                flushed => flushed?,
            }
        }
        Ok(())
    };
    create().map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => not_a_folder(path),
        _ => cannot_create(path, &error),
    })
}

/// Why a folder can't be made: whose the nearest one above it is that there is.
fn cannot_create(path: &Path, error: &io::Error) -> Failure {
    let attempt = format!("cannot create {}", path.display());
    let above = path.ancestors().skip(1).find(|above| above.exists());
    let opened =
        above.and_then(|above| Some((above, Dir::open_ambient_dir(above, ambient_authority()).ok()?)));
    match opened {
        Some((path, folder)) => DestinationFolder { folder: &folder, path }.refusal(&attempt, "*", error),
        None => disk::failure_on(path, &attempt, error),
    }
}

/// The failure where a link to nothing stands at a path or further up: no folder can be made through it.
pub(super) fn link_to_nowhere(path: &Path) -> Option<Failure> {
    let (link, target) = path.ancestors().find_map(|link| Some((link, std::fs::read_link(link).ok()?)))?;
    let (shown, target) = (link.display(), target.display());
    let detail = format_args!(
        "{shown} is a link to {target}, which is not there: make that folder, or remove the link"
    );
    (!link.exists()).then(|| Failure::new(FailureKind::NotADirectory, detail))
}

/// The file in the way, which may be further up.
pub(super) fn not_a_folder(path: &Path) -> Failure {
    if let Some(failure) = link_to_nowhere(path) {
        return failure;
    }
    let file = path.ancestors().find(|ancestor| ancestor.exists() && !ancestor.is_dir()).unwrap_or(path);
    Failure::new(FailureKind::NotADirectory, format_args!("{} is not a folder", file.display()))
}

/// A destination as a user writes it: absolute, and without a slash at its end.
pub(crate) fn absolute(root: &str) -> io::Result<PathBuf> {
    Ok(std::path::absolute(expand_home(root)?)?.components().collect())
}

fn expand_home(root: &str) -> io::Result<PathBuf> {
    let Some(rest) = root.strip_prefix("~/").or((root == "~").then_some("")) else {
        return Ok(PathBuf::from(root));
    };
    let no_home = || io::Error::new(ErrorKind::NotFound, "this user has no home folder");
    system::own_home().map(|home| home.join(rest)).ok_or_else(no_home)
}
