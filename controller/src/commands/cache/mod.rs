//! `hfdown cache`: what is in the cache of the Hub on this machine, and what of it may go. The Hub is not asked.

mod ls;
mod open;
mod prune;
mod removing;
mod rm;
mod verify;

use hfdown_agent::hub_cache::CacheLeftovers;

use super::Context;
use crate::cli::CacheVerb;
use crate::failure::{Exit, Problem};

pub(super) async fn run(verb: &CacheVerb, context: &Context) -> Result<Exit, Problem> {
    match verb {
        CacheVerb::Ls { models, revisions, sort, place, output: _ } => {
            let detail = if *revisions { ls::Detail::Revisions } else { ls::Detail::Repositories };
            ls::run(models, detail, *sort, place, context).await
        }
        CacheVerb::Rm { targets, how, place, output: _ } => rm::run(targets, how, place, context).await,
        CacheVerb::Verify { models, place, output: _ } => verify::run(models, place, context).await,
        CacheVerb::Prune { parts, how, place, output: _ } => {
            let leftovers = if *parts { CacheLeftovers::All } else { CacheLeftovers::Useless };
            prune::run(leftovers, how, place, context).await
        }
    }
}
