//! Links break: one attempt after another, until a request is done on its target.

use std::sync::Arc;
use std::time::Duration;

use hfdown_agent::http::{Backoff, Jitter};
use tokio_util::sync::CancellationToken;

use super::request::{SyncRequest, Target};
use crate::event::Event;
use crate::failure::{self, Problem, in_words};
use crate::link::{Dismissal, Leftovers};
use crate::plan::Plan;
use crate::session::{Carryover, ConnectAttempt, Machine, SessionError};

/// The waits before new links.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(30), jitter: Jitter::NONE };

/// What attempts at one request on one target leave to each other.
pub(super) struct SyncRun {
    /// The first plan: the whole of what is to be done.
    pub(super) plan: Option<Arc<Plan>>,
    pub(super) carryover: Carryover,
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

/// Makes attempts until one is done, or until links break too often without anything arriving in between. The run is
/// what they came to, also where the last one failed.
pub(super) async fn attempts<T>(
    request: &SyncRequest,
    target: &Target,
    cancel: &CancellationToken,
    mut attempt: impl AsyncFnMut(
        &SyncRequest,
        &Target,
        &mut ConnectAttempt,
        &mut SyncRun,
    ) -> Result<T, Interrupted>,
) -> (SyncRun, Result<T, Problem>) {
    let mut attempts = Attempts::new(target, cancel);
    let mut run = SyncRun::new();
    loop {
        let written = run.carryover.tally.written;
        run.may_follow = attempts.may_follow();
        let interrupted = match attempt(request, target, &mut attempts.next, &mut run).await {
            Ok(done) => return (run, Ok(done)),
            Err(interrupted) => interrupted,
        };
        if run.carryover.tally.written > written {
            attempts.count_anew();
        }
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
        Self { next: ConnectAttempt::First, failed: 0, retries, target, cancel }
    }

    /// Whether another attempt may follow the present one.
    pub(super) fn may_follow(&self) -> bool {
        self.failed < self.retries
    }

    /// Something has arrived: attempts are counted anew.
    pub(super) fn count_anew(&mut self) {
        self.failed = 0;
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
