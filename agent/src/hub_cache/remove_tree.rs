//! A folder and everything in it, removed. Links go themselves, and are not followed.

use std::io::{self, ErrorKind};

use cap_std::fs::Dir;
use tokio_util::sync::CancellationToken;

use crate::system;

/// The most folders in one another: each is held open meanwhile.
const DEEPEST: usize = 128;

/// Removes what stands at a name, whatever it is. That nothing does is fine. When told to stop it does so, with an error
/// of that kind, and what was removed is gone.
pub(super) fn remove_tree(folder: &Dir, name: &str, stop: &CancellationToken) -> io::Result<()> {
    remove_below(folder, name, stop, DEEPEST)
}

fn remove_below(folder: &Dir, name: &str, stop: &CancellationToken, deepest: usize) -> io::Result<()> {
    if stop.is_cancelled() {
        return Err(ErrorKind::Interrupted.into());
    }
    match folder.symlink_metadata(name) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return gone(folder.remove_file(name)),
        Err(error) => return gone(Err(error)),
    }
    if deepest == 0 {
        let why = format!("folders lie deeper than {DEEPEST} in one another");
        return Err(io::Error::new(ErrorKind::Unsupported, why));
    }
    let opened = system::open_folder(folder, name)?;
    for entry in opened.entries()? {
        let entry = entry?;
        let file_name = entry.file_name();
        if entry.file_type()?.is_dir() {
            let Some(below) = file_name.to_str() else {
                entry.open_dir()?.remove_open_dir_all()?;
                continue;
            };
            remove_below(&opened, below, stop, deepest - 1)?;
        } else if stop.is_cancelled() {
            return Err(ErrorKind::Interrupted.into());
        } else {
            gone(entry.remove_file())?;
        }
    }
    gone(folder.remove_dir(name))
}

/// What has gone by itself is as good.
pub(super) fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use cap_std::ambient_authority;

    use super::*;

    #[test]
    fn links_go_and_what_they_lead_to_stays() {
        let ground = tempfile::tempdir().unwrap();
        let at = |path: &str| ground.path().join(path);
        std::fs::create_dir_all(at("going/a/b")).unwrap();
        std::fs::create_dir_all(at("staying")).unwrap();
        std::fs::write(at("staying/file"), "").unwrap();
        std::fs::write(at("going/a/file"), "").unwrap();
        symlink(at("staying"), at("going/a/link")).unwrap();
        symlink("../staying/file", at("going/b")).unwrap();
        let folder = Dir::open_ambient_dir(ground.path(), ambient_authority()).unwrap();
        let stop = CancellationToken::new();
        remove_tree(&folder, "going", &stop).unwrap();
        remove_tree(&folder, "nothing", &stop).unwrap();
        assert!(!at("going").exists() && at("staying/file").exists());
        stop.cancel();
        assert_eq!(remove_tree(&folder, "staying", &stop).unwrap_err().kind(), ErrorKind::Interrupted);
        assert!(at("staying/file").exists());
    }
}
