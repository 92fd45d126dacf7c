//! The hands of hfdown: everything that touches model bytes and the destination folder.
//!
//! An agent knows no Hub and no token. Over one stream it receives addresses and digests ([`hfdown_protocol::Order`])
//! and turns them into proved files in one folder, reporting as it goes ([`hfdown_protocol::Report`]). It runs on a
//! rented box with the stream on its standard input and output, or inside the controller's own process with a pipe in
//! memory; [`serve`] is the same for both, and the only way to make it do anything.

mod bases;
pub mod cache_place;
mod conversation;
#[cfg(unix)]
mod detached;
mod disk;
mod disk_warnings;
mod environment;
mod fault;
mod folder;
mod hasher;
pub mod http;
pub mod hub_cache;
mod machine;
mod os_error;
mod own_folder;
mod part;
mod predecessor;
mod process;
pub mod program;
mod serve;
mod source;
mod survey;
mod system;
mod transfer;
mod unlisted;
mod work_order;
mod xet;

pub use conversation::CloseReason;
pub use environment::Environment;
pub use hasher::digest_like;
pub use os_error::in_words;
pub use process::main;
pub use serve::serve;
pub use system::{DiskFeature, lacks};
pub use xet::{CutFile, cut};
