//! Links break: one attempt after another, until a request is done on its target.

use std::sync::Arc;
use std::time::Duration;

use hfdown_agent::http::{Backoff, Jitter};
use tokio_util::sync::CancellationToken;

use super::request::Target;
use crate::event::Event;
use crate::failure::{self, Problem, in_words};
use crate::link::{Dismissal, Leftovers};
use crate::plan::Plan;
use crate::session::{Carryover, ConnectAttempt, Machine, SessionError};

/// The waits before new links: the boxes behind a gateway that went away do not come back in step.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(30),
    jitter: Jitter { least: 0.75, most: 1.25 },
};

/// Bytes over one link that are progress, as they are over one connection of an agent's.
const PROGRESS: u64 = 256 << 10;
/// Where less than that is to be fetched in all, one of so many shares of it is.
const MOST_SHARES: u64 = 100;

/// What attempts at one request on one target leave to each other.
pub(super) struct SyncRun {
    /// The first plan: the whole of what is to be done.
    pub(super) plan: Option<Arc<Plan>>,
    pub(super) carryover: Carryover,
    /// The folder that the last agent had for itself.
    pub(super) held: String,
    /// What the last attempt could not remove from its machine.
    pub(super) left: Leftovers,
    /// What became of its agent.
    pub(super) dismissal: Dismissal,
    /// Whether another attempt may follow the present one, should its link break.
    pub(super) may_follow: bool,
}

impl SyncRun {
    fn new() -> Self {
        Self {
            plan: None,
            carryover: Carryover::default(),
            held: String::new(),
            left: Leftovers::Nothing,
            dismissal: Dismissal::Gone,
            may_follow: true,
        }
    }
}

/// Why an attempt ended before its work was done, and in the middle of what.
pub(super) struct Interrupted {
    pub(super) attempted: String,
    pub(super) error: SessionError,
}

impl Interrupted {
    /// What failed may have been the way to the target already.
    pub(super) fn on(target: &Target, attempted: impl FnOnce() -> String, error: SessionError) -> Self {
        let attempted = match (&target.machine, &error) {
            (Machine::Box { target, .. }, SessionError::Link { .. }) => format!("cannot reach {target}"),
            _ => attempted(),
        };
        Self { attempted, error }
    }
}

/// What is done at one target, by conversations with its agent.
pub(super) trait TargetWork {
    /// What it comes to.
    type Done;

    /// One attempt at it. What there has been before is in `run`.
    fn attempt(
        &self,
        connect: &mut ConnectAttempt,
        run: &mut SyncRun,
    ) -> impl Future<Output = Result<Self::Done, Interrupted>> + Send;
}

/// Makes attempts until one is done, or until links break too often without anything arriving in between. The run is
/// what they came to, also where the last one failed.
pub(super) async fn attempts<W: TargetWork>(
    work: &W,
    target: &Target,
    cancel: &CancellationToken,
) -> (SyncRun, Result<W::Done, Problem>) {
    let mut attempts = Attempts::new(target, cancel);
    let mut run = SyncRun::new();
    loop {
        run.may_follow = attempts.may_follow();
        let interrupted = match work.attempt(&mut attempts.next, &mut run).await {
            Ok(done) => return (run, Ok(done)),
            Err(interrupted) => interrupted,
        };
        let (done, total) = run.carryover.bytes();
        attempts.progressed(done, total);
        if let Err(problem) = attempts.after(interrupted).await {
            return (run, Err(problem));
        }
    }
}

/// How often in a row a link that broke is made anew, and with what pauses.
pub(super) struct Attempts<'a> {
    /// What the next attempt has to know.
    pub(super) next: ConnectAttempt,
    failed: u32,
    progress: LinkProgress,
    retries: u32,
    target: &'a Target,
    cancel: &'a CancellationToken,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(target: &'a Target, cancel: &'a CancellationToken) -> Self {
        let retries = match &target.machine {
            Machine::Local(_) => 0,
            Machine::Box { timeouts, .. } => timeouts.retries,
        };
        Self {
            next: ConnectAttempt::First,
            failed: 0,
            progress: LinkProgress::default(),
            retries,
            target,
            cancel,
        }
    }

    /// Whether another attempt may follow the present one.
    pub(super) fn may_follow(&self) -> bool {
        self.failed < self.retries
    }

    /// The agent was reached again: attempts are counted anew.
    pub(super) fn count_anew(&mut self) {
        self.failed = 0;
    }

    /// So many bytes of so many are there now. Where that is progress, attempts are counted anew.
    pub(super) fn progressed(&mut self, done: u64, total: u64) {
        if self.progress.reaches(done, total) {
            self.count_anew();
        }
    }

    /// Waits until the next attempt is due, or says why there is none.
    pub(super) async fn after(&mut self, interrupted: Interrupted) -> Result<(), Problem> {
        let Interrupted { attempted, error } = interrupted;
        if self.cancel.is_cancelled() {
            return Err(failure::session(attempted, &SessionError::Cancelled));
        }
        // A box that was never reached has had its time.
        let never_reached =
            matches!(self.next, ConnectAttempt::First) && matches!(error, SessionError::Link { .. });
        if !error.is_lost_link() || never_reached || self.failed >= self.retries {
            return Err(failure::session_after(attempted, &error, self.failed));
        }
        self.failed += 1;
        self.next = ConnectAttempt::Reconnect;
        let wait = BACKOFF.wait_after(self.failed);
        let why = in_words(&error.to_string());
        let (attempt, of) = (self.failed, self.retries);
        self.target.events.send(Event::Reconnecting { why, attempt, of, wait }).await;
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = self.cancel.cancelled() => Err(failure::session(attempted, &SessionError::Cancelled)),
        }
    }
}

/// How far links have brought the work, at the last that was worth its name: a byte per link would take for ever.
#[derive(Debug, Default)]
struct LinkProgress(u64);

impl LinkProgress {
    /// Whether so many bytes of so many are a share more than ever before.
    fn reaches(&mut self, done: u64, total: u64) -> bool {
        let share = (total / MOST_SHARES).clamp(1, PROGRESS);
        let is_further = done >= self.0.saturating_add(share);
        if is_further {
            self.0 = done;
        }
        is_further
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_per_link_is_no_progress_and_a_share_of_the_work_is() {
        let mut progress = LinkProgress::default();
        let large = 1 << 30;
        assert!((1..1_000).all(|done| !progress.reaches(done, large)));
        assert!(progress.reaches(PROGRESS, large) && !progress.reaches(2 * PROGRESS - 1, large));
        assert!(!progress.reaches(0, large) && !progress.reaches(PROGRESS, large), "not to and fro either");
        assert!(progress.reaches(2 * PROGRESS, large));
        let mut progress = LinkProgress::default();
        let times = (0..=20_000).filter(|done| progress.reaches(*done, 20_000)).count();
        assert_eq!(times as u64, MOST_SHARES, "of a small work, that many");
        assert!(!LinkProgress::default().reaches(0, 0));
    }
}
