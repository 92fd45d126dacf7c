//! The destination folder: its border, its lock, what was proved in it, and how a file gets its final name.

mod hub_metadata;
mod lock;
mod open;
mod place;
mod records;
mod root;

pub(crate) use open::Folder;
pub(crate) use place::{Durable, place, remove_extraneous};
pub(crate) use records::{Origin, Records};
#[cfg(unix)]
pub(crate) use root::absolute;
pub(crate) use root::{Root, Standing};
