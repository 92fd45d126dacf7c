//! What differs between operating systems, and nothing else: a file for each kind, with the same functions.

mod file_access;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod not_linux;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub(crate) use file_access::{FileAccess, FileMode, Looks};
#[cfg(target_os = "linux")]
pub(crate) use linux::{OpenWatch, is_open_elsewhere, own_home, stamps_follow_writes};
#[cfg(not(target_os = "linux"))]
pub(crate) use not_linux::{NoWatch as OpenWatch, is_open_elsewhere, own_home, stamps_follow_writes};
#[cfg(unix)]
pub(crate) use unix::{
    changed_and_inode, create_file, create_folder, flush_folder, forbid_dumps, has_descriptors,
    is_no_file_of_ours, looks, name_obstacle, open_below, open_file, open_folder, own_uid, read_at, set_mode,
    survive_file_limit, write_all_at,
};
#[cfg(windows)]
pub(crate) use windows::{
    changed_and_inode, create_file, create_folder, flush_folder, forbid_dumps, has_descriptors,
    is_no_file_of_ours, looks, name_obstacle, open_below, open_file, open_folder, own_uid, read_at, set_mode,
    survive_file_limit, write_all_at,
};
