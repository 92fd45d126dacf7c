//! How a destination folder is laid out: a file for each layout, behind one trait.

mod bare;
mod disk_layout;
mod local_dir;
mod named;

pub(crate) use disk_layout::{Completeness, DiskLayout};
pub(crate) use named::disk_layout;

#[cfg(test)]
mod layout_tests;
