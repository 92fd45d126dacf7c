//! Windows.

use std::fs::File;
use std::io;
use std::os::windows::fs::FileExt;

use cap_std::fs::{Dir, Metadata, OpenOptions};
use hfdown_protocol::RepoPath;

use super::disk_feature::DiskFeature;
use super::file_access::{DiskSpace, FileAccess, FileMode, Looks};

/// Neither is to be had without opening the file. What is left of a stamp, size and time, is what others go by as well.
pub(crate) fn changed_and_inode(_metadata: &Metadata) -> (i128, u64) {
    (0, 0)
}

/// Writes at an offset.
pub(crate) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_write(bytes, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
        }
    }
    Ok(())
}

/// Reads at an offset.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buffer, offset)
}

/// Folders can't be flushed here, and need not be: NTFS keeps a journal of names.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(crate) fn flush_folder(_root: &Dir, _path: &str) -> io::Result<()> {
    Ok(())
}

/// Whether an error says that the disk has no such thing.
pub fn lacks(_feature: DiskFeature, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

/// What is left on the disk of a folder. `None` where it does not say.
pub(crate) fn disk_space(folder: &std::path::Path) -> Option<DiskSpace> {
    let bytes = fs4::available_space(folder).ok()?;
    Some(DiskSpace { bytes: Some(bytes), inodes: None, is_read_only: false })
}

/// What may be done in a folder is found out by doing it.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(crate) fn may_change(_folder: &Dir, _path: &str) -> io::Result<()> {
    Ok(())
}

/// Opens what stands at a name.
pub(crate) fn open_file(folder: &Dir, name: &str, access: FileAccess) -> io::Result<File> {
    let mut options = OpenOptions::new();
    match access {
        FileAccess::Read => options.read(true),
        FileAccess::ReadWrite => options.read(true).write(true),
        FileAccess::Append => options.append(true),
    };
    Ok(folder.open_with(name, &options)?.into_std())
}

/// Opens a file for reading by its path in a folder, which links may not lead out of.
pub(crate) fn open_below(folder: &Dir, path: &str) -> io::Result<File> {
    Ok(folder.open(path)?.into_std())
}

/// Whether [`open_file`] failed because of what stands there.
pub(crate) fn is_no_file_of_ours(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

/// Creates a file, for reading and writing, where nothing is. Who may use it is up to its folder.
pub(crate) fn create_file(folder: &Dir, name: &str, _mode: FileMode) -> io::Result<File> {
    let mut options = OpenOptions::new();
    Ok(folder.open_with(name, options.read(true).write(true).create_new(true))?.into_std())
}

/// Links need a privilege here that few users have; `huggingface_hub` does without them as well.
pub(crate) fn make_link(_folder: &Dir, _target: &str, _name: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Opens a folder.
pub(crate) fn open_folder(folder: &Dir, name: &str) -> io::Result<Dir> {
    if !folder.symlink_metadata(name)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    folder.open_dir(name)
}

/// Makes a folder where nothing is.
pub(crate) fn create_folder(folder: &Dir, name: &str) -> io::Result<()> {
    folder.create_dir(name)
}

/// Owners are another matter here: whatever is there counts as this user's.
pub(crate) fn looks(_metadata: &Metadata) -> Looks {
    Looks { uid: own_uid(), mode: 0, links: 1 }
}

/// The number of the disk that a file or a folder is on. It is not to be had without opening it.
pub(crate) fn disk_of(_metadata: &Metadata) -> u64 {
    0
}

/// Whether an error says that the disk is full: nothing can go on.
pub(crate) fn stops_all(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The user that runs this program.
pub(crate) fn own_uid() -> u32 {
    0
}

/// Says who may use a file: that is up to its folder.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(crate) fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// There are no such files here unless a user asks for them.
pub(crate) fn forbid_dumps() {}

/// There is no such limit here.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(crate) fn has_descriptors(_count: usize) -> io::Result<()> {
    Ok(())
}

/// Nor this one.
pub(crate) fn survive_file_limit() {}

/// Why no file can have this name here, if none can.
pub(crate) fn name_obstacle(path: &RepoPath) -> Option<&'static str> {
    path.obstacle_on_windows()
}
