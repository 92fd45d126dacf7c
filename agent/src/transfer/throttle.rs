//! A limit on bytes per second, over all connections together.

use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What may be taken ahead of time: smooth for the user, and no timer per packet.
const AHEAD: Duration = Duration::from_millis(50);

/// Gives out bytes at a steady rate.
#[derive(Debug)]
pub(super) struct Throttle {
    bytes_per_second: Option<NonZeroU64>,
    /// When everything that was given out so far will have been due.
    due: Mutex<Option<Instant>>,
}

impl Throttle {
    /// Without a rate there is no limit.
    pub(super) fn new(bytes_per_second: Option<NonZeroU64>) -> Self {
        Self { bytes_per_second, due: Mutex::new(None) }
    }

    /// Waits until so many more bytes may have arrived.
    pub(super) async fn take(&self, bytes: u64) {
        let Some(rate) = self.bytes_per_second else { return };
        let cost = Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / rate);
        let wait_until = {
            let now = Instant::now();
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            let next = due.map_or(now, |due| due.max(now)) + cost;
            *due = Some(next);
            next
        };
        if let Some(wait_until) = wait_until.checked_sub(AHEAD) {
            tokio::time::sleep_until(wait_until).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn several_takers_share_one_rate() {
        let throttle = Throttle::new(NonZeroU64::new(1_000_000));
        let began = Instant::now();
        let taker = || async {
            for _ in 0..100 {
                throttle.take(10_000).await;
            }
        };
        tokio::join!(taker(), taker(), taker());
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(2_900) && took <= Duration::from_millis(3_100), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_not_made_up_for() {
        let throttle = Throttle::new(NonZeroU64::new(1_000));
        throttle.take(1_000).await;
        tokio::time::advance(Duration::from_secs(60)).await;
        let began = Instant::now();
        throttle.take(2_000).await;
        assert!(began.elapsed() >= Duration::from_millis(1_900), "{:?}", began.elapsed());
    }
}
