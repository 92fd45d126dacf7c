//! Where a detached transfer can be found: a socket and a record in the agent's private folder, named for the
//! destination.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use tokio::net::{UnixListener, UnixStream};

use super::transfer_record::TransferRecord;
use crate::folder;
use crate::own_folder::OwnFolder;
use crate::system::{FileMode, own_uid};

/// The longest path that a socket's address holds everywhere: 108 bytes on Linux, 104 elsewhere, with a NUL.
const LONGEST_ADDRESS: usize = 100;
/// The largest record that is read: its longest lines are a path, a title and a reason.
const LARGEST_RECORD: u64 = 64 << 10;

/// How long a host may take to let a client in. One that runs does so within a millisecond.
const CONNECTING: Duration = Duration::from_secs(10);

/// The files of one destination's transfer.
#[derive(Debug, Clone)]
pub(super) struct ControlFiles {
    /// The folder that the agent was started from: this user's own, and no other may write to it.
    folder: PathBuf,
    name: String,
}

impl ControlFiles {
    /// The files for a destination as a user writes it.
    pub(super) fn for_destination(folder: PathBuf, root: &str) -> io::Result<Self> {
        let absolute = folder::absolute(root)?;
        // Whatever links lead there, it is one folder.
        let root = absolute.canonicalize().unwrap_or(absolute);
        let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
        let name = format!("detached-{}", HEXLOWER.encode(&digest[..8]));
        Ok(Self { folder, name })
    }

    /// Listens for controllers. A host that listened here before is gone: the caller holds the destination's lock.
    pub(super) fn listen(&self) -> io::Result<UnixListener> {
        let path = self.file("socket");
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = self.address("socket", |address| UnixListener::bind(address))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    }

    /// Connects to the host that listens here. Where another user's process does, nothing is there: it must not hear a
    /// signed address.
    pub(super) async fn connect(&self) -> io::Result<UnixStream> {
        let files = self.clone();
        // It waits where the host does not take connections.
        let connecting = tokio::task::spawn_blocking(move || {
            files.address("socket", |address| std::os::unix::net::UnixStream::connect(address))
        });
        let stream = tokio::time::timeout(CONNECTING, connecting).await???;
        stream.set_nonblocking(true)?;
        let stream = UnixStream::from_std(stream)?;
        if stream.peer_cred()?.uid() == own_uid() {
            Ok(stream)
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }

    /// Takes the socket away. A host that was killed leaves it behind, and then it refuses.
    pub(super) fn remove_socket(&self) {
        let _ = std::fs::remove_file(self.file("socket"));
    }

    /// Writes down what the transfer has come to.
    pub(super) fn write_record(&self, record: &TransferRecord) -> io::Result<()> {
        let content = record.to_string();
        self.own()?.replace(&self.name("record"), content.as_bytes(), FileMode::Private)
    }

    /// What was written down.
    pub(super) fn read_record(&self) -> Option<TransferRecord> {
        let record = self.own().ok()?.read(&self.name("record"), LARGEST_RECORD).ok()??;
        String::from_utf8(record).ok()?.parse().ok()
    }

    /// Takes the record away, and the folder if nothing else is in it.
    pub(super) fn remove_record(&self) {
        let _ = std::fs::remove_file(self.file("record"));
        // The agent's own file may have gone before.
        let _ = std::fs::remove_dir(&self.folder);
    }

    /// The folder, if no other user may write to it.
    fn own(&self) -> io::Result<OwnFolder> {
        let mut folder = OwnFolder::at(&self.folder)?;
        folder.check()?.map_err(|_| io::ErrorKind::PermissionDenied)?;
        Ok(folder)
    }

    fn name(&self, kind: &str) -> String {
        format!("{}.{kind}", self.name)
    }

    fn file(&self, kind: &str) -> PathBuf {
        self.folder.join(self.name(kind))
    }

    /// A socket's address has little room; where the folder's path is too long, the folder goes by its descriptor.
    fn address<T>(&self, kind: &str, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
        let path = self.file(kind);
        if path.as_os_str().len() <= LONGEST_ADDRESS {
            return act(&path);
        }
        let folder = std::fs::File::open(&self.folder)?;
        act(&PathBuf::from(format!("/proc/self/fd/{}/{}.{kind}", folder.as_raw_fd(), self.name)))
    }
}

/// The folder that this program was started from.
pub(crate) fn own_folder() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    program.parent().map(Path::to_owned).ok_or_else(|| io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_found_however_long_its_folder_and_by_whatever_way_its_destination_is_named() {
        let ground = tempfile::tempdir().unwrap();
        let folder = ground.path().join("f".repeat(150));
        let root = ground.path().join("models");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::create_dir(&root).unwrap();
        std::os::unix::fs::symlink(&root, ground.path().join("link")).unwrap();
        let files =
            |root: &Path| ControlFiles::for_destination(folder.clone(), root.to_str().unwrap()).unwrap();
        assert!(files(&root).connect().await.is_err());
        let _listener = files(&root).listen().unwrap();
        let mode = files(&root).file("socket").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        files(&ground.path().join("link/")).connect().await.unwrap();
        assert!(files(&ground.path().join("other")).connect().await.is_err());
        files(&root).remove_socket();
        assert!(files(&root).connect().await.is_err());
    }

    #[test]
    fn a_record_that_is_another_file_or_has_no_end_is_none() {
        let ground = tempfile::tempdir().unwrap();
        let files = ControlFiles::for_destination(ground.path().to_owned(), "/models").unwrap();
        let record = files.file("record");
        std::os::unix::fs::symlink("/dev/zero", &record).unwrap();
        assert!(files.read_record().is_none());
        std::fs::remove_file(&record).unwrap();
        std::fs::File::create(&record).unwrap().set_len(3 << 30).unwrap();
        assert!(files.read_record().is_none());
    }
}
