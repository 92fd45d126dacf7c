//! `hfdown cache rm`: repositories and revisions that are named.

use std::collections::BTreeMap;

use hfdown_agent::hub_cache::{CacheLeftovers, CacheScan, RemovalPlan, RemovalScope, SharedSweep};

use super::removing::{InUse, carry_out};
use super::{Context, open};
use crate::cache::CacheTarget;
use crate::cli::{CachePlace, RemovalArguments};
use crate::event::Event;
use crate::failure::{Exit, Problem};
use crate::text::sanitize;

pub(super) async fn run(
    targets: &[String],
    how: &RemovalArguments,
    place: &CachePlace,
    context: &Context,
) -> Result<Exit, Problem> {
    let opened = open::open(place, context).await?;
    let mut meant = Vec::new();
    for typed in targets {
        meant.push(opened.resolve(typed, "remove")?);
    }
    for target in &meant {
        if let CacheTarget::Revision(index, _) = target
            && opened.scan.repositories[*index].is_uncertain()
        {
            let id = &opened.scan.repositories[*index].id;
            let text = format!(
                "the blobs of {id} stay, as links to them may have been overlooked: see `hfdown cache ls {id}`"
            );
            context.events(None).send(Event::Warning { text: sanitize(text, 600) }).await;
        }
    }
    let plan = RemovalPlan::new(&opened.scan, scopes(&opened.scan, &meant), SharedSweep::Unlinked);
    match opened.cache {
        Some(cache) => carry_out(cache, plan, how, InUse::Refuse, context).await,
        None => Ok(Exit::Done),
    }
}

/// What goes of each repository. With the last of its revisions goes what is of no use without them.
fn scopes(scan: &CacheScan, targets: &[CacheTarget]) -> BTreeMap<usize, RemovalScope> {
    let mut scopes = BTreeMap::new();
    let mut chosen: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for target in targets {
        match *target {
            CacheTarget::Repository(index) => {
                scopes.insert(index, RemovalScope::Whole);
            }
            CacheTarget::Revision(index, at) => {
                let commits = chosen.entry(index).or_default();
                let commit = &scan.repositories[index].revisions[at].commit;
                if !commits.contains(commit) {
                    commits.push(commit.clone());
                }
            }
        }
    }
    for (index, commits) in chosen {
        let is_last = commits.len() == scan.repositories[index].revisions.len();
        let leftovers = if is_last { CacheLeftovers::Useless } else { CacheLeftovers::Keep };
        scopes.entry(index).or_insert(RemovalScope::Some { commits, leftovers });
    }
    scopes
}
