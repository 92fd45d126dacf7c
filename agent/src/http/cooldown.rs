//! A server that asked to be left alone for a while. It says so to one request, and means all of them.

use std::time::Duration;

use tokio::time::Instant;

/// Longer than any transfer goes on with a server that has refused it for so long.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Until when a server is not to be asked, and what it said.
#[derive(Debug)]
pub struct Cooldown<R>(Option<(Instant, R)>);

impl<R> Default for Cooldown<R> {
    fn default() -> Self {
        Self(None)
    }
}

impl<R> Cooldown<R> {
    /// Heeds a refusal that asks for this wait. The longest that was asked for counts.
    pub fn heed(&mut self, wait: Duration, refusal: R) {
        let until = Instant::now() + wait.min(LONGEST);
        if self.0.as_ref().is_none_or(|(before, _)| *before < until) {
            self.0 = Some((until, refusal));
        }
    }

    /// How long the server is not to be asked, and what it would answer.
    pub fn remaining(&self) -> Option<(Duration, &R)> {
        let (until, refusal) = self.0.as_ref()?;
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        Some((left, refusal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_longest_wait_that_was_asked_for_counts_and_is_over_then() {
        let mut cooldown = Cooldown::default();
        assert_eq!(cooldown.remaining(), None);
        cooldown.heed(Duration::from_secs(60), "first");
        cooldown.heed(Duration::from_secs(5), "second");
        tokio::time::advance(Duration::from_secs(50)).await;
        assert_eq!(cooldown.remaining(), Some((Duration::from_secs(10), &"first")));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(cooldown.remaining(), None);
        cooldown.heed(Duration::MAX, "for ever");
        assert_eq!(cooldown.remaining(), Some((LONGEST, &"for ever")));
    }
}
