//! `hfdown attach SSH DIR`: watch a transfer that was detached, and give it new addresses if it needs any.
//! `hfdown stop SSH DIR`: end it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hfdown_protocol::{Conclusion, End, Traces, TransferStatus};

use super::Context;
use super::again::{Again, Broken};
use super::there::Place;
use crate::cli::{BoxArguments, RepoArguments, Settings};
use crate::detached_records::{DetachedRecord, DetachedRecords};
use crate::display::Events;
use crate::event::{Event, Intent, Outcome};
use crate::failure::{self, Errand, Exit, Problem};
use crate::hub::HubError;
use crate::session::{self, ConnectAttempt, Execution, Joined, Machine, SessionError, Sources};

/// What is wanted of a transfer that was detached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish<'a> {
    /// To see it.
    Attach { token: Option<&'a str> },
    /// To end it.
    Stop,
}

/// A visit to a box.
struct Visit<'a> {
    there: &'a BoxArguments,
    place: Place,
    wish: Wish<'a>,
    context: &'a Context,
    began: Instant,
}

pub(super) async fn run(wish: Wish<'_>, there: &BoxArguments, context: &Context) -> Result<Exit, Problem> {
    let place = Place::new(there, Traces::Keep, context).await?;
    let visit = Visit { there, place, wish, context, began: Instant::now() };
    let mut again = Again::new(&visit.place.machine, &visit.place.events, &context.cancel);
    let mut has_inquired = false;
    let mut done = None;
    loop {
        let broken = match visit.pay(&mut again, &mut done).await {
            Ok(exit) => return Ok(exit),
            Err(broken) => broken,
        };
        // It was killed before our eyes. Its record says the rest, once: to whoever asks now.
        let is_gone = matches!(broken.error, SessionError::Ended(_));
        if is_gone && !context.cancel.is_cancelled() && !std::mem::replace(&mut has_inquired, true) {
            continue;
        }
        let errand = match wish {
            Wish::Attach { .. } => Errand::Attach,
            Wish::Stop => Errand::Stop,
        };
        let advice = errand.advice(&broken.error);
        again.after(broken).await.map_err(|problem| advice.into_iter().fold(problem, Problem::hint))?;
    }
}

impl Visit<'_> {
    /// One conversation. `done` is how many bytes the last one was told of.
    async fn pay(&self, again: &mut Again<'_>, done: &mut Option<u64>) -> Result<Exit, Broken> {
        let Self { there, place, context, .. } = self;
        let Place { machine, name, events } = place;
        let folder = &there.folder;
        let attempt = match self.wish {
            Wish::Attach { .. } => "watch",
            Wish::Stop => "stop",
        };
        let attempted = || format!("cannot {attempt} the transfer to {name}:{folder}");
        let broken = |error| Broken::on(machine, attempted, error);
        let joined =
            session::join(machine, folder, again.attempt, events, &context.cancel).await.map_err(broken)?;
        // The next one leaves the agent alone: it is the transfer itself.
        again.attempt = ConnectAttempt::Reconnect { supersedes: None };
        let (mut session, status, plan) = match joined {
            Joined::Underway { session, status, plan } => {
                // A link that breaks as often as it is made is not made for ever.
                if done.replace(status.done).is_none_or(|before| status.done > before) {
                    again.has_moved();
                }
                (session, status, plan)
            }
            Joined::Ended { status, conclusion, ago } => {
                self.forget_record(&status);
                let exit = match self.wish {
                    Wish::Attach { .. } => exit_of(&status, &conclusion),
                    // What was asked for is so.
                    Wish::Stop => Exit::Done,
                };
                let ago = Duration::from_secs(ago);
                events.send(Event::Ended { status: Box::new(status), conclusion, ago }).await;
                return Ok(exit);
            }
        };
        events.send(Event::Joined { status: Box::new(status.clone()) }).await;
        let sources = match self.wish {
            Wish::Attach { token } => tokio::select! {
                sources = self.sources(&status, token) => sources,
                () = context.cancel.cancelled() => None,
            },
            Wish::Stop => None,
        };
        let visit = match self.wish {
            Wish::Attach { .. } => session::Visit::Watch(sources.as_ref()),
            Wish::Stop => session::Visit::End,
        };
        let visited = session.visit(visit, &status, &plan, events, &context.cancel).await;
        session.close().await;
        let Some(execution) = visited.map_err(broken)? else {
            events.send(Event::Disconnected).await;
            return Ok(Exit::Cancelled);
        };
        self.forget_record(&status);
        events.send(Event::Finished(self.outcome(&status, &execution))).await;
        Ok(self.exit(&status, &execution))
    }

    /// Where addresses come from that the box can't get by itself, if this machine knows.
    async fn sources(&self, status: &TransferStatus, token: Option<&str>) -> Option<Sources> {
        let Place { machine: Machine::Box { target, .. }, events, .. } = &self.place else { return None };
        let record = DetachedRecords::from_environment().find(target, &status.root)?;
        match redeem(record, token, events).await {
            Ok(sources) => Some(sources),
            Err(why) => {
                let text = format!("addresses that go stale can't be renewed: {why}");
                events.send(Event::Warning { text }).await;
                None
            }
        }
    }

    fn forget_record(&self, status: &TransferStatus) {
        if let Machine::Box { target, .. } = &self.place.machine {
            DetachedRecords::from_environment().forget(target, &status.root);
        }
    }

    fn outcome(&self, status: &TransferStatus, execution: &Execution) -> Outcome {
        let (summary, skipped) = (execution.summary, status.skipped);
        Outcome {
            placed: summary.placed,
            failed: summary.failed.saturating_add(skipped.refused),
            kept: skipped.kept,
            kept_bytes: skipped.kept_bytes,
            removed: summary.removed,
            fetched: summary.fetched,
            elapsed: Duration::from_secs(status.age).saturating_add(self.began.elapsed()),
            transfer: execution.took,
            end: summary.end,
            intent: Intent::Execute,
        }
    }

    fn exit(&self, status: &TransferStatus, execution: &Execution) -> Exit {
        match (execution.summary.end, self.wish) {
            (End::Cancelled, Wish::Stop) => Exit::Done,
            // Somebody else did that.
            (End::Cancelled, Wish::Attach { .. }) => Exit::Cancelled,
            (End::Complete, _) => {
                let failures = [&execution.failures[..], &status.failures].concat();
                failure::exit_of(&failures, execution.summary.placed.saturating_add(status.skipped.kept))
            }
        }
    }
}

/// Asks the Hub for what the record is for.
async fn redeem(record: DetachedRecord, token: Option<&str>, events: &Events) -> Result<Sources, String> {
    let DetachedRecord { endpoint, repo, commit } = record;
    let source =
        RepoArguments { model: repo, revision: Some(commit.to_string()), token: token.map(str::to_owned) };
    let Settings { hub, repo, revision, .. } =
        Settings::new(&source, events).map_err(|problem| problem.causes.join(": "))?;
    if hub.endpoint().to_string() != endpoint {
        return Err(format!("it was detached with HF_ENDPOINT={endpoint}"));
    }
    let words = |error: HubError| failure::in_words(&error.to_string());
    let info = hub.info(&repo, &revision).await.map_err(words)?;
    let listing = hub.list(&info).await.map_err(words)?;
    Ok(Sources::new(hub, Arc::new(info)).within(listing))
}

/// The exit code of a transfer that ended while nobody was there: the one that a run would have had that stayed.
fn exit_of(status: &TransferStatus, conclusion: &Conclusion) -> Exit {
    let in_place = status.summary.placed.saturating_add(status.skipped.kept);
    match conclusion {
        Conclusion::Finished => failure::exit_of(&status.failures, in_place),
        Conclusion::Vanished => Exit::Failed,
        Conclusion::Stopped => Exit::Cancelled,
        // BoxArguments is no such transfer any more.
        Conclusion::Superseded => Exit::NotFound,
        Conclusion::Failed { failure } => failure::exit_of(&[failure.kind], 0),
    }
}
