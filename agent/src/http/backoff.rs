//! How long to wait after a failure that may pass: twice as long after each one, up to a bound, with jitter.

use std::time::Duration;

/// Waits that double with each failure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest that doubling leads to.
    pub longest: Duration,
    /// By how much chance changes a wait.
    pub jitter: Jitter,
}

/// The least and the most that a wait is multiplied with, so that a fleet does not come back in step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter {
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Jitter {
    /// Waits are what they are.
    pub const NONE: Self = Self { least: 1.0, most: 1.0 };
}

impl Backoff {
    /// The wait after so many failures in a row.
    pub fn wait_after(&self, failures: u32) -> Duration {
        self.even_wait_after(failures).mul_f64(rand::random_range(self.jitter.least..=self.jitter.most))
    }

    /// The same without jitter.
    pub fn even_wait_after(&self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.first.saturating_mul(doubled).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        first: Duration::from_millis(500),
        longest: Duration::from_secs(30),
        jitter: Jitter { least: 0.75, most: 1.25 },
    };

    #[test]
    fn waits_double_up_to_the_longest() {
        for (failures, millis) in [
            (0, 500),
            (1, 500),
            (2, 1_000),
            (3, 2_000),
            (6, 16_000),
            (7, 30_000),
            (100, 30_000),
            (u32::MAX, 30_000),
        ] {
            let wait = Duration::from_millis(millis);
            assert_eq!(BACKOFF.even_wait_after(failures), wait, "{failures}");
            assert_eq!(Backoff { jitter: Jitter::NONE, ..BACKOFF }.wait_after(failures), wait, "{failures}");
            for _ in 0..100 {
                let chance = BACKOFF.wait_after(failures);
                assert!(
                    (wait.mul_f64(0.75)..=wait.mul_f64(1.25)).contains(&chance),
                    "{failures}: {chance:?}"
                );
            }
        }
    }
}
