//! Files that hfdown keeps on this machine for itself: in folders that are this user's alone, whatever the umask, and
//! whatever they were before.
//!
//! Nothing is written through a link that another user may have put there, nor through a second name of another file,
//! and a FIFO is not waited for. A link of this user's own, such as those that keep a configuration in a repository, is
//! followed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use hfdown_agent::DiskFeature;

use crate::system::{self, FileOwner};

/// Makes a folder, and those above it. One that is there already is closed to others, if it is this user's.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    system::private_folder(builder.recursive(true)).create(folder)?;
    system::close_folder(folder);
    Ok(())
}

/// Opens a file, with these options: a regular one with one name. It is for this user alone from here on.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    path.parent().map(system::close_folder);
    let file = system::private(options).open(where_own_link_leads(path)?)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if system::names(&metadata) > 1 {
        return Err(io::Error::other("it is another file as well: it has a second name (a hard link)"));
    }
    system::close_file(&file, &metadata);
    Ok(file)
}

/// Reads a file of at most `largest` bytes.
pub(crate) fn read(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    bounded(open(path, OpenOptions::new().read(true))?, largest)
}

/// What a file holds from here on, unless that is more than it may be.
pub(crate) fn bounded(file: impl io::Read, largest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(largest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest {
        let detail = format!("it is larger than {} kB", largest / 1_000);
        return Err(io::Error::new(io::ErrorKind::InvalidData, detail));
    }
    Ok(bytes)
}

/// Puts a new file in the place of whatever stands there; its folder is made. A crash leaves the old one or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    path.parent().map_or(Ok(()), make_folder)?;
    let new = path.with_extension(format!("{:016x}.new", rand::random::<u64>()));
    let written = || -> io::Result<()> {
        let mut file = system::private(OpenOptions::new().write(true).create_new(true)).open(&new)?;
        file.write_all(bytes)?;
        flush(&file)?;
        fs::rename(&new, path)
    };
    written().inspect_err(|_| _ = fs::remove_file(&new))
}

/// Waits for the lock of a file. A disk without locks is used without: what two runs write at the same moment is a line each.
pub(crate) fn lock(file: &File) -> io::Result<()> {
    match file.lock() {
        Err(error) if hfdown_agent::lacks(DiskFeature::Locks, &error) => Ok(()),
        locked => locked,
    }
}

/// Waits until a file would survive a crash of the machine, where its disk has a way to.
pub(crate) fn flush(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if hfdown_agent::lacks(DiskFeature::Flush, &error) => Ok(()),
        flushed => flushed,
    }
}

/// The path that a link of this user's own leads to. Another user's is opened as what it is, which fails.
fn where_own_link_leads(path: &Path) -> io::Result<PathBuf> {
    match fs::symlink_metadata(path) {
        Ok(link) if link.is_symlink() => match system::ownership(&link) {
            // It may lead to what is about to be made.
            FileOwner::Ours => path.canonicalize().or_else(|_| Ok(path.with_file_name(fs::read_link(path)?))),
            FileOwner::Others => Err(io::Error::other("it is a link that another user made")),
        },
        _ => Ok(path.to_owned()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const LARGEST: u64 = 100;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
    }

    fn widen(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    }

    #[test]
    fn folders_and_files_are_for_this_user_alone_also_where_they_were_not() {
        let ground = tempfile::tempdir().unwrap();
        let (folder, file) = (ground.path().join("a/own"), ground.path().join("a/own/file"));
        replace(&file, b"1").unwrap();
        let modes = || [mode(&folder), mode(&file)];
        assert_eq!((mode(&ground.path().join("a")), modes()), (0o700, [0o700, 0o600]));
        let uses: [&dyn Fn(); 3] = [
            &|| assert_eq!(read(&file, LARGEST).unwrap(), b"1"),
            &|| drop(open(&file, OpenOptions::new().append(true)).unwrap()),
            &|| replace(&file, b"1").unwrap(),
        ];
        for used in uses {
            widen(&folder, 0o755);
            widen(&file, 0o666);
            used();
            assert_eq!(modes(), [0o700, 0o600]);
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left there");
    }

    #[test]
    fn what_is_no_file_of_one_name_is_an_error_at_once_and_may_be_replaced() {
        let ground = tempfile::tempdir().unwrap();
        let (path, other) = (ground.path().join("file"), ground.path().join("other"));
        fs::write(&other, "the user's").unwrap();
        let fifo = || {
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        };
        let made: [(&str, &dyn Fn()); 3] = [
            ("a FIFO", &|| fifo().unwrap()),
            ("a hard link", &|| fs::hard_link(&other, &path).unwrap()),
            ("a link to a device", &|| symlink("/dev/zero", &path).unwrap()),
        ];
        for (what, make) in made {
            make();
            assert!(read(&path, LARGEST).is_err(), "{what}");
            assert!(open(&path, OpenOptions::new().read(true).append(true)).is_err(), "{what}");
            replace(&path, b"new").unwrap();
            assert_eq!(read(&path, LARGEST).unwrap(), b"new", "{what}");
            fs::remove_file(&path).unwrap();
        }
        assert_eq!(fs::read(&other).unwrap(), b"the user's");
        fs::write(&path, "-".repeat(101)).unwrap();
        assert!(read(&path, LARGEST).is_err(), "it is too large");
    }

    #[test]
    fn a_link_is_followed_if_it_is_this_users_own() {
        let ground = tempfile::tempdir().unwrap();
        let (link, file) = (ground.path().join("link"), ground.path().join("file"));
        fs::write(&file, "kept in a repository").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(read(&link, LARGEST).unwrap(), b"kept in a repository");
        // Only root can give it away.
        if std::os::unix::fs::lchown(&link, Some(65_534), None).is_ok() {
            assert!(read(&link, LARGEST).unwrap_err().to_string().contains("another user"));
        }
    }
}
