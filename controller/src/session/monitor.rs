//! What is known of a transfer while it goes on, and what an agent may still say of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use hfdown_protocol::{AskedFor, DiskWarning, End, ExtraneousFile, Failure, FileId, Report, Summary, Ticked};
use tokio::time::Instant;

use super::answers::AskedSource;
use super::carryover::Carryover;
use super::error::SessionError;
use super::rate_meter::RateMeter;
use super::repetition::Repetitions;
use super::session::{cleaned, unexpected};
use super::shared_answers::AnswerNumber;
use crate::event::{Event, InFlight, Progress};
use crate::plan::{Action, Plan, Planned};
use crate::routes::Routes;
use crate::text::sanitize;

/// The most characters of who holds a file.
const LONGEST_HOLDER: usize = 200;

/// What is known of the transfer, and what may still be said of it. It counts into the run's [`Carryover`].
pub(super) struct TransferMonitor<'a> {
    run: &'a mut Carryover,
    plan: &'a Plan,
    /// The files that something has been said of and that are not settled: of a million, the few under way.
    files: HashMap<FileId, FileProgress<'a>>,
    /// Whether a file is settled, in the order of the plan.
    settled: Vec<bool>,
    /// Files to fetch, and those of them that are not settled.
    to_fetch: usize,
    unsettled: usize,
    /// Bytes of the files that are settled: those that came over the network, and those that were written.
    settled_bytes: (u64, u64),
    extraneous: Vec<Option<&'a ExtraneousFile>>,
    /// The files in flight, in the order they began.
    in_flight: Vec<FileId>,
    removals: Removals,
    /// Whether an agent has said anything of any file.
    has_begun: bool,
    total: u64,
    done: u64,
    rate_meter: RateMeter,
    /// Since when its time counts, if it does: plans are ordered before.
    began: Option<Instant>,
    /// What the agent says in the end. It counts what it has done itself, not what was done before.
    summary: Option<Summary>,
}

/// Who counts the extraneous files that are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removals {
    /// The monitor, as each is reported.
    Reported,
    /// The agent: a client that joined a transfer does not know them.
    Summed,
}

/// How far one file is.
pub(super) struct FileProgress<'a> {
    pub(super) planned: Planned<'a>,
    done: u64,
    /// Bytes that came over the network: as many as reached the disk, until the agent has counted them.
    fetched: u64,
    /// Bytes of it that were written.
    written: u64,
    rate_meter: RateMeter,
    /// What has been said of it how often.
    repetitions: Repetitions,
    /// The last answer of the Hub that the agent was given.
    given: Option<AnswerNumber>,
    /// Why it does not come from the Hub's Xet store any more.
    fell_back: Option<Failure>,
}

/// Bytes of a file that an earlier run left behind.
fn partial(planned: &Planned<'_>) -> u64 {
    match planned.action {
        Action::Fetch { partial, .. } => partial.min(planned.size),
        Action::Keep { .. } | Action::Refuse { .. } => 0,
    }
}

impl<'a> FileProgress<'a> {
    fn new(planned: Planned<'a>) -> Self {
        let done = partial(&planned);
        Self {
            planned,
            done,
            fetched: 0,
            written: 0,
            rate_meter: RateMeter::default(),
            repetitions: Repetitions::of_file_at(done),
            given: None,
            fell_back: None,
        }
    }

    /// Its source, as the agent asks for it now.
    pub(super) fn asked(&self) -> AskedSource {
        AskedSource { id: self.planned.id, file: self.planned.listed(), had: self.given }
    }
}

impl<'a> TransferMonitor<'a> {
    /// A plan's transfer, after what the run has come to.
    pub(super) fn new(plan: &'a Plan, run: &'a mut Carryover) -> Self {
        let (mut to_fetch, mut total, mut done) = (0, 0_u64, 0_u64);
        for planned in plan.to_fetch() {
            // The sizes are whatever the Hub says.
            (total, done) = (total.saturating_add(planned.size), done.saturating_add(partial(&planned)));
            to_fetch += 1;
        }
        // What was to be fetched at first and is not any more has been.
        let arrived = run.total.saturating_sub(total);
        let (total, done) = (total.saturating_add(arrived), done.saturating_add(arrived));
        let now = Instant::now();
        let mut rate_meter = RateMeter::default();
        rate_meter.note(now, done);
        run.tally.retry_lost();
        Self {
            plan,
            files: HashMap::new(),
            settled: vec![false; plan.len()],
            to_fetch,
            unsettled: to_fetch,
            settled_bytes: (0, 0),
            extraneous: plan.to_remove().map(Some).collect(),
            in_flight: Vec::new(),
            removals: Removals::Reported,
            has_begun: false,
            total,
            done,
            rate_meter,
            began: None,
            summary: None,
            run,
        }
    }

    /// By what way files come.
    pub(super) fn routes(&self) -> &'a Routes {
        &self.plan.routes
    }

    /// The same after a link broke: what had arrived, or was placed, without being heard of counts as well.
    pub(super) fn resumed(plan: &'a Plan, run: &'a mut Carryover) -> Self {
        let monitor = Self::new(plan, run);
        let is_first = monitor.run.total == 0;
        let unheard = if is_first { 0 } else { monitor.done.saturating_sub(monitor.run.done) };
        let tally = &mut monitor.run.tally;
        tally.fetched = tally.fetched.saturating_add(unheard);
        tally.written = tally.written.saturating_add(unheard);
        let kept = u32::try_from(plan.kept().count()).unwrap_or(u32::MAX);
        tally.placed = tally.placed.max(kept.saturating_sub(tally.kept));
        monitor
    }

    /// A transfer that another client began, after what it has come to.
    pub(super) fn joined(plan: &'a Plan, run: &'a mut Carryover) -> Self {
        let mut monitor = Self::new(plan, run);
        monitor.removals = Removals::Summed;
        monitor
    }

    /// A file that was ordered and is not settled yet.
    fn file(&mut self, file: FileId) -> Result<&mut FileProgress<'a>, SessionError> {
        self.unsettled(file)?
            .ok_or_else(|| SessionError::protocol("it goes on about a file that it was done with"))
    }

    /// A file that was ordered; none when it is settled. An agent's connections work side by side: what one of them
    /// says while another has the last word may be heard after that, and then it is of no interest.
    pub(super) fn unsettled(&mut self, file: FileId) -> Result<Option<&mut FileProgress<'a>>, SessionError> {
        let progress = match self.files.entry(file) {
            Entry::Occupied(known) => return Ok(Some(known.into_mut())),
            Entry::Vacant(place) => place,
        };
        let unordered = || SessionError::protocol("it speaks of a file that it was not to fetch");
        let planned = self.plan.get(file).filter(|file| matches!(file.action, Action::Fetch { .. }));
        let planned = planned.ok_or_else(unordered)?;
        let is_settled = self.plan.index(file).is_none_or(|index| self.settled[index]);
        Ok((!is_settled).then(|| progress.insert(FileProgress::new(planned))))
    }

    /// Whether another question may be asked while so many are unanswered: an agent asks once per file.
    pub(super) fn may_ask(
        &mut self,
        file: FileId,
        asked: &AskedFor,
        unanswered: usize,
    ) -> Result<(), SessionError> {
        if unanswered > self.to_fetch {
            return Err(SessionError::protocol("it asks without waiting for answers"));
        }
        let repetitions = &mut self.file(file)?.repetitions;
        repetitions.ask()?;
        match asked {
            AskedFor::Plain => Ok(()),
            AskedFor::Terms { missing } => repetitions.ask_for_terms(missing.len()),
        }
    }

    /// The agent has been given this answer for a file: what it is given when it asks again is a later one.
    pub(super) fn was_given(&mut self, file: FileId, answer: AnswerNumber) {
        if let Some(progress) = self.files.get_mut(&file) {
            progress.given = Some(answer);
        }
    }

    /// The transfer's time is counted from now on.
    pub(super) fn start_clock(&mut self) {
        self.began = Some(Instant::now());
    }

    /// Bytes of all files that are to be there in the end, and those that are there.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.total, self.done)
    }

    /// Whether anything has been heard of any file.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// The agent has finished: its count of the whole must be that of its parts.
    pub(super) fn finish(&mut self, summary: Summary) -> Result<(), SessionError> {
        if summary.end == End::Complete && self.unsettled > 0 {
            return Err(SessionError::protocol("it says that it has finished and has not"));
        }
        self.summary = Some(summary);
        Ok(())
    }

    /// The last word on a file: so many bytes of it came over the network, and so many were written.
    fn settle(&mut self, file: FileId, fetched: u64, written: u64) -> Result<Planned<'a>, SessionError> {
        self.file(file)?;
        let progress = self.files.remove(&file).zip(self.plan.index(file));
        let (FileProgress { planned, .. }, index) =
            progress.ok_or_else(|| SessionError::protocol("it speaks of a file that it was not to fetch"))?;
        self.settled[index] = true;
        self.unsettled -= 1;
        let (before, wrote_before) = self.settled_bytes;
        self.settled_bytes = (before.saturating_add(fetched), wrote_before.saturating_add(written));
        self.in_flight.retain(|id| *id != file);
        self.has_begun = true;
        Ok(planned)
    }

    fn advance(&mut self, file: FileId, done: u64) -> Result<(), SessionError> {
        let file = self.file(file)?;
        if done > file.planned.size {
            return Err(SessionError::protocol("it has more of a file than there is"));
        }
        file.repetitions.stands_at(done);
        let before = std::mem::replace(&mut file.done, done);
        let more = done.saturating_sub(before);
        (file.fetched, file.written) = (file.fetched.saturating_add(more), file.written.saturating_add(more));
        file.rate_meter.note(Instant::now(), done);
        self.done = self.done.saturating_sub(before).saturating_add(done);
        Ok(())
    }

    fn extraneous(&mut self, index: u32) -> Result<&'a ExtraneousFile, SessionError> {
        let file = self.extraneous.get_mut(index as usize).and_then(Option::take);
        file.ok_or_else(|| SessionError::protocol("it speaks of a file that it was not to remove"))
    }

    /// What is told of a warning of the folder's agent.
    pub(super) fn warning(&mut self, root: &str, warning: DiskWarning) -> Option<Event> {
        self.run.warning(root, warning)
    }

    /// Takes note of a report, and says what of it is to be told.
    pub(super) fn event(&mut self, report: Report) -> Result<Option<Event>, SessionError> {
        Ok(Some(match report {
            Report::Started { file, resumed } => {
                self.advance(file, resumed)?;
                let progress = self.file(file)?;
                progress.repetitions.start()?;
                (progress.fetched, progress.written) = (0, 0);
                if !self.in_flight.contains(&file) {
                    self.in_flight.push(file);
                }
                self.has_begun = true;
                let planned = &self.file(file)?.planned;
                Event::Started { path: planned.path.to_path(), size: planned.size, resumed }
            }
            Report::Tick { files } => {
                for Ticked { file, done } in files {
                    if self.unsettled(file)?.is_some() {
                        self.advance(file, done)?;
                    }
                }
                return Ok(None);
            }
            Report::Waiting { holder, file: Some(file) } => {
                let waiting = self.file(file)?;
                waiting.repetitions.wait()?;
                let (holder, path) =
                    (sanitize(&holder, LONGEST_HOLDER), Some(waiting.planned.path.to_path()));
                Event::Waiting { holder, path, waited: Duration::ZERO }
            }
            Report::Retrying { file, attempt, failure, wait_ms } => {
                let Some(file) = self.unsettled(file)? else { return Ok(None) };
                file.repetitions.retry()?;
                let (path, wait) = (file.planned.path.to_path(), Duration::from_millis(wait_ms));
                Event::Retrying { path, attempt, failure: cleaned(&failure), wait }
            }
            Report::FellBack { file, failure } => {
                let Some(file) = self.unsettled(file)? else { return Ok(None) };
                file.repetitions.fall_back()?;
                let failure = cleaned(&failure);
                file.fell_back = Some(failure.clone());
                Event::FellBack { path: Some(file.planned.path.to_path()), failure }
            }
            Report::Verified { file } => {
                let verified = self.file(file)?;
                verified.repetitions.verify()?;
                let Planned { path, digest, .. } = verified.planned;
                Event::Verified { path: path.to_path(), digest }
            }
            Report::Placed { file, fetched, written } => {
                let size = self.file(file)?.planned.size;
                self.advance(file, size)?;
                let planned = self.settle(file, fetched, written)?;
                self.run.tally.placed = self.run.tally.placed.saturating_add(1);
                Event::Placed { path: planned.path.to_path(), size, fetched }
            }
            Report::Failed { file, failure, fetched, written } => {
                let fell_back = self.unsettled(file)?.and_then(|file| file.fell_back.take());
                let planned = self.settle(file, fetched, written)?;
                self.run.tally.lose(failure.kind);
                if !self.run.told.insert(planned.path.to_path()) {
                    return Ok(None);
                }
                let failure = self.plan.routes.explain(planned.size, cleaned(&failure), fell_back.as_ref());
                Event::Failed { path: planned.path.to_string(), failure }
            }
            Report::Removed { index } => {
                let path = self.extraneous(index)?.path.clone();
                self.run.tally.removed = self.run.tally.removed.saturating_add(1);
                Event::Removed { path }
            }
            Report::NotRemoved { index, failure } => {
                let path = self.extraneous(index)?.path.clone();
                if !self.run.told.insert(path.clone()) {
                    return Ok(None);
                }
                Event::NotRemoved { path, failure: cleaned(&failure) }
            }
            report => return Err(unexpected(&report)),
        }))
    }

    /// Where everything stands now. That nothing has moved is noted as well, so that a stall's rate falls to nothing.
    pub(super) fn sample(&mut self) -> Progress {
        let now = Instant::now();
        self.rate_meter.note(now, self.done);
        let rate = self.rate_meter.rate();
        let mut in_flight = Vec::with_capacity(self.in_flight.len());
        for file in &self.in_flight {
            if let Some(FileProgress { planned, done, rate_meter, .. }) = self.files.get_mut(file) {
                rate_meter.note(now, *done);
                let path = planned.path.to_path();
                in_flight.push(InFlight { path, done: *done, size: planned.size, rate: rate_meter.rate() });
            }
        }
        let left = self.total.saturating_sub(self.done).checked_div(rate).map(Duration::from_secs);
        Progress { done: self.done, total: self.total, rate, left, in_flight }
    }
}

/// However a conversation ends, what it has come to is left to the next one.
impl Drop for TransferMonitor<'_> {
    fn drop(&mut self) {
        let tally = &mut self.run.tally;
        let (fetched, written) = self.settled_bytes;
        let sum = |settled: u64, count: fn(&FileProgress<'_>) -> u64| {
            self.files.values().map(count).fold(settled, u64::saturating_add)
        };
        // The agent's own counts also have what it fetched in vain.
        let (fetched, written) = match self.summary {
            Some(summary) => (summary.fetched, summary.written),
            None => (sum(fetched, |file| file.fetched), sum(written, |file| file.written)),
        };
        tally.fetched = tally.fetched.saturating_add(fetched);
        tally.written = tally.written.saturating_add(written);
        tally.transfer += self.began.map_or(Duration::ZERO, |began| began.elapsed());
        if let Some(summary) = self.summary {
            tally.end = summary.end;
            if self.removals == Removals::Summed {
                tally.removed = tally.removed.saturating_add(summary.removed);
            }
        }
        (self.run.total, self.run.done) = (self.total, self.done);
    }
}

#[cfg(test)]
#[path = "monitor_tests.rs"]
mod tests;
