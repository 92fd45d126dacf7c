//! What happens while the cache is looked at.

use hfdown_protocol::Failure;

use super::listing::CacheListing;
use super::removal::{CacheRemoval, Freed};
use super::verification::{CacheVerification, CheckedCacheFile};
use crate::plan::Intent;

/// Something that happened. Its texts are sanitised.
#[derive(Debug, Clone)]
pub enum CacheEvent {
    /// There is no cache where one is looked for.
    Absent {
        /// Where that is.
        path: String,
    },
    /// What is in it.
    Listed(CacheListing),
    /// What is to go from it.
    Planned(CacheRemoval),
    /// Something of it has not gone.
    NotFreed {
        /// The repository.
        id: String,
        /// Why.
        failure: Failure,
    },
    /// What has gone from it.
    Freed(Freed),
    /// A file of it was checked.
    Checked(CheckedCacheFile),
    /// All of them were.
    Verified(CacheVerification),
    /// There is nothing in it that nothing needs.
    NothingToPrune {
        /// Whether it was only to be shown.
        intent: Intent,
    },
}
