//! A plan, carried out: orders out, reports in, events to whoever watches.

use std::collections::HashMap;
use std::time::Duration;

use hfdown_protocol::{
    End, Failure, FailureKind, FileId, Job, Order, Report, Stray, Summary, Ticked, limits,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::answer::Sources;
use super::error::SessionError;
use super::link::{Heard, Session, cleaned, unexpected};
use super::pace::Pace;
use crate::display::Events;
use crate::event::{Event, InFlight, Progress};
use crate::hub::ListedFile;
use crate::plan::{Action, Plan, Planned};

/// How often progress is sampled, whether anything moves or not: a stall is to be seen.
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
    pub async fn execute(
        &mut self,
        plan: &Plan,
        sources: &Sources,
        events: &Events,
    ) -> Result<Execution, SessionError> {
        let began = Instant::now();
        self.order(plan, sources).await?;
        let mut watch = Watch::new(plan);
        let mut answers = JoinSet::new();
        let mut deadline = None;
        let mut sampling = tokio::time::interval(SAMPLE);
        sampling.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let heard = tokio::select! {
                heard = self.hear() => heard?,
                _ = sampling.tick() => {
                    events.sample(Event::Progress(watch.sample()));
                    continue;
                }
                () = passed(deadline) => return Err(SessionError::Cancelled),
            };
            match heard {
                Heard::Cancelled => {
                    deadline = Some(Instant::now() + STOPPING);
                    events.send(Event::Cancelling).await;
                }
                Heard::Report(Report::Want { file }) => {
                    while answers.try_join_next().is_some() {}
                    // A question that was asked just before the file was given up needs no answer.
                    if let Some(flight) = watch.unsettled(file)? {
                        let Planned { path, size, digest, .. } = flight.planned;
                        let listed = ListedFile { path: path.clone(), size: *size, digest: *digest };
                        watch.may_ask(answers.len())?;
                        answers.spawn(sources.clone().answer(file, listed, self.orders()));
                    }
                }
                Heard::Report(Report::Finished { summary }) => {
                    let summary = watch.agreed(summary)?;
                    return Ok(Execution { summary, failures: watch.failures, took: began.elapsed() });
                }
                Heard::Report(report) => {
                    if let Some(event) = watch.event(report)? {
                        events.send(event).await;
                    }
                }
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

/// What is known of the transfer, and what may still be said of it.
struct Watch<'a> {
    flights: HashMap<FileId, Flight<'a>>,
    strays: Vec<Option<&'a Stray>>,
    /// The files in flight, in the order they began.
    in_flight: Vec<FileId>,
    placed: u32,
    failures: Vec<FailureKind>,
    removed: u32,
    total: u64,
    done: u64,
    pace: Pace,
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
        // The sizes are whatever the Hub says.
        let total = flights.values().map(|flight| flight.planned.size).fold(0, u64::saturating_add);
        let done = flights.values().map(|flight| flight.done).fold(0, u64::saturating_add);
        let mut pace = Pace::default();
        pace.note(Instant::now(), done);
        Self {
            flights,
            strays: plan.to_remove().map(Some).collect(),
            in_flight: Vec::new(),
            placed: 0,
            failures: Vec::new(),
            removed: 0,
            total,
            done,
            pace,
        }
    }

    /// A file that was ordered and is not settled yet.
    fn flight(&mut self, file: FileId) -> Result<&mut Flight<'a>, SessionError> {
        self.unsettled(file)?.ok_or_else(|| protocol("it goes on about a file that it was done with"))
    }

    /// A file that was ordered; none when it is settled. An agent's connections work side by side: what one of them says
    /// while another has the last word may be heard after that, and then it is of no interest.
    fn unsettled(&mut self, file: FileId) -> Result<Option<&mut Flight<'a>>, SessionError> {
        let flight = self.flights.get_mut(&file);
        let flight = flight.ok_or_else(|| protocol("it speaks of a file that it was not to fetch"))?;
        Ok(Some(flight).filter(|flight| !flight.is_settled))
    }

    /// Whether another question may be asked while so many are unanswered: an agent asks once per file.
    fn may_ask(&self, unanswered: usize) -> Result<(), SessionError> {
        if unanswered <= self.flights.len() {
            Ok(())
        } else {
            Err(protocol("it asks without waiting for answers"))
        }
    }

    /// The agent's account of the whole, which must be that of its parts.
    fn agreed(&self, summary: Summary) -> Result<Summary, SessionError> {
        let is_whole = self.flights.values().all(|flight| flight.is_settled);
        if summary.end == End::Complete && !is_whole {
            return Err(protocol("it says that it has finished and has not"));
        }
        let failed = u32::try_from(self.failures.len()).unwrap_or(u32::MAX);
        Ok(Summary { placed: self.placed, failed, removed: self.removed, ..summary })
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
            return Err(protocol("it has more of a file than there is"));
        }
        let before = std::mem::replace(&mut flight.done, done);
        flight.pace.note(Instant::now(), done);
        self.done = self.done.saturating_sub(before).saturating_add(done);
        Ok(())
    }

    fn stray(&mut self, index: u32) -> Result<&'a Stray, SessionError> {
        let stray = self.strays.get_mut(index as usize).and_then(Option::take);
        stray.ok_or_else(|| protocol("it speaks of a file that it was not to remove"))
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
                    if self.unsettled(file)?.is_some() {
                        self.advance(file, done)?;
                    }
                }
                return Ok(None);
            }
            Report::Retrying { file, attempt, failure, wait_ms } => {
                let Some(flight) = self.unsettled(file)? else { return Ok(None) };
                let (path, wait) = (flight.planned.path.clone(), Duration::from_millis(wait_ms));
                Event::Retrying { path, attempt, failure: cleaned(&failure), wait }
            }
            Report::Verified { file } => Event::Verified { path: self.flight(file)?.planned.path.clone() },
            Report::Placed { file, fetched } => {
                let size = self.flight(file)?.planned.size;
                self.advance(file, size)?;
                let planned = self.settle(file)?;
                self.placed += 1;
                Event::Placed { path: planned.path.clone(), size, fetched }
            }
            Report::Failed { file, failure, .. } => {
                let planned = self.settle(file)?;
                self.failures.push(failure.kind);
                Event::Failed { path: planned.path.to_string(), failure: cleaned(&failure) }
            }
            Report::Removed { stray } => {
                let path = self.stray(stray)?.path.clone();
                self.removed += 1;
                Event::Removed { path }
            }
            Report::Spared { stray, failure } => {
                Event::Spared { path: self.stray(stray)?.path.clone(), failure: cleaned(&failure) }
            }
            report => return Err(unexpected(&report)),
        }))
    }

    /// Where everything stands now. That nothing has moved is noted as well, so that a stall's rate falls to nothing.
    fn sample(&mut self) -> Progress {
        let now = Instant::now();
        self.pace.note(now, self.done);
        let rate = self.pace.rate();
        let mut in_flight = Vec::with_capacity(self.in_flight.len());
        for file in &self.in_flight {
            if let Some(Flight { planned, done, pace, .. }) = self.flights.get_mut(file) {
                pace.note(now, *done);
                let path = planned.path.clone();
                in_flight.push(InFlight { path, done: *done, size: planned.size, rate: pace.rate() });
            }
        }
        let left = self.total.saturating_sub(self.done).checked_div(rate).map(Duration::from_secs);
        Progress { done: self.done, total: self.total, rate, left, in_flight }
    }
}

fn protocol(what: &str) -> SessionError {
    SessionError::Protocol(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hfdown_protocol::{Digest, RepoPath};

    use crate::plan::Reason;

    fn plan(sizes: &[u64]) -> Plan {
        let planned = |(id, size): (u32, &u64)| Planned {
            id: FileId(id),
            path: RepoPath::new(format!("file-{id}")).unwrap(),
            size: *size,
            digest: Digest::Sha256([0; 32]),
            action: Action::Fetch { reason: Reason::Missing, replaces: None, partial: 0 },
        };
        Plan { files: (0..).zip(sizes).map(planned).collect(), ..Plan::default() }
    }

    fn tick(done: u64) -> Report {
        Report::Tick { files: vec![Ticked { file: FileId(0), done }] }
    }

    fn failure() -> Failure {
        Failure::new(FailureKind::Unreachable, "it does not work")
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_is_seen_though_nothing_is_heard() {
        let plan = plan(&[100_000]);
        let mut watch = Watch::new(&plan);
        watch.event(Report::Started { file: FileId(0), resumed: 0 }).unwrap();
        for second in 1..=10 {
            tokio::time::advance(Duration::from_secs(1)).await;
            watch.event(tick(second * 1000)).unwrap();
            watch.sample();
        }
        let moving = watch.sample();
        assert_eq!((moving.rate, moving.in_flight[0].rate), (1000, 1000));
        for _ in 0..70 {
            tokio::time::advance(SAMPLE).await;
            watch.sample();
        }
        let stalled = watch.sample();
        assert_eq!((stalled.done, stalled.rate, stalled.left), (10_000, 0, None));
        assert_eq!(stalled.in_flight[0].rate, 0);
    }

    #[test]
    fn what_is_said_of_a_file_after_the_last_word_on_it_is_overheard() {
        let plan = plan(&[10]);
        let mut watch = Watch::new(&plan);
        let file = FileId(0);
        watch.event(Report::Placed { file, fetched: 10 }).unwrap();
        assert!(watch.event(tick(5)).unwrap().is_none());
        let retrying = Report::Retrying { file, attempt: 1, failure: failure(), wait_ms: 0 };
        assert!(watch.event(retrying).unwrap().is_none());
        assert!(watch.unsettled(file).unwrap().is_none());
        assert_eq!(watch.sample().done, 10);
        // But there is only one last word, and other files are none of its business.
        assert!(watch.event(Report::Placed { file, fetched: 10 }).is_err());
        assert!(watch.event(Report::Failed { file, failure: failure(), fetched: 0 }).is_err());
        assert!(watch.unsettled(FileId(1)).is_err());
    }

    #[test]
    fn an_account_that_leaves_files_out_is_refused() {
        let plan = plan(&[10, 10]);
        let mut watch = Watch::new(&plan);
        watch.event(Report::Placed { file: FileId(0), fetched: 10 }).unwrap();
        let said = Summary { placed: 2, failed: u32::MAX, ..Summary::default() };
        assert!(watch.agreed(said).is_err());
        assert!(watch.agreed(Summary { end: End::Cancelled, ..said }).is_ok());
        watch.event(Report::Failed { file: FileId(1), failure: failure(), fetched: 0 }).unwrap();
        let agreed = watch.agreed(said).unwrap();
        assert_eq!((agreed.placed, agreed.failed), (1, 1));
    }
}
