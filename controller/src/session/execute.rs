//! A plan, carried out: orders out, reports in, events to the display.

use std::time::Duration;

use hfdown_protocol::{Failure, FailureKind, Job, Order, Report, batches};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::carryover::Carryover;
use super::detach::DetachOptions;
use super::error::SessionError;
use super::monitor::TransferMonitor;
use super::relay::Relay;
use super::session::{Heard, Session};
use super::sources::Sources;
use crate::display::Events;
use crate::event::Event;
use crate::plan::{Plan, Planned};
use crate::routes::{Routes, SMALLEST};

/// How often progress is sampled, whether anything moves or not: a stall is to be seen.
const SAMPLE: Duration = Duration::from_millis(100);
/// How long an agent may take to stop when it was told to.
const STOPPING: Duration = Duration::from_secs(5);

/// What is said when an agent asks for addresses and a client that has joined it has none.
const NO_SOURCES: &str = "the addresses of some files have gone stale, and this machine does not know where to get new ones: \
     attach on the machine that detached it, or stop it and run `hfdown rsync-to-vast` again";
/// How long an agent that was detached may take to stop: what it is flushing to a slow disk is let finish.
const ENDING: Duration = Duration::from_secs(40);

/// How long to listen.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until<'a> {
    /// To the end of the transfer.
    Finished,
    /// Until the agent has begun and needs no controller.
    Begun,
    /// To the end, or until the user has seen enough.
    Left(&'a CancellationToken),
    /// Until the agent has stopped, as it was told to, or the user has waited enough.
    Stopped(&'a CancellationToken),
}

/// What listening came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listened {
    /// The transfer has ended.
    Finished,
    /// It goes on.
    Underway,
}

/// What is done with a plan.
#[derive(Debug, Clone)]
pub enum Execution {
    /// Nothing: it is only shown.
    DryRun,
    /// It is carried out while the controller listens.
    Attached,
    /// It is begun, and left to the agent.
    Detached(DetachOptions),
}

impl Session {
    /// Has a plan carried out, as far as it can be. What it comes to counts in `run`, however it ends.
    pub async fn execute(
        &mut self,
        plan: &Plan,
        execution: &Execution,
        sources: &Sources,
        events: &Events,
        run: &mut Carryover,
    ) -> Result<Listened, SessionError> {
        let until = match execution {
            Execution::DryRun => return Ok(Listened::Finished),
            Execution::Attached => Until::Finished,
            Execution::Detached(_) => Until::Begun,
        };
        let monitor = TransferMonitor::resumed(plan, run);
        match execution {
            Execution::Detached(options) => self.begin_detached(plan, sources, options).await?,
            Execution::DryRun | Execution::Attached => {
                self.order(plan, sources).await?;
                self.say(Order::Begin).await?;
            }
        }
        self.listen(monitor, Some(sources), events, until).await
    }

    /// Listens to a transfer until it ends, or until there is no reason to go on listening. What it comes to counts in
    /// the monitor's run, also where the link breaks.
    pub(super) async fn listen(
        &mut self,
        mut monitor: TransferMonitor<'_>,
        sources: Option<&Sources>,
        events: &Events,
        until: Until<'_>,
    ) -> Result<Listened, SessionError> {
        monitor.start_clock();
        let (total, mut furthest) = monitor.bytes();
        // One that is only watched is the user's to leave.
        if matches!(until, Until::Finished) {
            self.lull.begin(total);
        }
        let mut answers = JoinSet::new();
        let mut relay = Relay::new(self.relayed());
        let mut is_detached = false;
        let mut has_complained = false;
        let mut deadline = matches!(until, Until::Stopped(_)).then(|| Instant::now() + ENDING);
        let mut sampling = tokio::time::interval(SAMPLE);
        sampling.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let heard = tokio::select! {
                heard = self.hear() => match heard {
                    // It needs no link any more.
                    Err(error) if is_detached && error.is_lost_link() => return Ok(Listened::Underway),
                    heard => heard?,
                },
                _ = sampling.tick() => {
                    events.sample(Event::Progress(monitor.sample()));
                    continue;
                }
                () = passed(deadline) => return Err(match until {
                    Until::Stopped(_) => SessionError::Unstopped { after: ENDING.as_secs() },
                    _ => SessionError::Cancelled,
                }),
                () = left(&until) => return match until {
                    Until::Stopped(_) => Err(SessionError::Cancelled),
                    _ => Ok(Listened::Underway),
                },
            };
            match heard {
                Heard::Cancelled => {
                    deadline = Some(Instant::now() + STOPPING);
                    events.send(Event::Cancelling).await;
                }
                Heard::Report(Report::NeedSource { file, asked: kind }) => {
                    while let Some(answered) = answers.try_join_next() {
                        if let Ok((file, Some(number))) = answered {
                            monitor.was_given(file, number);
                        }
                    }
                    // A question that was asked just before the file was given up needs no answer.
                    let unsettled = monitor.unsettled(file)?;
                    let Some(sources) = sources else {
                        let is_of_interest = matches!(until, Until::Left(_));
                        if is_of_interest && !std::mem::replace(&mut has_complained, true) {
                            events.send(Event::Warning { text: NO_SOURCES.to_owned() }).await;
                        }
                        continue;
                    };
                    if let Some(unsettled) = unsettled {
                        let asked = unsettled.asked();
                        monitor.may_ask(file, &kind, answers.len())?;
                        let xet = monitor.routes().hash(file);
                        answers.spawn(sources.clone().answer(asked, kind, xet, self.answer_ways()));
                    }
                }
                Heard::Report(Report::Warning { warning }) => {
                    if let Some(event) = monitor.warning(&self.root, warning) {
                        events.send(event).await;
                    }
                }
                Heard::Report(Report::Stream { stream, request }) => {
                    let Some(sources) = sources else {
                        return Err(SessionError::protocol("it asks for bytes that it was not to ask for"));
                    };
                    relay.hear(stream, request, sources, &mut monitor)?;
                }
                Heard::Report(Report::Finished { summary }) => {
                    return monitor.finish(summary).map(|()| Listened::Finished);
                }
                Heard::Report(Report::Detached) if matches!(until, Until::Begun) => {
                    is_detached = true;
                    self.goes_on = true;
                }
                Heard::Report(report) => {
                    let report = match sources {
                        Some(sources) => sources.report_in_full(report),
                        None => report,
                    };
                    if let Some(event) = monitor.event(report)? {
                        events.send(event).await;
                    }
                    let (_, done) = monitor.bytes();
                    if done > furthest {
                        furthest = done;
                        self.lull.end();
                    }
                }
            }
            if is_detached && monitor.has_begun() {
                return Ok(Listened::Underway);
            }
        }
    }

    /// Says what is to be done. `Begin` is still to be said.
    pub(super) async fn order(&mut self, plan: &Plan, sources: &Sources) -> Result<(), SessionError> {
        let mut failed = None;
        for jobs in batches(jobs(plan, sources, &mut failed)) {
            self.say(Order::Fetch { jobs }).await?;
        }
        if let Some(error) = failed {
            return Err(error);
        }
        self.order_copies(&plan.routes).await?;
        for extraneous in batches(plan.to_remove().cloned()) {
            self.say(Order::Remove { extraneous }).await?;
        }
        for digests in batches(plan.left_out_parts.iter().copied()) {
            self.say(Order::KeepParts { digests }).await?;
        }
        Ok(())
    }
}

/// Ends when the user wants to stop listening.
async fn left(until: &Until<'_>) {
    match until {
        Until::Left(leave) | Until::Stopped(leave) => leave.cancelled().await,
        Until::Finished | Until::Begun => std::future::pending().await,
    }
}

/// Ends when a deadline has passed; without one, never.
async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// What is to be fetched, up to the first file of which it can't be said.
fn jobs(plan: &Plan, sources: &Sources, failed: &mut Option<SessionError>) -> impl Iterator<Item = Job> {
    plan.to_fetch()
        .map_while(|planned| job(&planned, sources, &plan.routes).map_err(|error| *failed = Some(error)).ok())
}

fn job(planned: &Planned<'_>, sources: &Sources, routes: &Routes) -> Result<Job, SessionError> {
    let unusable =
        |error: crate::hub::HubError| SessionError::Agent(Failure::new(FailureKind::Nonsense, error));
    let source = sources.source(planned, routes).map_err(unusable)?;
    let replaces = planned.replaces().map(|there| there.stamp);
    let xet = routes.hash(planned.id).filter(|_| planned.size > SMALLEST);
    Ok(Job { file: planned.id, replaces, source, xet })
}
