//! A removal, from its plan to its end: shown, asked about, carried out.

use std::io::IsTerminal as _;
use std::sync::Arc;

use hfdown_agent::hub_cache::{HubCache, RemovalFault, RemovalPlan};

use super::Context;
use crate::cache::{CacheEvent, CacheRemoval, Freed};
use crate::cli::RemovalArguments;
use crate::event::Event;
use crate::failure::{self, Exit, Problem};
use crate::link::{Echo, UserAnswer};
use crate::plan::Intent;
use crate::session::ask_on_terminal;
use crate::text::units::bytes;

/// What becomes of a repository that another program is at work in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InUse {
    /// It ends the removal before it begins.
    Refuse,
    /// It is left as it is.
    Skip,
}

/// Shows what is to go, asks, and removes it.
pub(super) async fn carry_out(
    cache: Arc<HubCache>,
    plan: RemovalPlan,
    how: &RemovalArguments,
    in_use: InUse,
    context: &Context,
) -> Result<Exit, Problem> {
    let events = context.events(None);
    let intent = if how.dry_run { Intent::DryRun } else { Intent::Execute };
    let plan = Arc::new(plan);
    if intent == Intent::Execute && in_use == InUse::Refuse {
        let (cache, plan) = (Arc::clone(&cache), Arc::clone(&plan));
        if let Err((id, fault)) = blocking(move || cache.check_free(&plan)).await? {
            events.send(failure::not_freed(&id, &fault)).await;
            return Err(failure::cache_removal(format!("cannot remove {id}"), &fault));
        }
    }
    events.send(Event::Cache(Box::new(CacheEvent::Planned(CacheRemoval::new(&plan, intent))))).await;
    if intent == Intent::DryRun {
        return Ok(Exit::Done);
    }
    if !how.yes {
        let asking = ask(plan.freed, context);
        let is_agreed = tokio::select! {
            answer = asking => answer?,
            () = context.cancel.cancelled() => false,
        };
        if !is_agreed {
            return Err(Problem::new(Exit::Cancelled, "nothing was removed"));
        }
    }
    let mut freed = Freed::default();
    let mut worst: Option<RemovalFault> = None;
    for at in 0..plan.repositories.len() {
        let removal = &plan.repositories[at];
        let (cache, own, stop) = (Arc::clone(&cache), Arc::clone(&plan), context.cancel.clone());
        match blocking(move || cache.remove(&own.repositories[at], &stop)).await? {
            Ok(amount) => {
                freed.repositories += 1;
                freed.revisions += removal.revisions.len();
                freed.bytes += amount.bytes;
            }
            Err(RemovalFault::Cancelled) => return cancelled(freed, context).await,
            Err(fault) => {
                freed.failed += 1;
                events.send(failure::not_freed(&removal.id.to_string(), &fault)).await;
                if !matches!((&fault, in_use), (RemovalFault::Held { .. }, InUse::Skip)) {
                    worst = Some(fault);
                }
            }
        }
    }
    let (own, stop) = (Arc::clone(&plan), context.cancel.clone());
    match blocking(move || cache.sweep(&own, &stop)).await? {
        Ok(amount) => freed.bytes += amount.bytes,
        Err(RemovalFault::Cancelled) => return cancelled(freed, context).await,
        Err(fault) => worst = Some(fault),
    }
    events.send(Event::Cache(Box::new(CacheEvent::Freed(freed)))).await;
    match worst {
        None => Ok(Exit::Done),
        Some(fault) if freed.repositories == 0 => {
            Err(failure::cache_removal("cannot remove it".to_owned(), &fault))
        }
        Some(_) => Ok(Exit::Partial),
    }
}

/// What has gone is gone, and what is there is whole.
async fn cancelled(freed: Freed, context: &Context) -> Result<Exit, Problem> {
    context.events(None).send(Event::Cache(Box::new(CacheEvent::Freed(freed)))).await;
    let hint = "what has gone is gone, and what is there is whole: the same command removes the rest";
    Err(Problem::new(Exit::Cancelled, "cancelled").hint(hint))
}

/// Asks whether to go on. No is what any other answer means.
async fn ask(freed: u64, context: &Context) -> Result<bool, Problem> {
    let cannot_ask = || {
        Problem::new(Exit::Usage, "cannot ask whether to remove this")
            .because("there is no terminal")
            .hint("--yes removes it without a question, --dry-run only shows it")
    };
    if !std::io::stdin().is_terminal() && !std::io::stderr().is_terminal() {
        return Err(cannot_ask());
    }
    // What is drawn would overwrite the question.
    let _pause = context.events(None).pause().await;
    let question = format!("Remove this ({})? [y/N] ", bytes(freed));
    match ask_on_terminal(question, Echo::Shown).await {
        UserAnswer::Given(answer) => Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")),
        UserAnswer::Declined => Ok(false),
        UserAnswer::NoPrompt | UserAnswer::Failed(_) => Err(cannot_ask()),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|defect| Problem::new(Exit::Failed, "cannot remove it").because(defect))
}
