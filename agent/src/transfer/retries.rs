//! How often a file has failed, and what follows when it fails again.

use std::time::Duration;

use tokio::time::Instant;

use crate::environment::RetryTiming;
use crate::fault::{FetchFault, RetryDecision};

/// Attempts without progress before a file is given up. With the waits between them, more than a minute, also when
/// every one of them happens to be the shortest.
pub(super) const ATTEMPTS: u32 = 10;
/// Attempts without progress at a server that makes no sense or is not trusted: a minute will hardly mend it.
const NONSENSE_ATTEMPTS: u32 = 3;
/// A file whose bytes are wrong is fetched once more, from nothing.
const CORRUPT_ATTEMPTS: u32 = 2;
/// A file that brought this much more to the disk since its last failure has made progress. Bytes that came and were
/// thrown away are none: a server that always ends at the same place would be asked for ever.
const PROGRESS: u64 = 256 << 10;

/// One file's failed attempts.
#[derive(Debug, Default)]
pub(super) struct Retries {
    failed: u32,
    /// Those of them that are worth a few attempts only.
    nonsense: u32,
    corrupt: u32,
    /// Bytes on disk at the last failure.
    done_before: u64,
    /// When the next attempt may begin.
    pub(super) not_before: Option<Instant>,
}

/// What follows from a fault.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NextStep {
    /// Another attempt follows after this wait.
    Again { attempt: u32, wait: Duration },
    /// Another attempt follows, and was announced already.
    Silently,
    /// The file is lost.
    Lost,
    /// Everything stops.
    Stop,
}

impl Retries {
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|wake| wake <= now)
    }

    /// Counts a fault of a file that has so many bytes on disk.
    pub(super) fn next_step(
        &mut self,
        fault: &FetchFault,
        done: u64,
        now: Instant,
        timing: &RetryTiming,
    ) -> NextStep {
        let decision = fault.retry_decision();
        match decision {
            RetryDecision::GiveUp => return NextStep::Lost,
            RetryDecision::StopAll => return NextStep::Stop,
            RetryDecision::RetryRecut => return NextStep::Silently,
            RetryDecision::RetryFromNothing => {
                self.corrupt += 1;
                let again = NextStep::Again { attempt: self.corrupt, wait: Duration::ZERO };
                return if self.corrupt < CORRUPT_ATTEMPTS { again } else { NextStep::Lost };
            }
            RetryDecision::Retry | RetryDecision::RetryBriefly | RetryDecision::RetryWithNewAddress => {}
        }
        // Several connections of one file usually fail together, and that is one failure.
        if !self.is_ready(now) {
            // Whatever else went wrong at the same time: a server that asks for patience gets it.
            let asked = fault.asked_wait().map(|wait| now + wait);
            self.not_before = self.not_before.max(asked);
            return NextStep::Silently;
        }
        // A part that was thrown away has fewer than before.
        if done.saturating_sub(self.done_before) >= PROGRESS {
            (self.failed, self.nonsense) = (0, 0);
        }
        self.done_before = done;
        self.failed += 1;
        self.nonsense += u32::from(decision == RetryDecision::RetryBriefly);
        if self.failed >= ATTEMPTS || self.nonsense >= NONSENSE_ATTEMPTS {
            return NextStep::Lost;
        }
        let wait = fault.asked_wait().unwrap_or_else(|| timing.backoff.wait_after(self.failed));
        self.not_before = Some(now + wait);
        NextStep::Again { attempt: self.failed, wait }
    }
}

#[cfg(test)]
#[path = "retries_tests.rs"]
mod tests;
