//! Disks that are not like ours: what they lack, what they are short of, and what they refuse to one file.

pub(crate) mod foreign;
mod lacking;
mod placing;
mod scarce;
