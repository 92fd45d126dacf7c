//! Linux, macOS and their relatives.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};

use cap_std::fs::{Dir, Metadata, MetadataExt, OpenOptions, OpenOptionsExt};
use hfdown_protocol::RepoPath;
use rustix::fs::{
    Access, AtFlags, Mode, OFlags, StatVfsMountFlags, accessat, mkdirat, openat, statvfs, symlinkat,
};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::signal::unix::SignalKind;

use super::disk_feature::DiskFeature;
use super::file_access::{DiskSpace, FileAccess, FileMode, Looks};

/// Of a folder of ours: its owner's, and others' to look at.
const FOLDER: Mode = Mode::from_raw_mode(0o755);

/// When anything about a file last changed, in nanoseconds, and its number on its filesystem.
pub(crate) fn changed_and_inode(metadata: &Metadata) -> (i128, u64) {
    (i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()), metadata.ino())
}

/// Writes at an offset.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    FileExt::write_all_at(file, bytes, offset)
}

/// Reads at an offset.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    FileExt::read_at(file, buffer, offset)
}

/// Makes the names in a folder survive a crash of the machine.
pub(crate) fn flush_folder(root: &Dir, path: &str) -> io::Result<()> {
    // Opened as a file: cap-std's own handles of folders are `O_PATH`, which can't be flushed.
    let flags = OFlags::DIRECTORY | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    let opened = root.open_with(path, options.read(true).custom_flags(flags.bits().cast_signed()));
    match opened.and_then(|folder| folder.sync_all()) {
        // At worst a name is not there after a power loss, and the next run fetches the file: nothing to be warned of.
        Err(error) if lacks(DiskFeature::FolderFlush, &error) => Ok(()),
        flushed => flushed,
    }
}

/// Whether an error says that the disk has no such thing.
pub fn lacks(feature: DiskFeature, error: &io::Error) -> bool {
    let also: &[Errno] = match feature {
        // NFS without its lock manager; FUSE. The file is ours and open: where locks are not permitted, it is by the
        // sandbox of a container that knows no such call.
        DiskFeature::Locks => &[Errno::NOLCK, Errno::INVAL, Errno::PERM],
        // Some want to be able to write to what they flush. A folder that may be written to need not be one that may be
        // read.
        DiskFeature::FolderFlush => &[Errno::INVAL, Errno::BADF, Errno::ISDIR, Errno::ACCESS, Errno::PERM],
        // The same sandboxes; FAT; network disks that have one mode for all, or files that can only grow.
        DiskFeature::Flush | DiskFeature::Modes | DiskFeature::Truncate => &[Errno::INVAL, Errno::PERM],
        // SMB while another program has the file open, sshfs with servers that only rename to free names. Where it is
        // the permission that is missing, it is missing for the other way as well.
        DiskFeature::Replace => &[Errno::EXIST, Errno::BUSY, Errno::INVAL, Errno::ACCESS, Errno::PERM],
    };
    let always = [Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP, Errno::NOTTY];
    let is = |errno: &Errno| error.raw_os_error() == Some(errno.raw_os_error());
    always.iter().chain(also).any(is)
}

/// What is left on the disk of a folder. `None` where it does not say.
pub(crate) fn disk_space(folder: &std::path::Path) -> Option<DiskSpace> {
    let disk = statvfs(folder).ok()?;
    Some(DiskSpace {
        // A disk of no size at all is one that does not say: FUSE, memory without a limit.
        bytes: (disk.f_blocks > 0).then(|| disk.f_bavail.saturating_mul(disk.f_frsize)),
        inodes: (disk.f_files > 0).then_some(disk.f_favail),
        is_read_only: disk.f_flag.contains(StatVfsMountFlags::RDONLY),
    })
}

/// Whether this user may make, rename and remove files in a folder, as far as its mode and its disk tell.
pub(crate) fn may_change(folder: &Dir, path: &str) -> io::Result<()> {
    // Opened first: what is asked of is in the folder then, whatever links are on the way.
    let opened = folder.open_dir(path)?;
    let how = Access::WRITE_OK | Access::EXEC_OK;
    match accessat(&opened, ".", how, AtFlags::EACCESS) {
        Err(error @ (Errno::ACCESS | Errno::ROFS)) => Err(error.into()),
        // A kernel or a sandbox that does not know the question forbids nothing.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Opens what stands at a name, which is one component. No link is followed, and nothing waits for the other end of a
/// pipe.
pub(crate) fn open_file(folder: &Dir, name: &str, access: FileAccess) -> io::Result<File> {
    let access = match access {
        FileAccess::Read => OFlags::RDONLY,
        FileAccess::ReadWrite => OFlags::RDWR,
        FileAccess::Append => OFlags::WRONLY | OFlags::APPEND,
    };
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(openat(folder, name, flags, Mode::empty())?.into())
}

/// Whether [`open_file`] failed because of what stands there: a link, a folder, a socket, a device, or what belongs to
/// another user.
pub(crate) fn is_no_file_of_ours(error: &io::Error) -> bool {
    let known =
        [Errno::NOENT, Errno::LOOP, Errno::ISDIR, Errno::NXIO, Errno::NODEV, Errno::ACCESS, Errno::PERM];
    error.raw_os_error().is_some_and(|error| known.iter().any(|known| known.raw_os_error() == error))
}

/// Creates a file, for reading and writing, where nothing is.
pub(crate) fn create_file(folder: &Dir, name: &str, mode: FileMode) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = match mode {
        FileMode::Private => 0o600,
        FileMode::Usual => 0o666,
    };
    Ok(openat(folder, name, flags, Mode::from_raw_mode(mode))?.into())
}

/// Opens a file for reading by its path in a folder, which links may not lead out of. Nothing waits for the other end
/// of a pipe.
pub(crate) fn open_below(folder: &Dir, path: &str) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    Ok(folder.open_with(path, options.read(true).custom_flags(flags.bits().cast_signed()))?.into_std())
}

/// Opens a folder, by a name of one component. No link is followed.
pub(crate) fn open_folder(folder: &Dir, name: &str) -> io::Result<Dir> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(Dir::from_std_file(openat(folder, name, flags, Mode::empty())?.into()))
}

/// Makes a folder that no other user may write to, where nothing is.
pub(crate) fn create_folder(folder: &Dir, name: &str) -> io::Result<()> {
    Ok(mkdirat(folder, name, FOLDER)?)
}

/// Makes a link, by a name of one component, where nothing is.
pub(crate) fn make_link(folder: &Dir, target: &str, name: &str) -> io::Result<()> {
    Ok(symlinkat(target, folder, name)?)
}

/// Who may have written to a file or a folder.
pub(crate) fn looks(metadata: &Metadata) -> Looks {
    Looks { uid: metadata.uid(), mode: metadata.mode() & 0o7777, links: metadata.nlink() }
}

/// The number of the disk that a file or a folder is on.
pub(crate) fn disk_of(metadata: &Metadata) -> u64 {
    metadata.dev()
}

/// Whether an error says that the disk is full, broken or gone, or the process at its limits: nothing can go on.
pub(crate) fn stops_all(error: &io::Error) -> bool {
    let known = [
        Errno::IO,
        Errno::NOSPC,
        Errno::DQUOT,
        Errno::STALE,
        Errno::NODEV,
        Errno::NXIO,
        Errno::NOTCONN,
        Errno::NOMEM,
        Errno::MFILE,
        Errno::NFILE,
    ];
    error.raw_os_error().is_some_and(|error| known.iter().any(|known| known.raw_os_error() == error))
}

/// The user that runs this program, as disks know it.
pub(crate) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Says who may use a file.
pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

/// Keeps other processes of this user, debuggers among them, out of the memory of this one, and that memory out of files
/// that a crash leaves behind. Where the system refuses, there is nothing to be done about it.
///
/// The limit is a soft one: programs that this one starts may raise it again.
pub(crate) fn forbid_dumps() {
    let limit = getrlimit(Resource::Core);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..limit });
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Whether so many more files can be open at once.
pub(crate) fn has_descriptors(count: usize) -> io::Result<()> {
    let pairs: io::Result<Vec<_>> =
        (0..count.div_ceil(2)).map(|_| std::os::unix::net::UnixStream::pair()).collect();
    pairs.map(drop)
}

/// Has a write beyond the largest size that this process may give a file (`ulimit -f`) fail, where it would end the
/// process without a word. Programs that this one starts are ended by it as ever: that a signal is handled is not
/// inherited, that it is ignored would be.
pub(crate) fn survive_file_limit() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    // Without descriptors for that there are none for files either.
    let Ok(runtime) = runtime else { return };
    let _within = runtime.enter();
    // What handles it stays when this has gone.
    let _ = tokio::signal::unix::signal(SignalKind::from_raw(Signal::XFSZ.as_raw()));
}

/// Why no file can have this name here, if none can: a path that was checked is a name like others.
pub(crate) fn name_obstacle(_path: &RepoPath) -> Option<&'static str> {
    None
}
