//! The hub cache of `huggingface_hub` as a whole: what is in it, whether that is right, and how it is removed.
//!
//! What `hfdown cache` does, the controller calls in its own process ([`HubCache`]): nothing of that is reached from
//! [`serve`](crate::serve()), and none of it is in the agent's program. It goes through a handle of the cache's folder, and
//! no link in it is followed out of it. What is there was written by others as well, and may be half of something: it is
//! said what is odd, and the rest is looked at.

mod blob_table;
mod busy;
mod cache_folder;
mod cached_id;
mod check;
mod flaw;
mod part_files;
mod refs;
mod removal;
mod removal_plan;
mod remove_tree;
mod repository_scan;
mod scan;
mod shared_store;
mod shared_sweep;
mod snapshot_walk;

pub use cache_folder::{CacheFault, HubCache};
pub use cached_id::{CachedId, CachedKind};
pub use check::{CachedFile, CachedFileState, CheckedRevision, MissingPiece, ParseTree, TreeListing};
pub use flaw::{CacheFlaw, FlawKind};
pub use removal::RemovalFault;
pub use removal_plan::{CacheLeftovers, RemovalPlan, RemovalScope, RepositoryRemoval, SharedSweep};
pub use repository_scan::{Amount, CachedRepository, CachedRevision};
pub use scan::CacheScan;
