//! The cache of the Hub on this machine.

use std::path::Path;

use hfdown_agent::hub_cache::CacheFault;

use super::{Exit, Problem};
use crate::cache::CacheTargetError;
use crate::text::sanitize;

const PLACE: &str = "HF_HUB_CACHE and HF_HOME say where it is; --cache-dir names another folder";
/// The most names that are listed.
const MOST_NAMES: usize = 8;

/// A cache that there is no looking into.
pub fn cache(attempted: impl Into<String>, fault: &CacheFault) -> Problem {
    Problem::new(Exit::Failed, attempted).because_of(fault).hint(PLACE)
}

/// A word that means nothing in the cache.
pub fn cache_target(attempted: impl Into<String>, cache: &Path, error: &CacheTargetError) -> Problem {
    let attempted = sanitize(attempted.into(), 400);
    let shown = |names: &[String]| {
        let names: Vec<_> = names.iter().take(MOST_NAMES).map(|name| sanitize(name, 200)).collect();
        names.join(", ")
    };
    let because = |exit| Problem::new(exit, attempted).because(sanitize(error.to_string(), 1_000));
    match error {
        CacheTargetError::Unknown { nearest } if nearest.is_empty() => {
            because(Exit::NotFound).hint(format!("`hfdown cache ls` shows what is in {}", cache.display()))
        }
        CacheTargetError::Unknown { nearest } => {
            because(Exit::NotFound).hint(format!("there is {}", shown(nearest)))
        }
        CacheTargetError::UnknownRevision { revisions, .. } if revisions.is_empty() => {
            because(Exit::NotFound).hint("it has none: what is there was left by runs that were cut off")
        }
        CacheTargetError::UnknownRevision { revisions, .. } => {
            because(Exit::NotFound).hint(format!("there is {}", shown(revisions)))
        }
        CacheTargetError::Ambiguous(_) => because(Exit::Usage).hint("write out which one is meant"),
    }
}
