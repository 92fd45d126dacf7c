//! A file's name goes to another one: in one step, or in two where the disk has no such step.

use std::io;

use hfdown_protocol::DiskWarning;

use crate::disk_warnings::DiskWarnings;
use crate::system::{self, DiskFeature};

/// Renames of a file on its way to a name that another one has.
pub(super) trait Renames {
    /// The new one gets the name.
    fn place(&self) -> io::Result<()>;
    /// The old one, if there is one, makes room and is kept.
    fn set_aside(&self) -> io::Result<()>;
    /// The old one has its name again.
    fn put_back(&self) -> io::Result<()>;
    /// The old one is not needed any more.
    fn drop_old(&self) -> io::Result<()>;
}

/// Gives the new file the name. Whatever fails, the old one is there afterwards, under its name or, where that fails as
/// well, under the one that the error tells.
pub(super) fn replace(renames: &impl Renames, warnings: &DiskWarnings) -> io::Result<()> {
    let refused = match renames.place() {
        Err(error) if system::lacks(DiskFeature::Replace, &error) => error,
        placed => return placed,
    };
    // Where the old one may not be moved either, it was no matter of the disk.
    if renames.set_aside().is_err() {
        return Err(refused);
    }
    if let Err(error) = renames.place() {
        return Err(match renames.put_back() {
            Ok(()) => error,
            Err(lost) => {
                let detail = format!("{error}; what stood there is kept under .cache/hfdown/parts: {lost}");
                io::Error::new(error.kind(), detail)
            }
        });
    }
    warnings.note(DiskWarning::NoReplace);
    // One that stays is swept.
    let _ = renames.drop_old();
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::path::PathBuf;

    use rustix::io::Errno;

    use super::*;

    /// A disk that renames to free names alone, as SMB does while a file is open, and sshfs with some servers.
    struct NoReplacing {
        folder: PathBuf,
        /// What each step after the first one fails with.
        then: Option<Errno>,
    }

    impl NoReplacing {
        fn rename(&self, from: &str, to: &str) -> io::Result<()> {
            let [from, to] = [from, to].map(|name| self.folder.join(name));
            if to.exists() {
                return Err(Errno::EXIST.into());
            }
            std::fs::rename(from, to)
        }
    }

    impl Renames for NoReplacing {
        fn place(&self) -> io::Result<()> {
            match self.then {
                Some(errno) if !self.folder.join("file").exists() => Err(errno.into()),
                _ => self.rename("new", "file"),
            }
        }

        fn set_aside(&self) -> io::Result<()> {
            self.rename("file", "old")
        }

        fn put_back(&self) -> io::Result<()> {
            self.rename("old", "file")
        }

        fn drop_old(&self) -> io::Result<()> {
            std::fs::remove_file(self.folder.join("old"))
        }
    }

    #[test]
    fn where_no_name_can_be_taken_over_the_old_file_is_there_until_the_new_one_is() {
        for (then, expected) in [(None, "new"), (Some(Errno::IO), "old"), (Some(Errno::NOSPC), "old")] {
            let ground = tempfile::tempdir().unwrap();
            let disk = NoReplacing { folder: ground.path().to_owned(), then };
            std::fs::write(disk.folder.join("file"), "old").unwrap();
            std::fs::write(disk.folder.join("new"), "new").unwrap();
            let warnings = DiskWarnings::default();
            let replaced = replace(&disk, &warnings);
            assert_eq!(replaced.is_ok(), then.is_none(), "{then:?}");
            assert_eq!(std::fs::read_to_string(disk.folder.join("file")).unwrap(), expected, "{then:?}");
            assert_eq!(disk.folder.join("new").exists(), then.is_some(), "{then:?}");
            assert!(!disk.folder.join("old").exists());
            let warned: &[_] = if then.is_none() { &[DiskWarning::NoReplace] } else { &[] };
            assert_eq!(warnings.take(), warned, "{then:?}");
        }
    }
}
