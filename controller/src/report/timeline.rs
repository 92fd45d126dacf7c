//! How a box came along: bytes over time, states, and what was tried again.

use std::time::Duration;

use crate::board::{BoxRecord, BoxState};
use crate::event::Event;

/// So many points are enough for a picture as wide as a page.
const POINTS: usize = 300;
/// A box changes its state so often, if its link breaks all the time, before the rest is left out.
const CHANGES: usize = 200;

/// Bytes at a time, in milliseconds from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimelinePoint {
    pub(super) at: u64,
    pub(super) bytes: u64,
}

/// What is remembered of a box over time.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// Thinned as time goes on.
    pub(super) points: Vec<TimelinePoint>,
    /// When a state began.
    pub(super) states: Vec<(u64, BoxState)>,
    /// When something was tried again.
    pub(super) retries: Vec<u64>,
    /// The bytes that the points are of.
    pub(super) total: u64,
    /// The least time between two points.
    step: u64,
    /// The last point, which has no place yet.
    last: Option<TimelinePoint>,
    /// What the points count.
    counted: Option<BoxState>,
}

impl Timeline {
    /// Takes note of a box after an event.
    pub(super) fn note(&mut self, record: &BoxRecord, event: &Event, at: Duration) {
        let at = millis(at);
        self.enter(record, at);
        if self.retries.len() < CHANGES && (self.retries.len() as u64) < u64::from(record.retries) {
            self.retries.push(at);
        }
        match event {
            Event::Progress(_) | Event::Surveying { .. } => self.add(record, at),
            // Where it begins, and where it ended.
            Event::Planned { .. } | Event::Joined { .. } if record.total > 0 => self.add(record, at),
            _ => {}
        }
        if record.state.is_over() {
            self.points.extend(self.last.take());
        }
    }

    /// Takes note of a box that has come to its end without an event that says so.
    pub(super) fn end(&mut self, record: &BoxRecord, at: Duration) {
        self.enter(record, millis(at));
        self.points.extend(self.last.take());
    }

    fn enter(&mut self, record: &BoxRecord, at: u64) {
        if self.states.last().is_none_or(|(_, state)| state.word() != record.state.word()) {
            if self.states.len() >= CHANGES {
                // The last one is the one that counts.
                self.states.pop();
            }
            self.states.push((at, record.state));
        }
    }

    fn add(&mut self, record: &BoxRecord, at: u64) {
        // What is fetched after it was checked is counted anew.
        if self.counted != Some(record.state) {
            if record.state == BoxState::Fetching {
                self.points.clear();
                self.total = 0;
                self.last = None;
            } else if self.counted == Some(BoxState::Fetching) {
                return;
            }
            self.counted = Some(record.state);
        }
        self.total = self.total.max(record.total);
        let point = TimelinePoint { at, bytes: record.done };
        let is_due = self.points.last().is_none_or(|last| at >= last.at.saturating_add(self.step));
        if !is_due {
            self.last = Some(point);
            return;
        }
        self.last = None;
        self.points.push(point);
        if self.points.len() >= POINTS {
            let mut place = 0;
            self.points.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            let span = self.points.last().map_or(0, |last| last.at.saturating_sub(self.points[0].at));
            self.step = (2 * span / POINTS as u64).max(1);
        }
    }
}

fn millis(at: Duration) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;
    use crate::board::Board;
    use crate::event::Progress;

    #[test]
    fn an_hour_is_as_small_as_a_minute_and_keeps_its_shape() {
        let (mut board, mut timeline, now) = (Board::default(), Timeline::default(), Instant::now());
        let name: Arc<str> = "gpu1".into();
        for tick in 0..36_000_u64 {
            let progress = Progress { done: tick, total: 36_000, ..Progress::default() };
            let event = Event::Progress(progress);
            let at = Duration::from_millis(100 * tick);
            let index = board.hear(Some(&name), &event, now + at).unwrap();
            timeline.note(&board.boxes()[index], &event, at);
        }
        assert!((POINTS / 3..POINTS).contains(&timeline.points.len()), "{}", timeline.points.len());
        assert!(timeline.points.iter().all(|point| point.bytes * 100 == point.at), "points are as they were");
        assert_eq!(timeline.points[0], TimelinePoint { at: 0, bytes: 0 });
        let widest = timeline.points.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap();
        assert!(widest < 60_000, "{widest} ms between two points");
        assert_eq!(timeline.states.len(), 1);
    }

    #[test]
    fn what_was_checked_is_no_part_of_what_is_fetched() {
        let (mut board, mut timeline, now) = (Board::default(), Timeline::default(), Instant::now());
        let fetching = Event::Progress(Progress { done: 8, total: 8, ..Progress::default() });
        for event in [Event::Surveying { read: 100, of: 100 }, fetching] {
            let index = board.hear(None, &event, now).unwrap();
            timeline.note(&board.boxes()[index], &event, Duration::ZERO);
        }
        assert_eq!(timeline.total, 8);
        assert_eq!(timeline.points, [TimelinePoint { at: 0, bytes: 8 }]);
    }

    #[test]
    fn the_last_state_of_a_flapping_box_is_kept() {
        let (mut board, mut timeline, now) = (Board::default(), Timeline::default(), Instant::now());
        let fetching = Event::Progress(Progress { done: 1, total: 8, ..Progress::default() });
        for _ in 0..CHANGES {
            for event in [Event::Surveying { read: 1, of: 100 }, fetching.clone()] {
                let index = board.hear(None, &event, now).unwrap();
                timeline.note(&board.boxes()[index], &event, Duration::ZERO);
            }
        }
        assert_eq!(timeline.states.len(), CHANGES);
        assert_eq!(timeline.states.last().unwrap().1, BoxState::Fetching);
        assert_eq!(board.boxes()[0].fetched(), 0, "without a plan there is no count");
    }
}
