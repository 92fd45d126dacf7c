//! What differs between operating systems, and nothing else: a file for each kind, with the same functions.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{changed_and_inode, flush_folder, read_at, write_all_at};
#[cfg(windows)]
pub(crate) use windows::{changed_and_inode, flush_folder, read_at, write_all_at};
