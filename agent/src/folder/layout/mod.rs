//! How a destination folder is laid out: a file for each layout, behind one trait.

mod bare;
mod disk_layout;
mod local_dir;

pub(crate) use disk_layout::{Completeness, DiskLayout, disk_layout};

#[cfg(test)]
mod layout_tests;
