//! A plan, carried out: orders out, reports in, events to whoever watches.

use std::collections::HashMap;
use std::time::Duration;

use hfdown_protocol::{Failure, FailureKind, FileId, Job, Order, Report, Stray, Summary, Ticked, limits};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::answer::Sources;
use super::error::SessionError;
use super::link::{Heard, Session, cleaned, unexpected};
use super::pace::Pace;
use crate::event::{Event, InFlight, Progress};
use crate::hub::ListedFile;
use crate::display::Events;
use crate::plan::{Action, Plan, Planned};

/// A sample of progress, at most this often.
const SAMPLE: Duration = Duration::from_millis(100);
/// How long an agent may take to stop when it was told to.
const STOPPING: Duration = Duration::from_secs(5);

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
    /// Has a plan carried out, as far as it can be.
    pub async fn execute(&mut self, plan: &Plan, sources: &Sources, events: &Events) -> Result<Execution, SessionError> {
        let began = Instant::now();
        self.order(plan, sources).await?;
        let mut watch = Watch::new(plan);
        let mut answers = JoinSet::new();
        let mut deadline = None;
        loop {
            let heard = match deadline {
                None => self.hear().await?,
                Some(deadline) => match tokio::time::timeout_at(deadline, self.hear()).await {
                    Ok(heard) => heard?,
                    Err(_) => return Err(SessionError::Cancelled),
                },
            };
            match heard {
                Heard::Cancelled => {
                    deadline = Some(Instant::now() + STOPPING);
                    events.send(Event::Cancelling).await;
                }
                Heard::Report(Report::Want { file }) => {
                    let planned = watch.flight(file)?.planned;
                    let listed = ListedFile { path: planned.path.clone(), size: planned.size, digest: planned.digest };
                    answers.spawn(sources.clone().answer(file, listed, self.orders()));
                    while answers.try_join_next().is_some() {}
                }
                Heard::Report(Report::Finished { summary }) => {
                    let failures = watch.failures;
                    return Ok(Execution { summary, failures, took: began.elapsed() });
                }
                Heard::Report(report) => {
                    if let Some(event) = watch.event(report)? {
                        events.send(event).await;
                    }
                }
            }
            if let Some(progress) = watch.sample() {
                events.sample(Event::Progress(progress));
            }
        }
    }

    async fn order(&mut self, plan: &Plan, sources: &Sources) -> Result<(), SessionError> {
        let mut jobs = Vec::new();
        let mut bytes = 0;
        for planned in plan.to_fetch() {
            let job = job(planned, sources)?;
            // An address and a stamp are at most a few hundred bytes beside the path.
            bytes += 3 * planned.path.as_str().len() + 512;
            jobs.push(job);
            if jobs.len() == limits::ENTRIES || bytes >= limits::BATCH_BYTES {
                self.say(Order::Fetch { jobs: std::mem::take(&mut jobs) }).await?;
                bytes = 0;
            }
        }
        if !jobs.is_empty() {
            self.say(Order::Fetch { jobs }).await?;
        }
        let strays: Vec<_> = plan.to_remove().cloned().collect();
        for strays in strays.chunks(limits::BATCH_BYTES / (limits::PATH + 64)) {
            self.say(Order::Remove { strays: strays.to_vec() }).await?;
        }
        self.say(Order::Begin).await
    }
}

fn job(planned: &Planned, sources: &Sources) -> Result<Job, SessionError> {
    let unusable = |error: crate::hub::HubError| SessionError::Agent(Failure::new(FailureKind::Nonsense, error));
    let source = sources.source(&planned.path).map_err(unusable)?;
    let replaces = match planned.action {
        Action::Fetch { replaces, .. } => replaces,
        Action::Keep { .. } | Action::Refuse { .. } => None,
    };
    Ok(Job { file: planned.id, replaces, source })
}

/// What is known of the transfer, and what may still be said of it.
struct Watch<'a> {
    flights: HashMap<FileId, Flight<'a>>,
    strays: Vec<Option<&'a Stray>>,
    /// The files in flight, in the order they began.
    in_flight: Vec<FileId>,
    failures: Vec<FailureKind>,
    total: u64,
    done: u64,
    pace: Pace,
    last_sample: Option<Instant>,
    has_moved: bool,
}

struct Flight<'a> {
    planned: &'a Planned,
    done: u64,
    pace: Pace,
    is_settled: bool,
}

impl<'a> Watch<'a> {
    fn new(plan: &'a Plan) -> Self {
        let flight = |planned: &'a Planned| {
            let done = match planned.action {
                Action::Fetch { partial, .. } => partial.min(planned.size),
                Action::Keep { .. } | Action::Refuse { .. } => 0,
            };
            (planned.id, Flight { planned, done, pace: Pace::default(), is_settled: false })
        };
        let flights: HashMap<_, _> = plan.to_fetch().map(flight).collect();
        let total = flights.values().map(|flight| flight.planned.size).sum();
        let done = flights.values().map(|flight| flight.done).sum();
        let mut pace = Pace::default();
        pace.note(Instant::now(), done);
        Self {
            flights,
            strays: plan.to_remove().map(Some).collect(),
            in_flight: Vec::new(),
            failures: Vec::new(),
            total,
            done,
            pace,
            last_sample: None,
            has_moved: true,
        }
    }

    /// A file that was ordered and is not settled yet.
    fn flight(&mut self, file: FileId) -> Result<&mut Flight<'a>, SessionError> {
        let flight = self.flights.get_mut(&file).filter(|flight| !flight.is_settled);
        flight.ok_or_else(|| SessionError::Protocol("it speaks of a file that it was not to fetch".to_owned()))
    }

    fn settle(&mut self, file: FileId) -> Result<&'a Planned, SessionError> {
        let flight = self.flight(file)?;
        flight.is_settled = true;
        let planned = flight.planned;
        self.in_flight.retain(|id| *id != file);
        Ok(planned)
    }

    fn advance(&mut self, file: FileId, done: u64) -> Result<(), SessionError> {
        let flight = self.flight(file)?;
        if done > flight.planned.size {
            return Err(SessionError::Protocol("it has more of a file than there is".to_owned()));
        }
        let before = std::mem::replace(&mut flight.done, done);
        flight.pace.note(Instant::now(), done);
        self.done = self.done - before + done;
        self.has_moved = true;
        Ok(())
    }

    fn stray(&mut self, index: u32) -> Result<&'a Stray, SessionError> {
        let stray = self.strays.get_mut(index as usize).and_then(Option::take);
        stray.ok_or_else(|| SessionError::Protocol("it speaks of a file that it was not to remove".to_owned()))
    }

    fn event(&mut self, report: Report) -> Result<Option<Event>, SessionError> {
        Ok(Some(match report {
            Report::Started { file, resumed } => {
                self.advance(file, resumed)?;
                if !self.in_flight.contains(&file) {
                    self.in_flight.push(file);
                }
                let planned = self.flight(file)?.planned;
                Event::Started { path: planned.path.clone(), size: planned.size, resumed }
            }
            Report::Tick { files } => {
                for Ticked { file, done } in files {
                    self.advance(file, done)?;
                }
                return Ok(None);
            }
            Report::Retrying { file, attempt, failure, wait_ms } => {
                let path = self.flight(file)?.planned.path.clone();
                Event::Retrying { path, attempt, failure: cleaned(failure), wait: Duration::from_millis(wait_ms) }
            }
            Report::Verified { file } => Event::Verified { path: self.flight(file)?.planned.path.clone() },
            Report::Placed { file, fetched } => {
                let size = self.flight(file)?.planned.size;
                self.advance(file, size)?;
                let planned = self.settle(file)?;
                Event::Placed { path: planned.path.clone(), size, fetched }
            }
            Report::Failed { file, failure, .. } => {
                let planned = self.settle(file)?;
                self.failures.push(failure.kind);
                Event::Failed { path: planned.path.to_string(), failure: cleaned(failure) }
            }
            Report::Removed { stray } => Event::Removed { path: self.stray(stray)?.path.clone() },
            Report::Spared { stray, failure } => {
                Event::Spared { path: self.stray(stray)?.path.clone(), failure: cleaned(failure) }
            }
            report => return Err(unexpected(&report)),
        }))
    }

    fn sample(&mut self) -> Option<Progress> {
        let now = Instant::now();
        let is_due = self.last_sample.is_none_or(|last| now - last >= SAMPLE);
        if !is_due || !std::mem::take(&mut self.has_moved) {
            return None;
        }
        self.last_sample = Some(now);
        self.pace.note(now, self.done);
        let rate = self.pace.rate();
        let in_flight = self.in_flight.iter().filter_map(|file| self.flights.get(file)).map(|flight| InFlight {
            path: flight.planned.path.clone(),
            done: flight.done,
            size: flight.planned.size,
            rate: flight.pace.rate(),
        });
        let left = (self.total - self.done).checked_div(rate).map(Duration::from_secs);
        Some(Progress { done: self.done, total: self.total, rate, left, in_flight: in_flight.collect() })
    }
}
