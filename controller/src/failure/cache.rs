//! The cache of the Hub on this machine.

use std::path::Path;

use hfdown_agent::hub_cache::{CacheFault, RemovalFault};
use hfdown_protocol::{Failure, FailureKind};

use super::{Exit, Problem};
use crate::cache::{CacheEvent, CacheTargetError};
use crate::event::Event;
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
        CacheTargetError::ShortCommit { commits } => {
            because(Exit::NotFound).hint(format!("there is {}", shown(commits)))
        }
        CacheTargetError::Linked { .. } => {
            because(Exit::Failed).hint("remove the link, or what it leads to, by hand")
        }
        CacheTargetError::Ambiguous(_) => because(Exit::Usage).hint("write out which one is meant"),
    }
}

/// Something that was to be removed, and was not.
pub fn cache_removal(attempted: String, fault: &RemovalFault) -> Problem {
    let attempted = sanitize(attempted, 400);
    let (exit, hint) = match fault {
        RemovalFault::Held { .. } => (
            Exit::Unreachable,
            "nothing was removed: wait until that run has ended, or end it, and run the same command again",
        ),
        RemovalFault::Changed => (Exit::Failed, "run the same command again: it shows what there is now"),
        RemovalFault::Failed { .. } => {
            (Exit::Failed, "what is there is whole; `hfdown cache ls` shows what that is")
        }
        RemovalFault::Cancelled => return Problem::new(Exit::Cancelled, "cancelled"),
    };
    Problem::new(exit, attempted).because_of(fault).hint(hint)
}

/// The same as something that happened.
pub fn not_freed(id: &str, fault: &RemovalFault) -> Event {
    let kind = match fault {
        RemovalFault::Held { .. } => FailureKind::Held,
        RemovalFault::Changed => FailureKind::ChangedMeanwhile,
        RemovalFault::Failed { error, .. } if error.kind() == std::io::ErrorKind::PermissionDenied => {
            FailureKind::PermissionDenied
        }
        RemovalFault::Failed { .. } => FailureKind::Disk,
        RemovalFault::Cancelled => FailureKind::Cancelled,
    };
    let why = match fault {
        RemovalFault::Failed { attempt, error } => {
            format!("{attempt}: {}", super::in_words(&error.to_string()))
        }
        fault => fault.to_string(),
    };
    let failure = Failure::new(kind, sanitize(why, 600));
    Event::Cache(Box::new(CacheEvent::NotFreed { id: sanitize(id, 300), failure }))
}
