//! The road of every transfer: list, then connect, survey, plan and execute on a [`Course`], then summarise.

use std::sync::Arc;
use std::time::Instant;

use hfdown_protocol::{End, RepoPath, Skipped};
use tokio_util::sync::CancellationToken;

use super::course::{Arrival, Course, CourseEnd};
use super::trip::{Selection, Trip};
use crate::cli::Settings;
use crate::display::Events;
use crate::event::{Event, Intent, Outcome};
use crate::failure::{self, Exit, Problem};
use crate::hub::{HubError, Listing, RepoId, RepoInfo};
use crate::output::sanitize::sanitize;
use crate::plan::Plan;
use crate::session::{Execution, SessionError, Sources};

/// Goes down the road.
pub(super) async fn travel(
    trip: Trip<'_>,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Exit, Problem> {
    let began = Instant::now();
    let (info, listing) = unless_cancelled(cancel, list(&trip, events)).await?;
    let intent = if trip.transfer.dry_run { Intent::DryRun } else { Intent::Execute };
    let sources = sources(&trip, info);
    let course = Course { trip: &trip, listing, sources, intent, events, cancel };
    let Arrival { plan, end } = course.follow().await?;
    match end {
        CourseEnd::Executed(execution) => {
            let outcome = summarise(&plan, &execution, intent, began);
            events.send(Event::Finished(outcome)).await;
            Ok(exit(&plan, &execution, intent))
        }
        CourseEnd::Detached => {
            events.send(detached(&trip, &plan)).await;
            // As it will be, if all goes well.
            Ok(exit(&plan, &Execution::default(), Intent::DryRun))
        }
    }
}

fn detached(trip: &Trip<'_>, plan: &Plan) -> Event {
    let ssh = trip.detaching.as_ref().map_or("", |detaching| detaching.ssh);
    let command = |verb| shell_words::join(["hfdown", verb, ssh, &trip.root]);
    let (attach, stop) = (command("attach"), command("stop"));
    Event::Detached { files: plan.to_fetch().count(), bytes: plan.missing_bytes(), attach, stop }
}

/// What the Hub says, pinned to a commit. Files that only an account may read are asked for once now, so that a token
/// that opens nothing is known before anything is touched.
async fn list(trip: &Trip<'_>, events: &Events) -> Result<(RepoInfo, Listing), Problem> {
    let Settings { hub, repo, revision, .. } = trip.settings;
    let fail = |attempted: String| move |error: HubError| failure::hub(attempted, &error, hub, repo);
    let info = hub.info(repo, revision).await.map_err(fail(format!("cannot list {repo} at {revision}")))?;
    let mut listing = hub.list(&info).await.map_err(fail(format!("cannot list {repo} at {revision}")))?;
    let probe = match &trip.selection {
        Selection::Everything => listing.files.first().map(|file| file.path.clone()),
        Selection::One { name, placed_as } => {
            let is_refused = listing.refused.iter().any(|refused| refused.name == *name);
            listing =
                listing.only(name, placed_as.clone()).ok_or_else(|| not_listed(name, repo, is_refused))?;
            RepoPath::new(*name).ok()
        }
    };
    if let (false, Some(path)) = (info.is_public(), probe) {
        hub.sign(&info, &path).await.map_err(fail(format!("cannot fetch {path} of {repo}")))?;
    }
    let (repo, commit) = (listing.repo.to_string(), listing.commit.clone());
    events.send(Event::Listed { repo, commit, files: listing.files.len(), bytes: listing.total() }).await;
    Ok((info, listing))
}

fn not_listed(name: &str, repo: &RepoId, is_refused: bool) -> Problem {
    let attempted = format!("cannot fetch {} of {repo}", sanitize(name, 200));
    if is_refused {
        return Problem::new(Exit::Failed, attempted)
            .because("the Hub lists it, but no file may have that name");
    }
    Problem::new(Exit::NotFound, attempted)
        .because("there is no such file in this version of the repository")
        .hint(format!("`hfdown info {repo}` lists its files"))
}

fn sources(trip: &Trip<'_>, info: RepoInfo) -> Sources {
    let sources = Sources::new(Arc::clone(&trip.settings.hub), Arc::new(info));
    match &trip.selection {
        Selection::One { name, .. } => match RepoPath::new(*name) {
            Ok(original) => sources.of(original),
            // What is not a path was not listed.
            Err(_) => sources,
        },
        Selection::Everything => sources,
    }
}

/// Carries on unless the person wants to stop.
async fn unless_cancelled<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    tokio::select! {
        done = work => done,
        () = cancel.cancelled() => Err(failure::session(String::new(), &SessionError::Cancelled)),
    }
}

fn summarise(plan: &Plan, execution: &Execution, intent: Intent, began: Instant) -> Outcome {
    let Skipped { kept, kept_bytes, refused, by_size: _ } = plan.skipped();
    Outcome {
        placed: execution.summary.placed,
        failed: execution.summary.failed.saturating_add(refused),
        kept,
        kept_bytes,
        removed: execution.summary.removed,
        fetched: execution.summary.fetched,
        elapsed: began.elapsed(),
        transfer: execution.took,
        end: execution.summary.end,
        intent,
    }
}

fn exit(plan: &Plan, execution: &Execution, intent: Intent) -> Exit {
    if execution.summary.end == End::Cancelled {
        return Exit::Cancelled;
    }
    let failures: Vec<_> = execution.failures.iter().copied().chain(plan.refusals()).collect();
    let fetched = match intent {
        Intent::Execute => execution.summary.placed as usize,
        // As it would be.
        Intent::DryRun => plan.to_fetch().count(),
    };
    let others = fetched + plan.kept().count();
    failure::exit_of(&failures, u32::try_from(others).unwrap_or(u32::MAX))
}
