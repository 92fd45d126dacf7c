//! Trying again: one wrapper round one attempt.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Answer, HubError, Observer, Patience, Tried};

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

/// What a Hub that wants to be left alone has said. It says so to one question and means all of them.
#[derive(Debug, Default)]
pub(super) struct Truce(Mutex<Option<(Instant, Box<Answer>)>>);

/// Longer than any run lives that has been refused for so long.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

impl Truce {
    /// Hears a refusal that names its time.
    fn heed(&self, error: &HubError) {
        let HubError::RateLimited(answer) = error else { return };
        let Some(wait) = answer.wait else { return };
        let until = Instant::now() + wait.min(FAR);
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.as_ref().is_none_or(|(before, _)| *before < until) {
            *refused = Some((until, answer.clone()));
        }
    }

    /// What the Hub would answer now, without asking it, where that is known.
    fn refusal(&self) -> Option<HubError> {
        let refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, answer) = refused.as_ref()?;
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        Some(HubError::RateLimited(Box::new(Answer { wait: Some(left), ..Answer::clone(answer) })))
    }
}

/// Makes attempts until one succeeds, fails for good, or patience ends. The error then says how much was tried.
pub(super) async fn persist<T, F>(
    patience: &Patience,
    observer: &Observer,
    truce: &Truce,
    mut attempt: impl FnMut() -> F,
) -> Result<T, HubError>
where
    F: Future<Output = Result<T, HubError>>,
{
    let started = Instant::now();
    let mut number = 1;
    loop {
        let error = match truce.refusal() {
            Some(refusal) => refusal,
            None => match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            },
        };
        truce.heed(&error);
        let wait = patience.wait_after(number, error.named_wait(), rand::random_range(0.5..=1.0));
        let is_over = number >= patience.attempts || started.elapsed().saturating_add(wait) > patience.total;
        if is_over || !error.is_worth_another_try() {
            return Err(error.after(Tried { attempts: number, elapsed: started.elapsed() }));
        }
        observer.tell(Retrying { attempt: number, attempts: patience.attempts, error: &error, wait });
        sleep(wait).await;
        number += 1;
    }
}

impl Patience {
    /// The wait after the attempt of this number. `share` is the part of a wait of our own that is kept.
    fn wait_after(&self, number: u32, named: Option<Duration>, share: f64) -> Duration {
        let own =
            || self.first.saturating_mul(2_u32.saturating_pow(number - 1)).min(self.longest).mul_f64(share);
        named.map_or_else(own, |named| named.saturating_add(self.margin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Reason, Unreached};
    use std::cell::Cell;
    use std::sync::{Arc, Mutex};

    fn unreached() -> HubError {
        HubError::Unreachable(Box::new(Unreached::new("https://hub.example/x", Reason::Connect, "refused")))
    }

    fn limited(wait: u64) -> HubError {
        let mut answer = Answer::new("https://hub.example/x", 429);
        answer.wait = Some(Duration::from_secs(wait));
        HubError::RateLimited(Box::new(answer))
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let patience = Patience::default();
        let waits: Vec<_> =
            (1..=7).map(|number| patience.wait_after(number, None, 1.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(patience.wait_after(1, None, 0.5).as_millis(), 250);
        assert_eq!(patience.wait_after(90, Some(Duration::from_secs(55)), 0.5).as_secs(), 56);
    }

    #[tokio::test(start_paused = true)]
    async fn tells_of_each_retry_and_stops_at_the_last_attempt() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let observer = {
            let told = told.clone();
            Observer::new(move |retrying| told.lock().unwrap().push((retrying.attempt, retrying.attempts)))
        };
        let result: Result<(), _> =
            persist(&Patience::default(), &observer, &Truce::default(), async || Err(unreached())).await;
        assert_eq!(*told.lock().unwrap(), [(1, 6), (2, 6), (3, 6), (4, 6), (5, 6)]);
        let Err(HubError::Unreachable(seen)) = result else { panic!("{result:?}") };
        assert_eq!(seen.tried.map(|tried| tried.attempts), Some(6));
    }

    #[tokio::test(start_paused = true)]
    async fn a_named_wait_is_obeyed() {
        let started = Instant::now();
        let attempts = Cell::new(0);
        let result = persist(&Patience::default(), &Observer::default(), &Truce::default(), async || {
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
            persist(&Patience::default(), &Observer::default(), &Truce::default(), async || {
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
            persist(&Patience::default(), &Observer::default(), &Truce::default(), async || {
                attempts.set(attempts.get() + 1);
                Err(HubError::EntryNotFound(Box::new(Answer::new("https://hub.example/x", 404))))
            })
            .await;
        assert!(matches!(result, Err(HubError::EntryNotFound(_))));
        assert_eq!(attempts.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_something_else_meanwhile_waits_as_well() {
        let (patience, observer, truce) = (Patience::default(), Observer::default(), Truce::default());
        let started = Instant::now();
        let asked = Cell::new(0);
        let first = persist(&patience, &observer, &truce, async || {
            asked.set(asked.get() + 1);
            if asked.get() == 1 { Err(limited(200)) } else { Ok(started.elapsed().as_secs()) }
        });
        let second = async {
            sleep(Duration::from_secs(10)).await;
            persist(&patience, &observer, &truce, async || Ok(started.elapsed().as_secs())).await
        };
        let (first, second) = tokio::join!(first, second);
        assert_eq!((first.unwrap(), second.unwrap()), (201, 201));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hub_that_wants_none_of_it_for_too_long_is_not_asked_anything_else() {
        let (patience, observer, truce) = (Patience::default(), Observer::default(), Truce::default());
        for wait in [u64::MAX, 3600] {
            let refused: Result<(), _> =
                persist(&patience, &observer, &truce, async || Err(limited(wait))).await;
            let Err(HubError::RateLimited(answer)) = refused else { panic!("{refused:?}") };
            assert!(answer.wait.is_some_and(|wait| wait >= FAR), "the first refusal holds");
        }
        tokio::time::advance(FAR).await;
        let asked = persist(&patience, &observer, &truce, async || Ok(())).await;
        assert!(asked.is_ok());
    }
}
