//! What differs between operating systems, and nothing else: a file for each kind, with the same functions.

mod copy_range;
mod disk_feature;
mod file_access;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod not_linux;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
mod write_chunks;

pub(crate) use copy_range::copy_range;
pub use disk_feature::DiskFeature;
pub(crate) use file_access::{DiskSpace, FileAccess, FileMode, Looks};
#[cfg(target_os = "linux")]
pub(crate) use linux::{
    MachineLock, OpenWatch, is_open_elsewhere, own_home, protection, stamps_follow_writes, user_name,
};
#[cfg(not(target_os = "linux"))]
pub(crate) use not_linux::{
    NoMachineLock as MachineLock, NoWatch as OpenWatch, is_open_elsewhere, own_home, protection,
    stamps_follow_writes, user_name,
};
#[cfg(unix)]
pub use unix::lacks;
#[cfg(unix)]
pub(crate) use unix::{
    changed_and_inode, create_file, create_folder, disk_of, disk_space, flush_folder, forbid_dumps,
    has_descriptors, is_no_file_of_ours, looks, make_link, may_change, name_obstacle, open_below, open_file,
    open_folder, own_uid, read_at, set_mode, stops_all, survive_file_limit, write_all_at,
};
#[cfg(windows)]
pub use windows::lacks;
#[cfg(windows)]
pub(crate) use windows::{
    changed_and_inode, create_file, create_folder, disk_of, disk_space, flush_folder, forbid_dumps,
    has_descriptors, is_no_file_of_ours, looks, make_link, may_change, name_obstacle, open_below, open_file,
    open_folder, own_uid, read_at, set_mode, stops_all, survive_file_limit, write_all_at,
};
pub(crate) use write_chunks::write_chunks_at;

/// A user as people know one: `alice (uid 1000)`.
pub(crate) fn user(uid: u32) -> String {
    match user_name(uid) {
        Some(name) => format!("{name} (uid {uid})"),
        None => format!("uid {uid}"),
    }
}

/// The user that runs this program, as people know one.
pub(crate) fn own_user() -> String {
    user(own_uid())
}
