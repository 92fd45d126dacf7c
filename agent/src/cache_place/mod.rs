//! Where a user's hub cache is, and what is called how in it. Both halves and the layout of a snapshot go by this.

mod location;
#[cfg(target_os = "linux")]
mod login_shell;
mod names;

pub use location::CacheVariables;
#[cfg(target_os = "linux")]
pub(crate) use login_shell::hub_cache_of_login;
pub use names::{
    BLOBS, LOCKS, OWN, REFS, SNAPSHOTS, TREES, blob_below, locks_below, own_below, snapshot_below, tree_below,
};

/// The hub cache of this agent's user: boxes run Linux, where a login shell is asked.
#[cfg(not(target_os = "linux"))]
pub(crate) fn hub_cache_of_login() -> Result<std::path::PathBuf, hfdown_protocol::Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    CacheVariables { variable: &variable, home: "HOME" }.hub_cache().ok_or_else(|| {
        let kind = hfdown_protocol::FailureKind::NoCache;
        hfdown_protocol::Failure::new(kind, "no variable tells where it is")
    })
}
