//! The cache of the Hub on this machine, for people and programs: what is shown of it, and what is meant by a word that
//! was typed. Pure: what `hfdown_agent::hub_cache` has seen goes in.

mod event;
mod listing;
mod nearest;
mod removal;
mod target;
mod verification;

pub use event::CacheEvent;
pub use listing::{CacheListing, CacheOrder, CacheRows, CacheTotals, RepositoryRow, RevisionRow};
pub use removal::{CacheRemoval, Freed, GoingExtent, GoingRepository, GoingRevision};
pub use target::{CacheTarget, CacheTargetError, resolve};
pub use verification::{CacheFileState, CacheVerification, CheckedCacheFile, parse_tree};
