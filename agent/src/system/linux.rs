//! What only Linux has.

use std::fs::{self, File};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cap_std::fs::{Dir, MetadataExt as _};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, statx};

use super::file_access::Protection;
use super::own_uid;

/// Another program opens a file, or closes one that it had opened for writing before we looked. We close ours last.
const EVENTS: WatchFlags = WatchFlags::OPEN.union(WatchFlags::CLOSE_WRITE);
/// Room for a hundred events at a time.
const BUFFER: usize = 4096;
/// A program that opens a file without end must not keep us listening. The kernel's queue holds as many by default.
const MOST_EVENTS: usize = 16_384;
/// Filesystems on disks of this machine, by the number that `statfs` tells. Elsewhere a server moves the times of a file
/// when it likes, and asking for them makes the kernel send it what was written first.
const LOCAL: [u64; 8] = [
    0xEF53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683E, // Btrfs
    0x0102_1994, // tmpfs
    0x794C_7630, // overlayfs
    0xF2F5_2010, // F2FS
    0x2FC1_2FC1, // ZFS
    0xCA45_1A4E, // bcachefs
];

/// Hears of other programs that open files of ours. One for many files: to close one costs milliseconds.
#[derive(Debug, Default)]
pub(crate) struct OpenWatch(Mutex<Watches>);

#[derive(Debug, Default)]
struct Watches {
    /// None before the first file, and where there is no watch to be had.
    inotify: Option<OwnedFd>,
    files: Vec<Watch>,
}

#[derive(Debug)]
struct Watch {
    /// The kernel's, which a file has once however often its watch is begun.
    number: i32,
    users: u32,
    opened: u64,
}

impl OpenWatch {
    /// Not to have one is an exception: a user has so many (`fs.inotify.max_user_instances`).
    pub(crate) const IS_TO_BE_HAD: bool = true;

    /// One that no file can be watched with.
    #[cfg(test)]
    pub(crate) fn deaf() -> Self {
        let inotify = Some(File::open("/dev/null").unwrap().into());
        Self(Mutex::new(Watches { inotify, files: Vec::new() }))
    }

    /// Watches a file from here on, and gives the watch a number. None where that can't be done.
    pub(crate) fn begin(&self, file: &File) -> Option<i32> {
        let mut watches = self.watches();
        if watches.inotify.is_none() {
            watches.inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
        }
        // By what is open, not by its name: that may be another file by now.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let number = inotify::add_watch(watches.inotify.as_ref()?, path, EVENTS).ok()?;
        match watches.file(number) {
            Some(watch) => watch.users += 1,
            None => watches.files.push(Watch { number, users: 1, opened: 0 }),
        }
        Some(number)
    }

    /// How often the file was opened by now, or closed by a program that could write to it.
    pub(crate) fn opened(&self, number: i32) -> u64 {
        let mut watches = self.watches();
        watches.listen();
        watches.file(number).map_or(0, |watch| watch.opened)
    }

    /// Ends what [`Self::begin`] began.
    pub(crate) fn end(&self, number: i32) {
        let mut watches = self.watches();
        let Some(watch) = watches.file(number) else { return };
        watch.users -= 1;
        if watch.users == 0 {
            watches.files.retain(|watch| watch.number != number);
            // The kernel ends it itself when the file is gone.
            let _ = watches.inotify.as_ref().map(|inotify| inotify::remove_watch(inotify, number));
        }
    }

    fn watches(&self) -> std::sync::MutexGuard<'_, Watches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watches {
    fn file(&mut self, number: i32) -> Option<&mut Watch> {
        self.files.iter_mut().find(|watch| watch.number == number)
    }

    /// Counts what has happened.
    fn listen(&mut self) {
        let Some(inotify) = &self.inotify else { return };
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut events = inotify::Reader::new(inotify, &mut buffer);
        for _ in 0..MOST_EVENTS {
            // None is left.
            let Ok(event) = events.next() else { return };
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                self.files.iter_mut().for_each(|watch| watch.opened += 1);
            } else if event.events().intersects(ReadFlags::OPEN | ReadFlags::CLOSE_WRITE)
                && let Some(watch) = self.files.iter_mut().find(|watch| watch.number == event.wd())
            {
                watch.opened += 1;
            }
        }
    }
}

/// Whether another program has a file open, or in its memory. It is found by the last part of its path: in another
/// container the folder may be called otherwise. Programs that this user may not look at are not seen.
pub(crate) fn is_open_elsewhere(name: &str) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    let own = std::process::id().to_string();
    let others = processes.flatten().filter(|process| {
        let number = process.file_name();
        number.as_bytes().iter().all(u8::is_ascii_digit) && number.as_bytes() != own.as_bytes()
    });
    others.map(|process| process.path()).any(|process| has_open(&process, name) || has_mapped(&process, name))
}

fn has_open(process: &Path, name: &str) -> bool {
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    // The link's text alone: to follow it would wait for a server that is away.
    let mut targets = descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    targets.any(|target| target.file_name().is_some_and(|last| last.as_bytes() == name.as_bytes()))
}

fn has_mapped(process: &Path, name: &str) -> bool {
    let maps = fs::read(process.join("maps")).unwrap_or_default();
    maps.split(|byte| *byte == b'\n').any(|line| line.ends_with(name.as_bytes()))
}

/// Whether a file's stamp shows each write at once, and nothing else moves it.
pub(crate) fn stamps_follow_writes(file: &File) -> bool {
    rustix::fs::fstatfs(file)
        .is_ok_and(|disk| u64::try_from(disk.f_type).is_ok_and(|kind| LOCAL.contains(&kind)))
}

/// Stands for the lock of a folder on a disk that has none: a name that one process of this machine can have at a time,
/// and that is free again when it ends in whatever way. Containers have names of their own, and so have other machines.
#[derive(Debug)]
pub(crate) struct MachineLock(#[expect(dead_code, reason = "it is held")] UnixListener);

impl MachineLock {
    /// Takes it. [`io::ErrorKind::AddrInUse`] where another process has it.
    pub(crate) fn take(folder: &Dir) -> io::Result<Self> {
        let folder = folder.dir_metadata()?;
        let name = format!("hfdown-folder-{:x}-{:x}", folder.dev(), folder.ino());
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?).map(Self)
    }
}

/// What keeps a file from being changed, as far as its disk tells.
pub(crate) fn protection(folder: &Dir, path: &str) -> Protection {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let Ok(found) = statx(folder, path, flags, StatxFlags::empty()) else { return Protection::default() };
    let has = |attribute| found.stx_attributes.contains(attribute);
    Protection {
        immutable: has(StatxAttributes::IMMUTABLE),
        append_only: has(StatxAttributes::APPEND),
        is_mount_point: has(StatxAttributes::MOUNT_ROOT),
    }
}

/// What the file of users calls a user.
pub(crate) fn user_name(uid: u32) -> Option<String> {
    name_of(uid, &fs::read("/etc/passwd").ok()?)
}

/// As `name:password:uid:gid:title:home:shell` says.
fn name_of(uid: u32, users: &[u8]) -> Option<String> {
    let users = String::from_utf8_lossy(users);
    users.lines().find_map(|user| {
        let mut fields = user.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// This user's own folder. Where no `HOME` is set, the file of users is all that is asked: the system's own look-up loads
/// libraries, and a static program that does so crashes.
pub(crate) fn own_home() -> Option<PathBuf> {
    let named = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    named.or_else(|| home_of(own_uid(), &fs::read("/etc/passwd").ok()?))
}

/// As `name:password:uid:gid:title:home:shell` says.
fn home_of(uid: u32, users: &[u8]) -> Option<PathBuf> {
    let users = String::from_utf8_lossy(users);
    let mut homes = users.lines().filter_map(|user| {
        let fields: Vec<_> = user.split(':').collect();
        let is_theirs = fields.get(2)?.parse() == Ok(uid);
        fields.get(5).filter(|home| is_theirs && !home.is_empty()).map(PathBuf::from)
    });
    homes.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_home_has_the_one_in_the_file_of_users() {
        let users = b"root:x:0:0:root:/root:/bin/sh\n# a line\n\xff:x:7:7::/home/seven:\nold:x:8:8:::\n";
        for (uid, home) in [(0, Some("/root")), (7, Some("/home/seven")), (8, None), (9, None)] {
            assert_eq!(home_of(uid, users), home.map(PathBuf::from), "{uid}");
        }
        for (uid, name) in [(0, Some("root")), (8, Some("old")), (9, None)] {
            assert_eq!(name_of(uid, users).as_deref(), name, "{uid}");
        }
    }

    #[test]
    fn one_process_has_a_folder_where_its_disk_has_no_locks() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        let held = MachineLock::take(&open()).unwrap();
        assert_eq!(MachineLock::take(&open()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(held);
        MachineLock::take(&open()).unwrap();
    }

    #[test]
    fn a_file_that_another_program_opens_is_heard_of_and_our_own_descriptor_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        let watch = OpenWatch::default();
        let (one_file, other_file) = (File::create(&one).unwrap(), File::create(&other).unwrap());
        let watched = watch.begin(&one_file).unwrap();
        let other_watched = watch.begin(&other_file).unwrap();
        std::io::Write::write_all(&mut &one_file, b"ours").unwrap();
        one_file.sync_all().unwrap();
        assert_eq!(watch.opened(watched), 0);
        drop(File::open(&one).unwrap());
        assert_eq!((watch.opened(watched), watch.opened(other_watched)), (1, 0));
        // Opened for writing and closed again: twice heard of.
        drop(std::fs::OpenOptions::new().append(true).open(&one).unwrap());
        assert_eq!(watch.opened(watched), 3);

        // The same file again has the same watch, which ends with the last.
        assert_eq!(watch.begin(&one_file), Some(watched));
        watch.end(watched);
        drop(File::open(&one).unwrap());
        assert_eq!(watch.opened(watched), 4);
        watch.end(watched);
        drop(File::open(&one).unwrap());
        assert_eq!(watch.opened(watched), 0);
    }

    #[test]
    fn a_program_that_has_a_file_open_is_found_by_the_name_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (name, pipe) = ("held-by-another-program", std::process::Stdio::piped);
        let file = File::create(folder.path().join(name)).unwrap();
        assert!(!is_open_elsewhere(name), "we do not count");
        let mut holder = std::process::Command::new("cat").stdin(pipe()).stdout(file).spawn().unwrap();
        assert!(is_open_elsewhere(name));
        drop(holder.stdin.take());
        holder.wait().unwrap();
        assert!(!is_open_elsewhere(name));
    }
}
