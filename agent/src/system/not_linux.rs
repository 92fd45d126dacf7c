//! What only Linux has, elsewhere.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use cap_std::fs::Dir;

use super::file_access::Protection;

/// Hears of no program that opens a file.
#[derive(Debug, Default)]
pub(crate) struct NoWatch;

impl NoWatch {
    pub(crate) const IS_TO_BE_HAD: bool = false;

    /// A system without such a watch has nothing to tell.
    pub(crate) fn begin(&self, _file: &File) -> Option<i32> {
        None
    }

    pub(crate) fn opened(&self, _number: i32) -> u64 {
        0
    }

    pub(crate) fn end(&self, _number: i32) {}
}

/// Nothing tells.
pub(crate) fn is_open_elsewhere(_name: &str) -> bool {
    false
}

/// Whether a file's stamp shows each write at once, and nothing else moves it. Windows updates times when it likes.
pub(crate) fn stamps_follow_writes(_file: &File) -> bool {
    cfg!(unix)
}

/// Stands for a lock that a disk does not have. There is none here.
#[derive(Debug)]
pub(crate) struct NoMachineLock;

impl NoMachineLock {
    pub(crate) fn take(_folder: &Dir) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// What keeps a file from being changed: nothing that is known of.
pub(crate) fn protection(_folder: &Dir, _path: &str) -> Protection {
    Protection::default()
}

/// What a user is called. Nothing tells.
pub(crate) fn user_name(_uid: u32) -> Option<String> {
    None
}

/// This user's own folder.
pub(crate) fn own_home() -> Option<PathBuf> {
    std::env::home_dir()
}
