//! The cache of the Hub on this machine, for people and programs: what is shown of it, and what is meant by a word that
//! was typed. Pure: what `hfdown_agent::hub_cache` has seen goes in.

mod listing;
mod nearest;
mod target;

pub use listing::{CacheListing, CacheOrder, CacheRows, CacheTotals, RepositoryRow, RevisionRow};
pub use target::{CacheTarget, CacheTargetError, resolve};
