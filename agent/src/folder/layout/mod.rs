//! How a destination folder is laid out: a file for each layout, behind one trait.

mod bare;
mod blob_lock;
mod cache_files;
mod disk_layout;
mod hub_cache;
mod local_dir;
mod named;
mod snapshots;

pub(crate) use disk_layout::{Claim, Completeness, DiskLayout, PartNames};
pub(crate) use hub_cache::RECEIVED_TREE;
pub(crate) use named::disk_layout;

#[cfg(test)]
mod layout_tests;
