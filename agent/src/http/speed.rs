//! How fast bytes come, as the one who waits for them finds it: only waiting counts, so that a throttle, a slow disk or a
//! process that was stopped is not taken for a slow server.

use std::time::Duration;

/// The least that is worth waiting for, as `--speed-limit` and `--speed-time` of curl have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeedFloor {
    /// Zero asks for nothing.
    pub bytes_per_second: u64,
    /// For how long less may come.
    pub time: Duration,
}

/// The slowest modem that was ever in wide use (14.4 kbit/s) is nearly twice as fast, over all its connections together.
const BYTES_PER_SECOND: u64 = 1_000;
/// Curl's own figure, and as long as a connection may be silent.
const TIME: Duration = Duration::from_secs(30);

/// A wait is taken in such slices, each of which counts for no more than it is: while a process is stopped, or a laptop
/// asleep, the clock goes on, and it was not the server that let it wait.
pub const SLICE: Duration = Duration::from_millis(250);

impl Default for SpeedFloor {
    fn default() -> Self {
        Self { bytes_per_second: BYTES_PER_SECOND, time: TIME }
    }
}

impl SpeedFloor {
    /// Whether so many bytes in a wait of so long are less than the share of one of so many that wait.
    pub fn is_above(self, (bytes, waited): (u64, Duration), sharing: usize) -> bool {
        let least = u128::from(self.bytes_per_second) * waited.as_millis();
        u128::from(bytes) * 1_000 * (sharing.max(1) as u128) < least
    }
}

/// What came in the last spans of waiting: the one that runs and the one before it.
#[derive(Debug)]
pub struct RecentSpeed {
    span: Duration,
    before: Option<(u64, Duration)>,
    now: (u64, Duration),
}

impl RecentSpeed {
    /// Over the last so much waiting, or a little more.
    pub fn over(window: Duration) -> Self {
        Self { span: window / 2, before: None, now: (0, Duration::ZERO) }
    }

    /// So many bytes came after so much waiting. Once in a span, when one is full, this is what came in it and in the one
    /// before, and how much waiting that was.
    pub fn note(&mut self, bytes: u64, waited: Duration) -> Option<(u64, Duration)> {
        let (came, time) = &mut self.now;
        (*came, *time) = (came.saturating_add(bytes), *time + waited);
        if *time < self.span {
            return None;
        }
        let full = std::mem::take(&mut self.now);
        let before = self.before.replace(full);
        before.map(|(came, time)| (came.saturating_add(full.0), time + full.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many seconds of waiting for so many bytes each it is too slow, within ten minutes.
    fn too_slow_after(floor: SpeedFloor, sharing: usize, bytes: impl Fn(u64) -> u64) -> Option<u64> {
        let mut speed = RecentSpeed::over(floor.time);
        (1..=600).find(|second| {
            let recent = speed.note(bytes(*second), Duration::from_secs(1));
            recent.is_some_and(|recent| floor.is_above(recent, sharing))
        })
    }

    #[test]
    fn what_brings_too_little_for_too_long_is_noticed_and_slow_links_are_not() {
        let floor = SpeedFloor::default();
        assert_eq!(too_slow_after(floor, 1, |_| 1), Some(30), "a byte per second");
        assert_eq!(too_slow_after(floor, 64, |_| 1), Some(30), "on each of the most connections");
        assert_eq!(too_slow_after(floor, 1, |second| if second % 20 == 0 { 10 } else { 0 }), Some(30));
        assert_eq!(too_slow_after(floor, 1, |_| 999), Some(30));
        assert_eq!(too_slow_after(floor, 1, |_| 1_000), None);
        assert_eq!(too_slow_after(floor, 4, |_| 450), None, "a modem, on four connections");
        // Fast for a minute, and then a trickle.
        let after = too_slow_after(floor, 1, |second| if second <= 60 { 1_000_000 } else { 1 });
        assert!(after.is_some_and(|after| (90..=105).contains(&after)), "{after:?}");
        assert_eq!(too_slow_after(SpeedFloor { bytes_per_second: 0, ..floor }, 1, |_| 0), None);
        let short = SpeedFloor { bytes_per_second: 5, time: Duration::from_secs(2) };
        assert_eq!((too_slow_after(short, 1, |_| 4), too_slow_after(short, 1, |_| 5)), (Some(2), None));
    }

    #[test]
    fn what_is_not_waited_for_is_no_slowness() {
        let (floor, mut speed) = (SpeedFloor::default(), RecentSpeed::over(TIME));
        // A throttle of ten bytes a second: each chunk is there when it is asked for.
        for _ in 0..10_000 {
            let recent = speed.note(10, Duration::from_micros(20));
            assert!(!recent.is_some_and(|recent| floor.is_above(recent, 1)));
        }
    }
}
