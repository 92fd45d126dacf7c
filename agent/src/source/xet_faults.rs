//! What follows where bytes could not be had out of xorbs: another answer of the Hub's Xet store, or none any more.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::fault::{FetchFault, RetryDecision};

/// So many answers that failed without progress, and the file comes as any other does.
const MOST: u32 = 4;
/// A file of which this much more is on disk since the last failure has made progress, as for any other file.
const PROGRESS: u64 = 256 << 10;
/// An answer whose addresses are refused after so little time has not expired: another one is asked for in no hurry.
const FRESH: Duration = Duration::from_secs(10);

/// Whether a file still comes out of xorbs, and how that goes.
#[derive(Debug, Default)]
pub(super) struct XetFaults(Mutex<XetHistory>);

#[derive(Debug, Default)]
struct XetHistory {
    is_given_up: bool,
    /// The last answer, and when it came.
    answer: u32,
    answered: Option<Instant>,
    /// The last answer that has failed.
    failed: u32,
    faults: u32,
    /// How many bytes were on disk at the last of them.
    done_before: u64,
}

/// What follows from a fault of xorbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum XetStep {
    /// The bytes are in other pieces by now, or are to be: at once.
    Recut,
    /// It is told, and another attempt follows after a while.
    Wait,
    /// It is no use.
    FallBack,
}

impl XetFaults {
    /// There is an answer, of this number.
    pub(super) fn answered(&self, now: Instant) -> u32 {
        let mut history = self.lock();
        history.answer += 1;
        history.answered = Some(now);
        history.answer
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.lock().is_given_up
    }

    /// Nothing is had out of xorbs from here on. Whether that is new.
    pub(super) fn give_up(&self) -> bool {
        !std::mem::replace(&mut self.lock().is_given_up, true)
    }

    /// Weighs a fault of a connection that works by the answer of such a number, of a file that has so many bytes on disk.
    /// Several connections usually fail together: that is one failure of the answer that they work by.
    pub(super) fn weigh(&self, fault: &FetchFault, answer: u32, done: u64, now: Instant) -> XetStep {
        let mut history = self.lock();
        if history.is_given_up || matches!(fault, FetchFault::CutElsewhere) {
            return XetStep::Recut;
        }
        let step = match fault.retry_decision() {
            RetryDecision::Retry => XetStep::Wait,
            RetryDecision::RetryWithNewAddress => {
                let is_fresh = history.answered.is_some_and(|answered| now - answered < FRESH);
                if is_fresh && history.faults > 0 { XetStep::Wait } else { XetStep::Recut }
            }
            _ => return XetStep::FallBack,
        };
        if answer <= history.failed {
            return step;
        }
        history.failed = history.answer;
        if done.saturating_sub(history.done_before) >= PROGRESS {
            history.faults = 0;
        }
        history.done_before = done;
        history.faults += 1;
        if history.faults < MOST { step } else { XetStep::FallBack }
    }

    fn lock(&self) -> MutexGuard<'_, XetHistory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> FetchFault {
        FetchFault::Broken { host: "xorbs.example".to_owned(), why: "it broke".to_owned() }
    }

    fn stale() -> FetchFault {
        FetchFault::Stale { host: "xorbs.example".to_owned(), status: 403, why: String::new() }
    }

    #[test]
    fn connections_that_fail_together_are_one_failure() {
        let (faults, now) = (XetFaults::default(), Instant::now());
        for round in 0..MOST {
            let answer = faults.answered(now);
            let expected = if round + 1 < MOST { XetStep::Wait } else { XetStep::FallBack };
            assert_eq!(faults.weigh(&broken(), answer, 0, now), expected);
            for _ in 0..20 {
                assert_eq!(faults.weigh(&broken(), answer, 0, now), XetStep::Wait);
                assert_eq!(faults.weigh(&broken(), answer - 1, 0, now), XetStep::Wait);
            }
        }
        assert!(faults.give_up() && !faults.give_up() && faults.is_given_up());
        assert_eq!(faults.weigh(&broken(), 9, 0, now), XetStep::Recut, "it is no fault of theirs any more");
    }

    #[test]
    fn progress_is_no_failure_and_what_makes_no_sense_is_one_at_once() {
        let (faults, now) = (XetFaults::default(), Instant::now());
        for round in 1..100 {
            let answer = faults.answered(now);
            assert_eq!(faults.weigh(&broken(), answer, PROGRESS * round, now), XetStep::Wait);
        }
        let host = || "xorbs.example".to_owned();
        let missing = FetchFault::Missing { host: host(), status: 404, why: String::new() };
        let nonsense = FetchFault::Nonsense { host: host(), what: "sends none".to_owned() };
        let much =
            FetchFault::RateLimited { host: host(), status: 429, wait: Some(Duration::from_secs(3600)) };
        for fault in [missing, nonsense, much, FetchFault::RangeIgnored { host: host() }] {
            assert_eq!(faults.weigh(&fault, 100, 0, now), XetStep::FallBack, "{fault}");
        }
        assert_eq!(faults.weigh(&FetchFault::CutElsewhere, 100, 0, now), XetStep::Recut);
    }

    #[test]
    fn what_has_expired_is_asked_for_at_once_and_what_never_worked_in_no_hurry() {
        let (faults, now) = (XetFaults::default(), Instant::now());
        let mut steps = (1..).map(|round| {
            let answer = faults.answered(now);
            faults.weigh(&stale(), answer, PROGRESS * round, now + FRESH)
        });
        assert!(steps.by_ref().take(20).all(|step| step == XetStep::Recut));
        let answer = faults.answered(now);
        assert_eq!(faults.weigh(&stale(), answer, 0, now), XetStep::Wait);
        let faults = XetFaults::default();
        let mut steps = (0..MOST).map(|_| faults.weigh(&stale(), faults.answered(now), 0, now));
        assert_eq!(steps.next(), Some(XetStep::Recut), "the first one is asked for anew without a word");
        assert_eq!(steps.next(), Some(XetStep::Wait));
        assert_eq!(steps.last(), Some(XetStep::FallBack));
    }
}
