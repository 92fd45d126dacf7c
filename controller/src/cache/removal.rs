//! What of the cache is to go, as it is shown.

use hfdown_agent::hub_cache::{Amount, CachedKind, RemovalPlan, RemovalScope, RepositoryRemoval};

use crate::plan::Intent;
use crate::text::sanitize;

/// The most characters of a name that are shown.
const LONGEST: usize = 300;

/// What is to go. Its texts are sanitised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheRemoval {
    /// Whether it is only shown.
    pub intent: Intent,
    /// From which repositories.
    pub repositories: Vec<GoingRepository>,
    /// What goes from the shared store.
    pub shared: Amount,
    /// The bytes that are free afterwards.
    pub bytes: u64,
}

/// What of a repository is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoingRepository {
    /// Its name as it is typed.
    pub id: String,
    /// Its kind.
    pub kind: CachedKind,
    /// Whether all of it goes.
    pub extent: GoingExtent,
    /// The revisions that go.
    pub revisions: Vec<GoingRevision>,
    /// What cut-off runs of `hf` left.
    pub incomplete: Amount,
    /// What cut-off runs of hfdown left.
    pub parts: Amount,
    /// Blobs of no revision.
    pub orphaned: Amount,
    /// What it frees, but for what is in the shared store.
    pub bytes: u64,
}

/// How much of a repository goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoingExtent {
    /// All of it.
    Whole,
    /// Something of it.
    Part,
}

/// A revision that goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoingRevision {
    /// The commit.
    pub commit: String,
    /// Its names, which go with it.
    pub refs: Vec<String>,
}

/// What a removal has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freed {
    /// From how many repositories something has gone.
    pub repositories: usize,
    /// How many revisions have gone.
    pub revisions: usize,
    /// The bytes that are free now.
    pub bytes: u64,
    /// How many repositories something should have gone from and has not.
    pub failed: usize,
}

impl CacheRemoval {
    /// What is shown of a plan.
    pub fn new(plan: &RemovalPlan, intent: Intent) -> Self {
        Self {
            intent,
            repositories: plan.repositories.iter().map(going).collect(),
            shared: plan.shared,
            bytes: plan.freed,
        }
    }

    /// How many revisions go.
    pub fn revisions(&self) -> usize {
        self.repositories.iter().map(|repository| repository.revisions.len()).sum()
    }
}

fn going(removal: &RepositoryRemoval) -> GoingRepository {
    let shown = |text: &str| sanitize(text, LONGEST);
    let revision = |(commit, refs): &(String, Vec<String>)| GoingRevision {
        commit: shown(commit),
        refs: refs.iter().map(|name| shown(name)).collect(),
    };
    GoingRepository {
        id: shown(&removal.id.to_string()),
        kind: removal.id.kind,
        extent: if removal.scope == RemovalScope::Whole { GoingExtent::Whole } else { GoingExtent::Part },
        revisions: removal.revisions.iter().map(revision).collect(),
        incomplete: removal.incomplete,
        parts: removal.parts,
        orphaned: removal.orphaned,
        bytes: removal.freed,
    }
}
