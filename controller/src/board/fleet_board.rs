//! All boxes of a command.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::record::{BoxRecord, BoxState, PlanSize};
use crate::event::Event;
use crate::fleet::{BoxOutcome, FleetEvent, FleetTarget};
use crate::tally::Tally;
use crate::text::sanitize;

/// The most characters of a note.
const NOTE: usize = 200;

/// What is known of the boxes of a command, in the order in which they were named.
#[derive(Debug, Default)]
pub(crate) struct Board {
    boxes: Vec<BoxRecord>,
    by_name: HashMap<Arc<str>, usize>,
    is_fleet: bool,
    began: Option<Instant>,
    /// Bytes that are wanted on each box, once the Hub has said so.
    wanted: u64,
    /// The repository and its commit, as they were listed.
    model: Option<(String, String)>,
}

impl Board {
    /// Takes note of an event of the box of this name, or of this machine. Which box it was about, if of one.
    pub(crate) fn hear(&mut self, name: Option<&str>, event: &Event, now: Instant) -> Option<usize> {
        self.began.get_or_insert(now);
        match event {
            Event::Listed { repo, commit, portion } => {
                self.wanted = portion.bytes;
                self.model.get_or_insert_with(|| (repo.clone(), commit.to_string()));
            }
            Event::Recalled { repo, commit, .. } => {
                let commit = commit.as_ref().map(ToString::to_string).unwrap_or_default();
                self.model.get_or_insert_with(|| (repo.clone(), commit));
            }
            Event::Fleet(event) => {
                if let FleetEvent::Begun { targets, .. } = &**event {
                    self.begin(targets, now);
                    return None;
                }
            }
            _ => {}
        }
        let index = self.index(name, now)?;
        if let Some(record) = self.boxes.get_mut(index) {
            record.hear(event, now);
        }
        Some(index)
    }

    fn begin(&mut self, targets: &[FleetTarget], now: Instant) {
        self.is_fleet = true;
        self.boxes = targets
            .iter()
            .map(|target| BoxRecord::new(Arc::clone(&target.name), target.price, now))
            .collect();
        self.by_name = targets.iter().map(|target| Arc::clone(&target.name)).zip(0..).collect();
    }

    /// A run that is no fleet has one box, or none but this machine.
    fn index(&mut self, name: Option<&str>, now: Instant) -> Option<usize> {
        if self.is_fleet {
            return self.by_name.get(name?).copied();
        }
        match self.boxes.first_mut() {
            None => self.boxes.push(BoxRecord::new(name.unwrap_or_default().into(), None, now)),
            Some(first) => {
                if let (true, Some(name)) = (first.name.is_empty(), name) {
                    first.name = name.into();
                }
            }
        }
        Some(0)
    }

    /// Whether there is a fleet.
    pub(crate) fn is_fleet(&self) -> bool {
        self.is_fleet
    }

    /// When the first event was heard.
    pub(crate) fn began(&self) -> Option<Instant> {
        self.began
    }

    /// Bytes that are wanted on each box.
    pub(crate) fn wanted(&self) -> u64 {
        self.wanted
    }

    /// The repository and its commit.
    pub(crate) fn model(&self) -> Option<(&str, &str)> {
        self.model.as_ref().map(|(repo, commit)| (repo.as_str(), commit.as_str()))
    }

    /// Every box.
    pub(crate) fn boxes(&self) -> &[BoxRecord] {
        &self.boxes
    }

    /// The box of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&BoxRecord> {
        self.boxes.get(self.place(name)?)
    }

    /// Its place among them.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// What has become of the one box of a run that is no fleet.
    pub(crate) fn end(&mut self, outcome: &BoxOutcome, now: Instant) {
        if let Some(record) = self.boxes.first_mut().filter(|record| record.outcome.is_none()) {
            record.end(outcome, now);
        }
    }
}

impl BoxRecord {
    fn enter(&mut self, state: BoxState, now: Instant) {
        if self.state != state {
            (self.state, self.since) = (state, now);
            if state != BoxState::Fetching {
                (self.rate, self.left) = (0, None);
            }
        }
    }

    fn retry(&mut self, why: &str) {
        self.retries = self.retries.saturating_add(1);
        self.note = sanitize(why, NOTE);
    }

    fn hear(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Fleet(event) => match &**event {
                FleetEvent::BoxBegun => self.enter(BoxState::Connecting, now),
                FleetEvent::BoxEnded(outcome) => self.end(outcome, now),
                FleetEvent::Begun { .. } | FleetEvent::Ended(_) => {}
            },
            _ if self.state.is_over() => {}
            Event::NotReady { why, .. } => {
                self.retry(why);
                self.enter(BoxState::Retrying(self.attempt().saturating_add(1)), now);
            }
            Event::Reconnecting { why, attempt, .. } => {
                self.retry(why);
                self.enter(BoxState::Retrying(*attempt), now);
            }
            Event::Delayed { why, .. } => self.retry(why),
            Event::Retrying { failure, .. } => self.retry(&failure.detail),
            Event::Waiting { holder, .. } => {
                self.note = sanitize(holder, NOTE);
                self.enter(BoxState::Held, now);
            }
            Event::Opened { .. } => {
                self.note.clear();
                (self.done, self.total) = (0, 0);
                self.enter(BoxState::Checking, now);
            }
            Event::Surveying { read, of } => {
                (self.done, self.total) = (*read, *of);
                self.enter(BoxState::Checking, now);
            }
            Event::Verification { totals, .. } => self.verification = Some(*totals),
            Event::Planned { plan, .. } => {
                let plan = PlanSize::of(plan);
                (self.done, self.total) = (plan.resumed(), plan.bytes);
                self.plan = Some(plan);
                self.enter(BoxState::Fetching, now);
            }
            Event::Ended { .. } => self.began_before = true,
            Event::Joined { status } => {
                self.began_before = true;
                (self.done, self.total) = (status.done, status.bytes);
                self.note.clear();
                self.enter(BoxState::Fetching, now);
            }
            Event::Progress(progress) => {
                (self.done, self.total) = (progress.done, progress.total);
                let resumed = self.plan.map_or(0, |plan| plan.resumed());
                self.fetched = self.fetched.max(progress.done.saturating_sub(resumed));
                self.enter(BoxState::Fetching, now);
                (self.rate, self.left) = (progress.rate, progress.left);
            }
            Event::Finished(tally) => self.tally = Some(tally.clone()),
            Event::Tallied(tally) => {
                // Both count no byte too many: what broke off may not have come to be counted there.
                let fetched = tally.fetched.max(self.fetched);
                self.tally = Some(Tally { fetched, ..tally.clone() });
            }
            _ => {}
        }
    }

    fn attempt(&self) -> u32 {
        match self.state {
            BoxState::Retrying(attempt) => attempt,
            _ => 0,
        }
    }

    pub(super) fn end(&mut self, outcome: &BoxOutcome, now: Instant) {
        use crate::fleet::BoxEnding::{Failed, Finished};
        self.enter(BoxState::of_outcome(outcome), now);
        self.note = match &outcome.ending {
            Failed(problem) => problem.brief(),
            Finished(tally) => {
                self.tally = Some(tally.clone());
                String::new()
            }
            _ => String::new(),
        };
        self.outcome = Some(outcome.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Progress;

    #[test]
    fn what_came_before_a_failure_is_counted() {
        let (mut board, now) = (Board::default(), Instant::now());
        let placed = Tally { placed: 9, fetched: 90, ..Tally::default() };
        for event in [
            Event::Progress(Progress { done: 80, total: 100, ..Progress::default() }),
            Event::Surveying { read: 500, of: 1_000 },
            Event::Tallied(placed),
        ] {
            board.hear(None, &event, now);
        }
        let record = &board.boxes()[0];
        assert_eq!((record.tally().placed, record.fetched()), (9, 90));
    }
}
