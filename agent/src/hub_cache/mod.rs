//! The hub cache of `huggingface_hub`, as both halves know it: where it is, what is called how in it, and what is in it as a whole.
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
mod location;
#[cfg(target_os = "linux")]
mod login_shell;
mod names;
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
pub use location::CacheVariables;
#[cfg(target_os = "linux")]
pub use login_shell::hub_cache_of_login;
pub use names::{
    BLOBS, LOCKS, OWN, REFS, SNAPSHOTS, TREES, blob_below, locks_below, own_below, snapshot_below, tree_below,
};
pub use removal::RemovalFault;
pub use removal_plan::{CacheLeftovers, RemovalPlan, RemovalScope, RepositoryRemoval, SharedSweep};
pub use repository_scan::{Amount, CachedRepository, CachedRevision};
pub use scan::CacheScan;

/// The hub cache of this agent's user: boxes run Linux, where a login shell is asked.
#[cfg(not(target_os = "linux"))]
pub fn hub_cache_of_login() -> Result<std::path::PathBuf, hfdown_protocol::Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    CacheVariables { variable: &variable, home: "HOME" }.hub_cache().ok_or_else(|| {
        let kind = hfdown_protocol::FailureKind::NoCache;
        hfdown_protocol::Failure::new(kind, "no variable tells where it is")
    })
}
