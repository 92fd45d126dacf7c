//! What may stand at a name where a program expects a file of its own: pipes, devices, links and worse.

#![expect(clippy::missing_panics_doc, reason = "what can't be set up fails its test")]

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

/// More than any file of ours can be.
const HUGE: u64 = 3 << 30;
/// Not the user of the tests.
const STRANGER: u32 = 54_321;

/// A kind of thing at a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OddFile {
    /// Waits for another end.
    Pipe,
    /// Can't be opened.
    Socket,
    /// Reads without end. Only root can make one.
    Device,
    /// The same by way of a link.
    LinkToDevice,
    /// To a file that is none of ours.
    LinkTo,
    /// To that file's folder, where nothing has this name.
    DanglingLink,
    /// To itself.
    Loop,
    /// Another name of a file that is none of ours.
    HardLinkTo,
    /// Three gigabytes of nothing.
    Huge,
    /// One line without an end.
    EndlessLine,
    /// Another user's. Only root can make one.
    Strangers,
    /// Any user may write to it.
    WritableByAll,
    /// A folder with something in it.
    Folder,
}

impl OddFile {
    /// All of them but the folder, which is not replaced.
    pub const REPLACED: [Self; 12] = [
        Self::Pipe,
        Self::Socket,
        Self::Device,
        Self::LinkToDevice,
        Self::LinkTo,
        Self::DanglingLink,
        Self::Loop,
        Self::HardLinkTo,
        Self::Huge,
        Self::EndlessLine,
        Self::Strangers,
        Self::WritableByAll,
    ];

    /// Puts it there, in the place of whatever is. `theirs` is a file that is none of ours. Says whether this machine's
    /// user can.
    pub fn put(self, at: &Path, theirs: &Path) -> bool {
        if let Some(above) = at.parent() {
            fs::create_dir_all(above).expect("the temporary folder can be written");
        }
        if fs::symlink_metadata(at).is_ok() {
            fs::remove_file(at).expect("what is there is a file");
        }
        let run = |program: &str, arguments: &[&str]| {
            let status = Command::new(program).arg(at).args(arguments).status();
            status.is_ok_and(|status| status.success())
        };
        let with = |content: &[u8]| fs::write(at, content).expect("the temporary folder can be written");
        let link = |to: &Path| symlink(to, at).expect("the temporary folder can be written");
        match self {
            Self::Pipe => assert!(run("mkfifo", &[]), "pipes can be made"),
            Self::Socket => {
                // There is little room in a socket's address.
                let near = theirs.with_file_name("s");
                drop(UnixListener::bind(&near).expect("the temporary folder can be written"));
                fs::rename(near, at).expect("it is one disk");
            }
            Self::Device => return run("mknod", &["c", "1", "5"]),
            Self::LinkToDevice => link(Path::new("/dev/zero")),
            Self::LinkTo => link(theirs),
            Self::DanglingLink => link(&theirs.with_file_name("nothing")),
            Self::Loop => link(at),
            Self::HardLinkTo => fs::hard_link(theirs, at).expect("it is one disk"),
            Self::Huge => {
                File::create(at).and_then(|file| file.set_len(HUGE)).expect("the disk has sparse files");
            }
            Self::EndlessLine => with(&vec![b'x'; 100 << 20]),
            Self::Strangers => {
                with(b"theirs");
                return chown(at, Some(STRANGER), None).is_ok();
            }
            Self::WritableByAll => {
                with(b"theirs");
                fs::set_permissions(at, fs::Permissions::from_mode(0o666)).expect("it is ours");
            }
            Self::Folder => {
                fs::create_dir(at)
                    .and_then(|()| fs::write(at.join("kept"), "theirs"))
                    .expect("nothing is there");
            }
        }
        true
    }
}

/// What a file is like: its content, and what else a program could have changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Untouched {
    content: Vec<u8>,
    mode: u32,
    owner: u32,
    modified: (i64, i64),
}

impl Untouched {
    /// What it is like now.
    pub fn of(path: &Path) -> Self {
        let metadata = fs::metadata(path).expect("it is there");
        Self {
            content: fs::read(path).expect("it can be read"),
            mode: metadata.mode(),
            owner: metadata.uid(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}
