//! A plan, carried out: orders out, reports in, events to whoever watches.

use std::time::Duration;

use hfdown_protocol::{Failure, FailureKind, Job, Order, Report, Summary, batches};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::error::SessionError;
use super::monitor::{Carried, TransferMonitor};
use super::session::{Heard, Session};
use super::sources::Sources;
use crate::display::Events;
use crate::event::Event;
use crate::hub::ListedFile;
use crate::plan::{Action, Plan, Planned};

/// How often progress is sampled, whether anything moves or not: a stall is to be seen.
const SAMPLE: Duration = Duration::from_millis(100);
/// How long an agent may take to stop when it was told to.
const STOPPING: Duration = Duration::from_secs(5);

/// What is said when a visitor is asked for addresses and has none.
const NO_SOURCES: &str = "the addresses of some files have gone stale, and this machine does not know where to get new ones: \
     attach on the machine that detached it, or stop it and run `hfdown rsync-to-vast` again";
/// How long an agent that was detached may take to stop: what it is flushing to a slow disk is let finish.
const ENDING: Duration = Duration::from_secs(40);

/// How long to listen.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until<'a> {
    /// To the end.
    Stay,
    /// Until it has begun and needs nobody.
    Leave,
    /// Until the person has seen enough.
    Visit {
        /// Set then.
        leave: &'a CancellationToken,
    },
    /// Until it has stopped, as it was told to, or the person has waited enough.
    End {
        /// Set then.
        leave: &'a CancellationToken,
    },
}

/// What listening came to.
pub(super) enum Followed {
    /// The transfer has ended.
    Finished(Execution),
    /// It goes on.
    Left,
}

/// What came of a plan.
#[derive(Debug, Clone, Default)]
pub struct Execution {
    /// As the agent counts it.
    pub summary: Summary,
    /// Why files could not be had.
    pub failures: Vec<FailureKind>,
    /// How long it took.
    pub took: Duration,
}

impl Session {
    /// Has a plan carried out, as far as it can be. What came of it counts in `carried`, however it ends.
    pub async fn execute(
        &mut self,
        plan: &Plan,
        sources: &Sources,
        events: &Events,
        carried: &mut Carried,
    ) -> Result<Execution, SessionError> {
        let monitor = TransferMonitor::new(plan, carried);
        monitor.count_unheard(carried);
        self.order(plan, sources).await?;
        self.say(Order::Begin).await?;
        match self.follow(monitor, Some(sources), events, Until::Stay, carried).await? {
            Followed::Finished(execution) => Ok(execution),
            Followed::Left => Err(SessionError::Cancelled),
        }
    }

    /// Listens to a transfer until it ends, or until there is no reason to stay.
    pub(super) async fn follow(
        &mut self,
        mut monitor: TransferMonitor<'_>,
        sources: Option<&Sources>,
        events: &Events,
        until: Until<'_>,
        carried: &mut Carried,
    ) -> Result<Followed, SessionError> {
        let began = Instant::now();
        let (before, removed_before) = (carried.fetched, carried.removed);
        let ended = self.listen(&mut monitor, sources, events, until).await;
        let failures = std::mem::take(&mut monitor.failures);
        monitor.carry(carried, began.elapsed());
        let Some(summary) = ended? else { return Ok(Followed::Left) };
        // The agent's own count also has what it fetched in vain.
        carried.fetched = before.saturating_add(summary.fetched);
        let removed = removed_before.saturating_add(summary.removed);
        let &mut Carried { placed, fetched, took, .. } = carried;
        let summary = Summary { placed, removed, fetched, ..summary };
        Ok(Followed::Finished(Execution { summary, failures, took }))
    }

    async fn listen(
        &mut self,
        monitor: &mut TransferMonitor<'_>,
        sources: Option<&Sources>,
        events: &Events,
        until: Until<'_>,
    ) -> Result<Option<Summary>, SessionError> {
        let mut answers = JoinSet::new();
        let mut is_detached = false;
        let mut has_complained = false;
        let mut deadline = matches!(until, Until::End { .. }).then(|| Instant::now() + ENDING);
        let mut sampling = tokio::time::interval(SAMPLE);
        sampling.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let heard = tokio::select! {
                heard = self.hear() => match heard {
                    // It needs no link any more.
                    Err(error) if is_detached && error.is_lost_link() => return Ok(None),
                    heard => heard?,
                },
                _ = sampling.tick() => {
                    events.sample(Event::Progress(monitor.sample()));
                    continue;
                }
                () = passed(deadline) => return Err(match until {
                    Until::End { .. } => SessionError::Unstopped { after: ENDING.as_secs() },
                    _ => SessionError::Cancelled,
                }),
                () = wished(&until) => return match until {
                    Until::End { .. } => Err(SessionError::Cancelled),
                    _ => Ok(None),
                },
            };
            match heard {
                Heard::Cancelled => {
                    deadline = Some(Instant::now() + STOPPING);
                    events.send(Event::Cancelling).await;
                }
                Heard::Report(Report::NeedSource { file }) => {
                    while answers.try_join_next().is_some() {}
                    // A question that was asked just before the file was given up needs no answer.
                    let file_progress = monitor.unsettled(file)?;
                    let Some(sources) = sources else {
                        let is_of_interest = matches!(until, Until::Visit { .. });
                        if is_of_interest && !std::mem::replace(&mut has_complained, true) {
                            events.send(Event::Warning { text: NO_SOURCES.to_owned() }).await;
                        }
                        continue;
                    };
                    if let Some(file_progress) = file_progress {
                        let Planned { path, size, digest, .. } = file_progress.planned;
                        let listed = ListedFile { path: path.clone(), size: *size, digest: *digest };
                        monitor.may_ask(file, answers.len())?;
                        answers.spawn(sources.clone().answer(file, listed, self.orders()));
                    }
                }
                Heard::Report(Report::Finished { summary }) => {
                    return monitor.agreed(summary).map(Some);
                }
                Heard::Report(Report::Detached) if matches!(until, Until::Leave) => is_detached = true,
                Heard::Report(report) => {
                    if let Some(event) = monitor.event(report)? {
                        events.send(event).await;
                    }
                }
            }
            if is_detached && monitor.has_begun() {
                return Ok(None);
            }
        }
    }

    /// Says what is to be done. `Begin` is still to be said.
    pub(super) async fn order(&mut self, plan: &Plan, sources: &Sources) -> Result<(), SessionError> {
        let mut failed = None;
        let jobs = plan
            .to_fetch()
            .map_while(|planned| job(planned, sources).map_err(|error| failed = Some(error)).ok());
        for jobs in batches(jobs) {
            self.say(Order::Fetch { jobs }).await?;
        }
        if let Some(error) = failed {
            return Err(error);
        }
        for extraneous in batches(plan.to_remove().cloned()) {
            self.say(Order::Remove { extraneous }).await?;
        }
        Ok(())
    }
}

/// Ends when a visitor wants to go.
async fn wished(until: &Until<'_>) {
    match until {
        Until::Visit { leave } | Until::End { leave } => leave.cancelled().await,
        Until::Stay | Until::Leave => std::future::pending().await,
    }
}

/// Ends when a deadline has passed; without one, never.
async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn job(planned: &Planned, sources: &Sources) -> Result<Job, SessionError> {
    let unusable =
        |error: crate::hub::HubError| SessionError::Agent(Failure::new(FailureKind::Nonsense, error));
    let source = sources.source(&planned.path).map_err(unusable)?;
    let replaces = match planned.action {
        Action::Fetch { replaces, .. } => replaces,
        Action::Keep { .. } | Action::Refuse { .. } => None,
    };
    Ok(Job { file: planned.id, replaces, source })
}
