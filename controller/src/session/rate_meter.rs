//! How fast bytes arrive: the mean over the last few seconds.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Long enough to be calm, short enough to notice a stall.
const WINDOW: Duration = Duration::from_secs(5);

/// Counts of bytes over time.
#[derive(Debug, Default)]
pub(super) struct RateMeter {
    samples: VecDeque<(Instant, u64)>,
}

impl RateMeter {
    /// Notes how many bytes there are by now.
    pub(super) fn note(&mut self, now: Instant, bytes: u64) {
        // A part that was thrown away has fewer: begin again.
        if self.samples.back().is_some_and(|(_, before)| *before > bytes) {
            self.samples.clear();
        }
        self.samples.push_back((now, bytes));
        while self.samples.len() > 2 && self.samples.get(1).is_some_and(|(then, _)| now - *then >= WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Bytes per second.
    pub(super) fn rate(&self) -> u64 {
        let (Some((began, first)), Some((now, last))) = (self.samples.front(), self.samples.back()) else {
            return 0;
        };
        let millis = (*now - *began).as_millis();
        let rate = (u128::from(last - first) * 1000).checked_div(millis).unwrap_or(0);
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_noticed_within_the_window() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut rate_meter = RateMeter::default();
        assert_eq!(rate_meter.rate(), 0);
        for second in 0..=10 {
            rate_meter.note(at(second), second * 100);
        }
        assert_eq!(rate_meter.rate(), 100);
        for second in 11..=20 {
            rate_meter.note(at(second), 1000);
        }
        assert_eq!(rate_meter.rate(), 0);
        rate_meter.note(at(21), 5);
        assert_eq!(rate_meter.rate(), 0);
    }
}
