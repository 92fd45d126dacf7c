//! Trying again: one wrapper round one attempt.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use hfdown_agent::http::Cooldown;

use super::{ErrorResponse, HubError, Observer, RetryPolicy, RetrySummary};

/// An attempt that failed and will be repeated.
#[derive(Debug, Clone, Copy)]
pub struct Retrying<'a> {
    /// The number of the attempt that failed, from 1.
    pub attempt: u32,
    /// How many attempts there may be.
    pub attempts: u32,
    /// Why it failed.
    pub error: &'a HubError,
    /// How long the wait before the next one is.
    pub wait: Duration,
}

/// The cooldown that the Hub asked for, and what it answered then.
pub(super) type HubCooldown = Mutex<Cooldown<Box<ErrorResponse>>>;

/// Heeds a refusal that names its time.
pub(super) fn heed(cooldown: &HubCooldown, error: &HubError) {
    let HubError::RateLimited(answer) = error else { return };
    let Some(wait) = answer.wait else { return };
    cooldown.lock().unwrap_or_else(PoisonError::into_inner).heed(wait, answer.clone());
}

/// What the Hub would answer now, without asking it, where that is known.
pub(super) fn refusal(cooldown: &HubCooldown) -> Option<HubError> {
    let cooldown = cooldown.lock().unwrap_or_else(PoisonError::into_inner);
    let (left, answer) = cooldown.remaining()?;
    Some(HubError::RateLimited(Box::new(ErrorResponse { wait: Some(left), ..ErrorResponse::clone(answer) })))
}

/// Makes attempts until one succeeds, fails for good, or patience ends. The error then says how much was tried.
pub(super) async fn retry<T, F>(
    policy: &RetryPolicy,
    observer: &Observer,
    cooldown: &HubCooldown,
    mut attempt: impl FnMut() -> F,
) -> Result<T, HubError>
where
    F: Future<Output = Result<T, HubError>>,
{
    let started = Instant::now();
    let mut number = 1;
    loop {
        let error = match refusal(cooldown) {
            Some(refusal) => refusal,
            None => match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            },
        };
        heed(cooldown, &error);
        let wait = policy.wait_after(number, error.named_wait());
        let is_over = number >= policy.attempts || started.elapsed().saturating_add(wait) > policy.total;
        if is_over || !error.is_worth_another_try() {
            return Err(error.after(RetrySummary { attempts: number, elapsed: started.elapsed() }));
        }
        observer.tell(Retrying { attempt: number, attempts: policy.attempts, error: &error, wait });
        sleep(wait).await;
        number += 1;
    }
}

impl RetryPolicy {
    /// The wait after the attempt of this number: the one that the Hub named, or one of our own.
    fn wait_after(&self, number: u32, named: Option<Duration>) -> Duration {
        named.map_or_else(|| self.backoff.wait_after(number), |named| named.saturating_add(self.margin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Unreached;
    use hfdown_agent::http::{Jitter, NetworkFault};
    use std::cell::Cell;
    use std::sync::{Arc, Mutex};

    /// The longest cooldown.
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn unreached() -> HubError {
        HubError::Unreachable(Box::new(Unreached::new(
            "https://hub.example/x",
            NetworkFault::Connect,
            "refused",
        )))
    }

    fn limited(wait: u64) -> HubError {
        let mut answer = ErrorResponse::new("https://hub.example/x", 429);
        answer.wait = Some(Duration::from_secs(wait));
        HubError::RateLimited(Box::new(answer))
    }

    #[test]
    fn waits_double_up_to_the_longest_unless_the_hub_names_one() {
        let mut policy = RetryPolicy::default();
        assert!((250..=500).contains(&policy.wait_after(1, None).as_millis()));
        policy.backoff.jitter = Jitter::NONE;
        let waits: Vec<_> = (1..=7).map(|number| policy.wait_after(number, None).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(policy.wait_after(90, Some(Duration::from_secs(55))).as_secs(), 56);
    }

    #[tokio::test(start_paused = true)]
    async fn tells_of_each_retry_and_stops_at_the_last_attempt() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let observer = {
            let told = told.clone();
            Observer::new(move |retrying| told.lock().unwrap().push((retrying.attempt, retrying.attempts)))
        };
        let result: Result<(), _> =
            retry(&RetryPolicy::default(), &observer, &HubCooldown::default(), async || Err(unreached()))
                .await;
        assert_eq!(*told.lock().unwrap(), [(1, 6), (2, 6), (3, 6), (4, 6), (5, 6)]);
        let Err(HubError::Unreachable(seen)) = result else { panic!("{result:?}") };
        assert_eq!(seen.tried.map(|tried| tried.attempts), Some(6));
    }

    #[tokio::test(start_paused = true)]
    async fn a_named_wait_is_obeyed() {
        let started = Instant::now();
        let attempts = Cell::new(0);
        let result =
            retry(&RetryPolicy::default(), &Observer::default(), &HubCooldown::default(), async || {
                attempts.set(attempts.get() + 1);
                if attempts.get() == 1 { Err(limited(200)) } else { Ok(started.elapsed().as_secs()) }
            })
            .await;
        assert_eq!(result.unwrap(), 201);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_too_long_ends_at_once() {
        let started = Instant::now();
        let result: Result<(), _> =
            retry(&RetryPolicy::default(), &Observer::default(), &HubCooldown::default(), async || {
                Err(limited(3600))
            })
            .await;
        assert!(matches!(result, Err(HubError::RateLimited(_))));
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_not_change_is_not_repeated() {
        let attempts = Cell::new(0);
        let result: Result<(), _> =
            retry(&RetryPolicy::default(), &Observer::default(), &HubCooldown::default(), async || {
                attempts.set(attempts.get() + 1);
                Err(HubError::EntryNotFound(Box::new(ErrorResponse::new("https://hub.example/x", 404))))
            })
            .await;
        assert!(matches!(result, Err(HubError::EntryNotFound(_))));
        assert_eq!(attempts.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn another_question_waits_for_the_same_cooldown() {
        let (policy, observer, cooldown) =
            (RetryPolicy::default(), Observer::default(), HubCooldown::default());
        let started = Instant::now();
        let asked = Cell::new(0);
        let first = retry(&policy, &observer, &cooldown, async || {
            asked.set(asked.get() + 1);
            if asked.get() == 1 { Err(limited(200)) } else { Ok(started.elapsed().as_secs()) }
        });
        let second = async {
            sleep(Duration::from_secs(10)).await;
            retry(&policy, &observer, &cooldown, async || Ok(started.elapsed().as_secs())).await
        };
        let (first, second) = tokio::join!(first, second);
        assert_eq!((first.unwrap(), second.unwrap()), (201, 201));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cooldown_that_is_too_long_ends_every_other_question() {
        let (policy, observer, cooldown) =
            (RetryPolicy::default(), Observer::default(), HubCooldown::default());
        for wait in [u64::MAX, 3600] {
            let refused: Result<(), _> =
                retry(&policy, &observer, &cooldown, async || Err(limited(wait))).await;
            let Err(HubError::RateLimited(answer)) = refused else { panic!("{refused:?}") };
            assert!(answer.wait.is_some_and(|wait| wait >= DAY), "the first refusal holds");
        }
        tokio::time::advance(DAY).await;
        let asked = retry(&policy, &observer, &cooldown, async || Ok(())).await;
        assert!(asked.is_ok());
    }
}
