//! All boxes together.

use std::time::Duration;

use super::fleet_board::Board;
use super::money::TrafficCost;
use super::record::{BoxRecord, BoxState};
use crate::text::units::mean_rate;

/// Where a fleet stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct BoardTotals {
    /// Boxes.
    pub(crate) boxes: usize,
    /// Those that have come to a good end, or go on by themselves.
    pub(crate) done: usize,
    /// Those that have failed.
    pub(crate) failed: usize,
    /// Those that were stopped.
    pub(crate) stopped: usize,
    /// Those whose turn has not come.
    pub(crate) waiting: usize,
    /// Bytes that are there, on all of them.
    pub(crate) bytes: u64,
    /// Of so many.
    pub(crate) of_bytes: u64,
    /// Bytes per second, together.
    pub(crate) rate: u64,
}

/// What a fleet has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct FleetTotals {
    /// Bytes that came over the network.
    pub(crate) fetched: u64,
    /// Bytes that did not have to.
    pub(crate) spared: u64,
    /// What that costs on the boxes whose price is known.
    pub(crate) cost: Option<TrafficCost>,
    /// How many boxes have no known price, where some have.
    pub(crate) unpriced: usize,
    /// How often something was tried again.
    pub(crate) retries: u32,
    /// Bytes that plans missed, where there were any.
    pub(crate) to_fetch: Option<u64>,
    /// Their price on the boxes where that is known.
    pub(crate) price_to_fetch: Option<f64>,
    /// Whether some of it came before the run: to transfers that were detached.
    began_before: bool,
}

impl BoardTotals {
    pub(crate) fn of(board: &Board) -> Self {
        let boxes = board.boxes();
        let mut totals = Self { boxes: boxes.len(), ..Self::default() };
        for record in boxes {
            match record.state {
                BoxState::Detached | BoxState::Done => totals.done += 1,
                BoxState::Failed => totals.failed += 1,
                BoxState::Stopped => totals.stopped += 1,
                BoxState::Waiting => totals.waiting += 1,
                _ => {}
            }
            let (there, total) = share(record, board.wanted());
            totals.bytes = totals.bytes.saturating_add(there);
            totals.of_bytes = totals.of_bytes.saturating_add(total);
            totals.rate = totals.rate.saturating_add(record.rate);
        }
        totals
    }

    /// Time left at that rate.
    pub(crate) fn left(&self) -> Option<Duration> {
        let missing = self.of_bytes.checked_sub(self.bytes).filter(|missing| *missing > 0)?;
        missing.checked_div(self.rate).map(Duration::from_secs)
    }
}

/// What a box has of what it is to have. One that has no plan yet is to have everything; one that has ended without it is
/// not waited for.
fn share(record: &BoxRecord, wanted: u64) -> (u64, u64) {
    match (record.plan, record.state) {
        (_, BoxState::Failed | BoxState::Incomplete | BoxState::Stopped) => (record.done, record.done),
        (Some(plan), BoxState::Done) => (plan.bytes, plan.bytes),
        (_, BoxState::Done | BoxState::Detached) => (record.total, record.total),
        (Some(plan), BoxState::Fetching) => (record.done, plan.bytes),
        // A new link looks at everything again.
        (Some(plan), _) => (plan.resumed(), plan.bytes),
        (None, BoxState::Checking | BoxState::Fetching) if record.total > 0 => (record.done, record.total),
        (None, _) => (0, wanted),
    }
}

impl FleetTotals {
    pub(crate) fn of(board: &Board) -> Self {
        let mut totals = Self::default();
        for record in board.boxes() {
            totals.fetched = totals.fetched.saturating_add(record.fetched());
            totals.spared = totals.spared.saturating_add(record.spared());
            totals.retries = totals.retries.saturating_add(record.retries);
            totals.began_before |= record.began_before;
            if let Some(plan) = record.plan {
                totals.to_fetch = Some(totals.to_fetch.unwrap_or_default().saturating_add(plan.missing));
            }
            if let Some(price) = record.price_to_fetch() {
                totals.price_to_fetch = Some(totals.price_to_fetch.unwrap_or_default() + price);
            }
            match record.cost() {
                Some(cost) => totals.cost = Some(totals.cost.unwrap_or_default() + cost),
                None => totals.unpriced += 1,
            }
        }
        totals
    }

    /// Bytes per second over so long, where all of them came in that time.
    pub(crate) fn rate(&self, over: Duration) -> Option<u64> {
        mean_rate(self.fetched, over).filter(|_| self.fetched > 0 && !self.began_before)
    }
}
