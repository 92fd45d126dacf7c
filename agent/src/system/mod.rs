//! What differs between operating systems, and nothing else: a file for each kind, with the same functions.

mod file_access;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub(crate) use file_access::{FileAccess, FileMode, Looks};
#[cfg(unix)]
pub(crate) use unix::{
    changed_and_inode, create_file, create_folder, flush_folder, is_no_file_of_ours, looks, open_file,
    open_folder, own_uid, read_at, write_all_at,
};
#[cfg(windows)]
pub(crate) use windows::{
    changed_and_inode, create_file, create_folder, flush_folder, is_no_file_of_ours, looks, open_file,
    open_folder, own_uid, read_at, write_all_at,
};
