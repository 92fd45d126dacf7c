//! What is known of a transfer while it goes on, and what an agent may still say of it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use hfdown_protocol::{
    End, ExtraneousFile, FailureKind, FileId, RepoPath, Report, Summary, Ticked, TransferStatus,
};
use tokio::time::Instant;

use super::error::SessionError;
use super::rate_meter::RateMeter;
use super::session::{cleaned, unexpected};
use crate::event::{Event, InFlight, Progress};
use crate::plan::{Action, Plan, Planned};

/// How often one file's source may be asked for. Each is a question to the Hub with the token; addresses last an hour.
const MOST_QUESTIONS: u32 = 1000;

/// What earlier conversations of the same run have brought. Links break, and what was done stays done.
#[derive(Debug, Clone, Default)]
pub struct Carried {
    /// Files placed.
    pub placed: u32,
    /// Extraneous files removed.
    pub removed: u32,
    /// Bytes that came over the network.
    pub fetched: u64,
    /// How long the transfers took.
    pub took: Duration,
    /// Bytes of all files that were to be fetched at first.
    total: u64,
    /// Bytes of those that had arrived, as far as was heard.
    done: u64,
    /// Files of which it has been told that they could not be had, or not be removed. They are tried again, but not
    /// told again.
    told: HashSet<RepoPath>,
}

/// What is known of the transfer, and what may still be said of it.
pub(super) struct TransferMonitor<'a> {
    files: HashMap<FileId, FileProgress<'a>>,
    extraneous: Vec<Option<&'a ExtraneousFile>>,
    /// The files in flight, in the order they began.
    in_flight: Vec<FileId>,
    placed: u32,
    pub(super) failures: Vec<FailureKind>,
    removed: u32,
    told: HashSet<RepoPath>,
    removals: Removals,
    total: u64,
    done: u64,
    rate_meter: RateMeter,
}

/// Who counts the extraneous files that are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removals {
    /// We do, as each is reported.
    Ours,
    /// The agent: whoever joined a transfer does not know them.
    Theirs,
}

pub(super) struct FileProgress<'a> {
    pub(super) planned: &'a Planned,
    done: u64,
    /// Bytes that came over the network.
    received: u64,
    rate_meter: RateMeter,
    /// How often its source was asked for.
    asked: u32,
    is_settled: bool,
}

impl Carried {
    /// What a detached transfer has come to before anybody joined it.
    pub(super) fn of(status: &TransferStatus) -> Self {
        let TransferStatus { bytes, done, summary, .. } = status;
        Self {
            placed: summary.placed,
            removed: 0,
            // The agent's own count, which comes at the end, has all of it.
            fetched: 0,
            took: Duration::from_secs(status.age),
            total: *bytes,
            done: *done,
            told: HashSet::new(),
        }
    }
}

impl<'a> TransferMonitor<'a> {
    /// A plan's transfer after earlier ones.
    pub(super) fn new(plan: &'a Plan, before: &Carried) -> Self {
        let file_progress = |planned: &'a Planned| {
            let done = match planned.action {
                Action::Fetch { partial, .. } => partial.min(planned.size),
                Action::Keep { .. } | Action::Refuse { .. } => 0,
            };
            (
                planned.id,
                FileProgress {
                    planned,
                    done,
                    received: 0,
                    rate_meter: RateMeter::default(),
                    asked: 0,
                    is_settled: false,
                },
            )
        };
        let files: HashMap<_, _> = plan.to_fetch().map(file_progress).collect();
        // The sizes are whatever the Hub says.
        let total =
            files.values().map(|file_progress| file_progress.planned.size).fold(0, u64::saturating_add);
        let done = files.values().map(|file_progress| file_progress.done).fold(0, u64::saturating_add);
        // What was to be fetched at first and is not any more has been.
        let arrived = before.total.saturating_sub(total);
        let (total, done) = (total.saturating_add(arrived), done.saturating_add(arrived));
        let mut rate_meter = RateMeter::default();
        rate_meter.note(Instant::now(), done);
        Self {
            files,
            extraneous: plan.to_remove().map(Some).collect(),
            in_flight: Vec::new(),
            placed: 0,
            failures: Vec::new(),
            removed: 0,
            told: before.told.clone(),
            removals: Removals::Ours,
            total,
            done,
            rate_meter,
        }
    }

    /// A transfer that others began, after what it has come to.
    pub(super) fn joined(plan: &'a Plan, before: &Carried) -> Self {
        Self { removals: Removals::Theirs, ..Self::new(plan, before) }
    }

    /// A file that was ordered and is not settled yet.
    fn file_progress(&mut self, file: FileId) -> Result<&mut FileProgress<'a>, SessionError> {
        self.unsettled(file)?
            .ok_or_else(|| SessionError::protocol("it goes on about a file that it was done with"))
    }

    /// A file that was ordered; none when it is settled. An agent's connections work side by side: what one of them
    /// says while another has the last word may be heard after that, and then it is of no interest.
    pub(super) fn unsettled(&mut self, file: FileId) -> Result<Option<&mut FileProgress<'a>>, SessionError> {
        let file_progress = self.files.get_mut(&file);
        let file_progress = file_progress
            .ok_or_else(|| SessionError::protocol("it speaks of a file that it was not to fetch"))?;
        Ok(Some(file_progress).filter(|file_progress| !file_progress.is_settled))
    }

    /// Whether another question may be asked while so many are unanswered: an agent asks once per file.
    pub(super) fn may_ask(&mut self, file: FileId, unanswered: usize) -> Result<(), SessionError> {
        if unanswered > self.files.len() {
            return Err(SessionError::protocol("it asks without waiting for answers"));
        }
        let file_progress = self.file_progress(file)?;
        file_progress.asked += 1;
        if file_progress.asked > MOST_QUESTIONS {
            return Err(SessionError::protocol("it asks for one file without end"));
        }
        Ok(())
    }

    /// Whether anything has been heard of any file.
    pub(super) fn has_begun(&self) -> bool {
        !self.in_flight.is_empty() || self.placed > 0 || !self.failures.is_empty()
    }

    /// The agent's count of the whole, which must be that of its parts.
    pub(super) fn agreed(&self, summary: Summary) -> Result<Summary, SessionError> {
        let is_whole = self.files.values().all(|file_progress| file_progress.is_settled);
        if summary.end == End::Complete && !is_whole {
            return Err(SessionError::protocol("it says that it has finished and has not"));
        }
        let failed = u32::try_from(self.failures.len()).unwrap_or(u32::MAX);
        let removed = match self.removals {
            Removals::Ours => self.removed,
            Removals::Theirs => summary.removed,
        };
        Ok(Summary { placed: self.placed, failed, removed, ..summary })
    }

    /// Counts what had arrived when the last link broke, and was not heard of any more.
    pub(super) fn count_unheard(&self, carried: &mut Carried) {
        if carried.total > 0 {
            carried.fetched = carried.fetched.saturating_add(self.done.saturating_sub(carried.done));
        }
    }

    /// What this transfer, which ends here, leaves to the next one.
    pub(super) fn carry(self, carried: &mut Carried, took: Duration) {
        let received =
            self.files.values().map(|file_progress| file_progress.received).fold(0, u64::saturating_add);
        carried.placed = carried.placed.saturating_add(self.placed);
        carried.removed = carried.removed.saturating_add(self.removed);
        carried.fetched = carried.fetched.saturating_add(received);
        carried.took += took;
        carried.told = self.told;
        carried.total = self.total;
        carried.done = self.done;
    }

    fn settle(&mut self, file: FileId) -> Result<&'a Planned, SessionError> {
        let file_progress = self.file_progress(file)?;
        file_progress.is_settled = true;
        let planned = file_progress.planned;
        self.in_flight.retain(|id| *id != file);
        Ok(planned)
    }

    fn advance(&mut self, file: FileId, done: u64) -> Result<(), SessionError> {
        let file_progress = self.file_progress(file)?;
        if done > file_progress.planned.size {
            return Err(SessionError::protocol("it has more of a file than there is"));
        }
        let before = std::mem::replace(&mut file_progress.done, done);
        file_progress.received = file_progress.received.saturating_add(done.saturating_sub(before));
        file_progress.rate_meter.note(Instant::now(), done);
        self.done = self.done.saturating_sub(before).saturating_add(done);
        Ok(())
    }

    fn extraneous(&mut self, index: u32) -> Result<&'a ExtraneousFile, SessionError> {
        let file = self.extraneous.get_mut(index as usize).and_then(Option::take);
        file.ok_or_else(|| SessionError::protocol("it speaks of a file that it was not to remove"))
    }

    pub(super) fn event(&mut self, report: Report) -> Result<Option<Event>, SessionError> {
        Ok(Some(match report {
            Report::Started { file, resumed } => {
                self.advance(file, resumed)?;
                self.file_progress(file)?.received = 0;
                if !self.in_flight.contains(&file) {
                    self.in_flight.push(file);
                }
                let planned = self.file_progress(file)?.planned;
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
                let Some(file_progress) = self.unsettled(file)? else { return Ok(None) };
                let (path, wait) = (file_progress.planned.path.clone(), Duration::from_millis(wait_ms));
                Event::Retrying { path, attempt, failure: cleaned(&failure), wait }
            }
            Report::Verified { file } => {
                Event::Verified { path: self.file_progress(file)?.planned.path.clone() }
            }
            Report::Placed { file, fetched } => {
                let size = self.file_progress(file)?.planned.size;
                self.advance(file, size)?;
                self.file_progress(file)?.received = fetched;
                let planned = self.settle(file)?;
                self.placed += 1;
                Event::Placed { path: planned.path.clone(), size, fetched }
            }
            Report::Failed { file, failure, .. } => {
                let planned = self.settle(file)?;
                self.failures.push(failure.kind);
                if !self.told.insert(planned.path.clone()) {
                    return Ok(None);
                }
                Event::Failed { path: planned.path.to_string(), failure: cleaned(&failure) }
            }
            Report::Removed { index } => {
                let path = self.extraneous(index)?.path.clone();
                self.removed += 1;
                Event::Removed { path }
            }
            Report::NotRemoved { index, failure } => {
                let path = self.extraneous(index)?.path.clone();
                if !self.told.insert(path.clone()) {
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
                let path = planned.path.clone();
                in_flight.push(InFlight { path, done: *done, size: planned.size, rate: rate_meter.rate() });
            }
        }
        let left = self.total.saturating_sub(self.done).checked_div(rate).map(Duration::from_secs);
        Progress { done: self.done, total: self.total, rate, left, in_flight }
    }
}

#[cfg(test)]
#[path = "monitor_tests.rs"]
mod tests;
