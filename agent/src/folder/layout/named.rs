//! The one place where the wire's [`Layout`] is told apart.

use hfdown_protocol::Layout;

use super::bare::Bare;
use super::disk_layout::DiskLayout;
use super::hub_cache::CachedSnapshot;
use super::local_dir::LocalDir;

/// The layout that an order names.
pub(crate) fn disk_layout(layout: Layout) -> Box<dyn DiskLayout> {
    match layout {
        Layout::LocalDir { commit } => Box::new(LocalDir::new(commit)),
        Layout::Bare => Box::new(Bare),
        Layout::HubCache { repository, revision, commit, symlinks } => {
            Box::new(CachedSnapshot::new(repository, revision, commit, symlinks))
        }
    }
}
