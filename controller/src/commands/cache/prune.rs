//! `hfdown cache prune`: revisions that no ref names, and what cut-off runs have left.

use hfdown_agent::hub_cache::{Amount, CacheLeftovers, RemovalPlan, RemovalScope, SharedSweep};

use super::removing::{InUse, carry_out};
use super::{Context, open};
use crate::cache::CacheEvent;
use crate::cli::{CachePlace, RemovalArguments};
use crate::event::{Event, HintBeside};
use crate::failure::{Exit, Problem};
use crate::plan::Intent;
use crate::text::units::bytes;

pub(super) async fn run(
    leftovers: CacheLeftovers,
    how: &RemovalArguments,
    place: &CachePlace,
    context: &Context,
) -> Result<Exit, Problem> {
    let opened = open::open(place, context).await?;
    opened.warn(context).await;
    let scopes = opened.scan.repositories.iter().enumerate().map(|(index, repository)| {
        let detached = repository.revisions.iter().filter(|revision| revision.refs.is_empty());
        // A ref that was overlooked may name any of them.
        let commits = if repository.is_uncertain() {
            Vec::new()
        } else {
            detached.map(|revision| revision.commit.clone()).collect()
        };
        (index, RemovalScope::Some { commits, leftovers })
    });
    let plan = RemovalPlan::new(&opened.scan, scopes.collect(), SharedSweep::All);
    let parts = |amounts: &mut dyn Iterator<Item = Amount>| amounts.map(|amount| amount.bytes).sum::<u64>();
    let kept = parts(&mut opened.scan.repositories.iter().map(|repository| repository.parts))
        - parts(&mut plan.repositories.iter().map(|removal| removal.parts));
    let events = context.events(None);
    if kept > 0 {
        let text = format!(
            "{} that cut-off runs of hfdown go on from stay: --parts removes that as well",
            bytes(kept)
        );
        events.send(Event::Hint { text, beside: HintBeside::Result }).await;
    }
    match opened.cache {
        Some(cache) if !plan.is_empty() => carry_out(cache, plan, how, InUse::Skip, context).await,
        _ => {
            let intent = if how.dry_run { Intent::DryRun } else { Intent::Execute };
            events.send(Event::Cache(Box::new(CacheEvent::NothingToPrune { intent }))).await;
            Ok(Exit::Done)
        }
    }
}
