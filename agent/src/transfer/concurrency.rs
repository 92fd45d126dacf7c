//! How many connections are worth having: few at first, twice as many while they bring as much more, and as few as
//! bring the same.
//!
//! The Hub's CDN collapses above a handful of connections on some links and caps each one on others, and nothing tells
//! which it is but trying. So this tries: it measures, doubles, measures, and keeps them or takes them back. Where
//! twice as many bring nothing, half as many may do: they leave less in buffers, and a busy machine more room. It is
//! fed with what came in fixed periods and knows no clock.

use std::time::Duration;

/// How often [`Concurrency::observe`] is to be called.
pub(super) const PERIOD: Duration = Duration::from_millis(100);
/// Connections at first: what the Hub's CDN bears on every link that was reported.
const FIRST: usize = 4;
/// Above this no user has reported a gain, and the CDN sees an attack.
const MOST: usize = 16;
/// One that hangs must not be all there is.
const LEAST: usize = 2;
/// Periods that make a measurement, after one that is not measured.
const MEASURE: usize = 3;
/// New connections need round trips to begin, and more of them to come up to speed. After so many periods what they
/// bring is all that they will.
const LONGEST_SETTLING: usize = 40;
/// A measurement whose end is this much faster than its beginning, in per cent, is of connections that still get
/// faster.
const GROWING: u64 = 110;
/// More connections are kept when they bring this much more, in per cent.
const GAIN: u64 = 108;
/// Fewer are kept when they bring this much of what the others did, in per cent.
const AS_MUCH: u64 = 97;
/// Twice as many that bring this much more, in per cent, bring it in proportion.
const IN_PROPORTION: u64 = 170;
/// A rate below this share of the one before, in per cent, is a fall.
const FALL: u64 = 60;
/// Periods between two looks at the rate while nothing is tried.
const LOOK: usize = 10;
/// Looks before something is tried again: half a minute.
const REST: usize = 30;

/// Decides how many connections there may be.
#[derive(Debug)]
pub(super) struct Concurrency {
    allowed: usize,
    is_pinned: bool,
    stance: Stance,
    /// What came in the periods since the last decision.
    periods: Vec<u64>,
    /// Those of them in which not all connections carried something yet, or others still did.
    unsettled: usize,
}

/// What is to be done with connections that are no longer allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advice {
    /// They may finish what they have.
    Keep,
    /// They do harm.
    Drop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stance {
    /// Nothing is known of this number yet, or no longer.
    Ready,
    /// More are on trial. So many before them brought so much.
    More { fewer: usize, brought: u64 },
    /// Fewer are on trial.
    Fewer { more: usize, brought: u64 },
    /// For so many more looks nothing is tried, unless the rate falls below this one.
    Resting { looks: usize, brought: u64 },
}

impl Concurrency {
    /// Begins with a few, or stays with as many as were asked for.
    pub(super) fn new(pinned: Option<usize>) -> Self {
        Self {
            allowed: pinned.unwrap_or(FIRST),
            is_pinned: pinned.is_some(),
            stance: Stance::Ready,
            periods: Vec::new(),
            unsettled: 0,
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

    /// Told once per [`PERIOD`] how many bytes it brought, and how many connections brought them.
    pub(super) fn observe(&mut self, bytes: u64, carrying: usize) -> Advice {
        if self.is_pinned {
            return Advice::Keep;
        }
        self.periods.push(bytes);
        if let Stance::Resting { looks, brought } = self.stance {
            if self.periods.len() == LOOK {
                self.look(looks, brought);
            }
            return Advice::Keep;
        }
        let settled = self.periods.len() - self.unsettled;
        if carrying != self.allowed && settled <= 1 {
            self.unsettled = self.periods.len();
        }
        if let Some(advice) = self.evident() {
            return advice;
        }
        let is_late = self.periods.len() >= LONGEST_SETTLING;
        if (self.periods.len() - self.unsettled > MEASURE && !self.is_growing()) || is_late {
            self.decide(self.recent(MEASURE));
        }
        Advice::Keep
    }

    /// What needs no full measurement: the link has collapsed under more connections, or carries them all.
    fn evident(&mut self) -> Option<Advice> {
        let Stance::More { fewer, brought } = self.stance else { return None };
        if self.periods.len() < MEASURE {
            return None;
        }
        let now = self.recent(MEASURE - 1);
        if self.recent(MEASURE) * 100 < brought * FALL {
            self.rest(fewer, brought);
            return Some(Advice::Drop);
        }
        if now * 100 >= brought * IN_PROPORTION {
            self.decide(now);
            return Some(Advice::Keep);
        }
        None
    }

    fn decide(&mut self, now: u64) {
        match self.stance {
            Stance::Ready if self.allowed < MOST => self.try_more(now),
            Stance::Ready | Stance::Resting { .. } => self.rest(self.allowed, now),
            Stance::More { brought, .. } if now * 100 >= brought * IN_PROPORTION && self.allowed < MOST => {
                self.try_more(now);
            }
            Stance::More { brought, .. } if now * 100 >= brought * GAIN => self.rest(self.allowed, now),
            Stance::More { fewer, brought } => self.try_fewer(fewer, brought),
            Stance::Fewer { brought, .. } if now * 100 >= brought * AS_MUCH => {
                self.try_fewer(self.allowed, now);
            }
            Stance::Fewer { more, brought } => self.rest(more, brought),
        }
    }

    fn look(&mut self, looks: usize, brought: u64) {
        let now = self.recent(LOOK);
        if now * 100 < brought * FALL {
            self.try_fewer(self.allowed, now);
        } else if looks == 0 {
            self.stand(self.allowed, Stance::Ready);
        } else {
            self.stand(self.allowed, Stance::Resting { looks: looks - 1, brought: now });
        }
    }

    fn try_more(&mut self, brought: u64) {
        let fewer = self.allowed;
        self.stand((fewer * 2).min(MOST), Stance::More { fewer, brought });
    }

    fn try_fewer(&mut self, than: usize, brought: u64) {
        if than > LEAST {
            self.stand((than / 2).max(LEAST), Stance::Fewer { more: than, brought });
        } else {
            self.rest(than, brought);
        }
    }

    fn rest(&mut self, allowed: usize, brought: u64) {
        self.stand(allowed, Stance::Resting { looks: REST, brought });
    }

    fn stand(&mut self, allowed: usize, stance: Stance) {
        (self.allowed, self.stance, self.unsettled) = (allowed, stance, 0);
        self.periods.clear();
    }

    /// The last of a measurement against the first of it.
    fn is_growing(&self) -> bool {
        let recent = &self.periods[self.periods.len().saturating_sub(MEASURE)..];
        let (first, last) = (recent.first().copied(), recent.last().copied());
        last.unwrap_or(0) * 100 > first.unwrap_or(0) * GROWING
    }

    /// Bytes per period, over the last so many.
    fn recent(&self, periods: usize) -> u64 {
        let recent = &self.periods[self.periods.len().saturating_sub(periods)..];
        recent.iter().sum::<u64>() / recent.len().max(1) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections that start a moment after they are allowed, on a link.
    struct Simulated<L> {
        concurrency: Concurrency,
        link: L,
        /// Periods that a new connection needs before it carries something.
        start: usize,
        /// How many carry something, and when the next may.
        carrying: usize,
        waited: usize,
        most: usize,
        dropped: bool,
    }

    impl<L: Fn(usize) -> u64> Simulated<L> {
        fn new(start: usize, link: L) -> Self {
            let concurrency = Concurrency::new(None);
            Self { concurrency, link, start, carrying: 0, waited: 0, most: 0, dropped: false }
        }

        /// Lets periods pass, and says how many connections there are then.
        fn pass(&mut self, periods: usize) -> usize {
            for _ in 0..periods {
                let allowed = self.concurrency.allowed();
                self.most = self.most.max(allowed);
                self.waited += 1;
                if allowed < self.carrying || self.waited > self.start {
                    (self.carrying, self.waited) = (allowed, 0);
                }
                let advice = self.concurrency.observe((self.link)(self.carrying), self.carrying);
                self.dropped |= advice == Advice::Drop;
            }
            self.concurrency.allowed()
        }
    }

    #[test]
    fn a_cap_per_connection_is_answered_with_connections_within_two_seconds() {
        for start in [0, 1, 3] {
            let mut link = Simulated::new(start, |connections| connections as u64 * 4_000_000);
            assert_eq!(link.pass(20), MOST, "{start}");
            assert_eq!(link.pass(1000), MOST, "{start}");
        }
    }

    #[test]
    fn connections_that_are_slow_to_begin_are_waited_for() {
        // Half a second for TCP, TLS and the request: nothing is concluded from what the old ones bring meanwhile.
        let mut link = Simulated::new(6, |connections| connections as u64 * 4_000_000);
        assert_eq!(link.pass(50), MOST);
    }

    #[test]
    fn a_full_link_gets_one_try_and_then_as_few_as_fill_it() {
        let mut link = Simulated::new(1, |_| 1_000_000);
        assert_eq!(link.pass(30), LEAST);
        assert_eq!(link.most, 2 * FIRST);
        assert!(!link.dropped);
    }

    #[test]
    fn a_link_that_four_connections_fill_keeps_four() {
        let mut link = Simulated::new(1, |connections| connections.min(4) as u64 * 4_000_000);
        assert_eq!(link.pass(40), 4);
    }

    #[test]
    fn what_fills_between_two_steps_gets_the_upper_one() {
        let mut link = Simulated::new(1, |connections| connections.min(6) as u64 * 4_000_000);
        assert_eq!(link.pass(60), 8);
    }

    #[test]
    fn a_cdn_that_collapses_is_left_alone_at_once_and_for_long() {
        // huggingface_hub#4893: 4 connections sustain 300 MB/s, more collapse.
        for bears in [4, 6] {
            let mut link = Simulated::new(1, |connections| {
                if connections <= bears { connections as u64 * 7_500_000 } else { 100_000 }
            });
            link.pass(7);
            assert_eq!(link.most, 8, "{bears}");
            // The try takes half a second.
            assert_eq!(link.pass(5), FIRST, "{bears}");
            assert!(link.dropped, "{bears}");
            assert_eq!((link.pass(250), link.most), (FIRST, 8), "{bears}");
        }
    }

    #[test]
    fn a_fall_is_answered_with_fewer() {
        let now = std::cell::Cell::new(0);
        let mut link = Simulated::new(1, |connections| match (now.get(), connections) {
            (0, _) => connections as u64 * 4_000_000,
            (_, 0..=2) => 8_000_000,
            _ => 100_000,
        });
        assert_eq!(link.pass(50), MOST);
        now.set(1);
        // Noticed within a second; then there are half as many as long as that brings as much.
        assert_eq!(link.pass(4 * LOOK), LEAST);
    }

    #[test]
    fn after_a_rest_it_is_tried_again() {
        let now = std::cell::Cell::new(0);
        let mut link =
            Simulated::new(
                1,
                |connections| {
                    if now.get() == 0 { 4_000_000 } else { connections as u64 * 4_000_000 }
                },
            );
        assert_eq!(link.pass(50), LEAST);
        now.set(1);
        assert_eq!(link.pass((REST + 1) * LOOK + 30), MOST);
    }

    #[test]
    fn what_was_asked_for_stays() {
        let mut concurrency = Concurrency::new(Some(3));
        for period in 0..100 {
            concurrency.observe(period * 1000, 3);
        }
        assert_eq!((concurrency.allowed(), concurrency.most()), (3, 3));
    }
}
