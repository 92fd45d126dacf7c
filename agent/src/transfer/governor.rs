//! How many connections are worth having: few at first, more only while more of them bring more, fewer when it falls.
//!
//! The Hub's CDN collapses above a handful of connections on some links and caps each one on others, and nothing tells
//! which it is but trying. So this climbs: it measures, tries half as many again, measures, and keeps them or takes them
//! back. It is fed with counts of bytes at fixed intervals and knows no clock.

use std::time::Duration;

/// How often [`Governor::observe`] is to be called.
pub(super) const PERIOD: Duration = Duration::from_millis(250);
/// Connections at first: what the Hub's CDN bears on every link that was reported.
const FIRST: usize = 4;
/// Above this nobody has reported a gain, and the CDN sees an attack.
const MOST: usize = 16;
/// A fall is answered by halving, but not below this.
const LEAST: usize = 2;
/// Periods that are not measured after a change: new connections start slowly.
const SETTLE: u32 = 1;
/// Periods that make a measurement.
const MEASURE: u32 = 3;
/// Measurements to rest after a try that brought nothing: about half a minute.
const REST: u32 = 30;
/// More connections are kept when they bring this much more, in per cent.
const GAIN: u64 = 108;
/// A rate below this share of the one before, in per cent, is a fall.
const FALL: u64 = 60;

/// Decides how many connections there may be.
#[derive(Debug)]
pub(super) struct Governor {
    allowed: usize,
    is_pinned: bool,
    periods: u32,
    measured: u64,
    /// The rate that the last measurement showed.
    before: Option<u64>,
    stance: Stance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stance {
    /// Nothing is known yet, or it is time to try.
    Ready,
    /// More connections are on trial; there were so many before.
    Trying(usize),
    /// For so many more measurements nothing is tried.
    Resting(u32),
}

impl Governor {
    /// Begins with a few, or stays with as many as were asked for.
    pub(super) fn new(pinned: Option<usize>) -> Self {
        Self {
            allowed: pinned.unwrap_or(FIRST),
            is_pinned: pinned.is_some(),
            periods: 0,
            measured: 0,
            before: None,
            stance: Stance::Ready,
        }
    }

    /// How many connections there may be now.
    pub(super) fn allowed(&self) -> usize {
        self.allowed
    }

    /// How many there may ever be.
    pub(super) fn most(&self) -> usize {
        if self.is_pinned { self.allowed } else { MOST }
    }

    /// Told once per [`PERIOD`] how many bytes it brought.
    pub(super) fn observe(&mut self, bytes: u64) {
        if self.is_pinned {
            return;
        }
        self.periods += 1;
        if self.periods > SETTLE {
            self.measured += bytes;
        }
        if self.periods == SETTLE + MEASURE {
            let now = std::mem::take(&mut self.measured);
            self.periods = 0;
            self.decide(now);
        }
    }

    fn decide(&mut self, now: u64) {
        let before = self.before.replace(now);
        let fell = before.is_some_and(|before| now * 100 < before * FALL);
        match self.stance {
            Stance::Trying(fewer) => {
                if before.is_some_and(|before| now * 100 < before * GAIN) {
                    self.allowed = fewer;
                    self.stance = Stance::Resting(REST);
                } else {
                    self.try_more();
                }
            }
            Stance::Ready | Stance::Resting(_) if fell => {
                self.allowed = (self.allowed / 2).max(LEAST);
                self.stance = Stance::Resting(REST);
            }
            Stance::Ready => self.try_more(),
            Stance::Resting(left) => {
                self.stance = if left == 0 { Stance::Ready } else { Stance::Resting(left - 1) };
            }
        }
    }

    fn try_more(&mut self) {
        let fewer = self.allowed;
        self.allowed = (fewer + fewer.div_ceil(2)).min(MOST);
        self.stance = if self.allowed == fewer { Stance::Resting(REST) } else { Stance::Trying(fewer) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What it settles on over a link, and the most that it ever had.
    fn on(link: impl Fn(usize, u32) -> u64, measurements: u32) -> (usize, usize) {
        let mut governor = Governor::new(None);
        let mut most = 0;
        for period in 0..measurements * (SETTLE + MEASURE) {
            most = most.max(governor.allowed());
            governor.observe(link(governor.allowed(), period));
        }
        (governor.allowed(), most)
    }

    #[test]
    fn a_cap_per_connection_is_answered_with_connections() {
        assert_eq!(on(|connections, _| connections as u64 * 1000, 6), (MOST, MOST));
    }

    #[test]
    fn a_full_link_gets_no_more_than_one_try() {
        assert_eq!(on(|_, _| 1000, 20), (FIRST, 6));
    }

    #[test]
    fn a_cdn_that_collapses_is_left_alone() {
        // huggingface_hub#4893: 4 connections sustain 300 MB/s, 6 collapse.
        let link = |connections, _| if connections <= 4 { 300 } else { 1 };
        assert_eq!(on(link, 20).0, FIRST);
    }

    #[test]
    fn a_fall_is_answered_with_fewer() {
        // From the tenth measurement on, two connections are as many as the link bears.
        let link = |connections, period| {
            if period < 40 {
                1000
            } else if connections <= 2 {
                500
            } else {
                50
            }
        };
        assert_eq!(on(link, 14).0, 2);
    }

    #[test]
    fn what_was_asked_for_stays() {
        let mut governor = Governor::new(Some(3));
        (0..100).for_each(|period| governor.observe(period * 1000));
        assert_eq!((governor.allowed(), governor.most()), (3, 3));
    }
}
