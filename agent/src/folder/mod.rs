//! The destination folder: its border, its layout, its lock, what was proved in it, and how a file gets its final name.

mod destination_path;
mod file_set;
mod hub_metadata;
mod layout;
mod listed_records;
mod lock;
mod open;
mod place;
mod places;
mod records;
mod refusal;
mod root;
mod traces;
mod work_folder;

#[cfg(unix)]
pub(crate) use destination_path::absolute;
pub(crate) use file_set::FileSet;
pub(crate) use layout::{Claim, Completeness, PartNames};
pub(crate) use lock::{Lock, LockAttempt, NAME as LOCK, shown as holder_shown};
pub(crate) use open::{Folder, Opening};
pub(crate) use place::{Durable, PlaceFault, Placed, name, place, remove_extraneous};
pub(crate) use places::Places;
pub(crate) use records::{Origin, Record, Records};
pub(crate) use root::{Occupant, Root};
