//! Links break: how often in a row another one is made, and with what pauses.

use std::time::Duration;

use hfdown_agent::http::{Backoff, Jitter};
use tokio_util::sync::CancellationToken;

use crate::display::Events;
use crate::event::Event;
use crate::failure::{self, Problem, in_words};
use crate::session::{ConnectAttempt, Machine, SessionError};

/// The waits before new links.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(30), jitter: Jitter::NONE };

/// Why a conversation ended, and in the middle of what.
pub(super) struct Broken {
    pub(super) attempted: String,
    pub(super) error: SessionError,
}

impl Broken {
    /// What failed may have been the way there already.
    pub(super) fn on(machine: &Machine, attempted: impl FnOnce() -> String, error: SessionError) -> Self {
        let attempted = match (machine, &error) {
            (Machine::Box { target, .. }, SessionError::Link { .. }) => format!("cannot reach {target}"),
            _ => attempted(),
        };
        Self { attempted, error }
    }
}

/// Attempts to go on.
pub(super) struct Again<'a> {
    /// What the next conversation has to know.
    pub(super) attempt: ConnectAttempt,
    attempts: u32,
    retries: u32,
    events: &'a Events,
    cancel: &'a CancellationToken,
}

impl<'a> Again<'a> {
    /// For conversations with an agent on this machine.
    pub(super) fn new(machine: &Machine, events: &'a Events, cancel: &'a CancellationToken) -> Self {
        let retries = match machine {
            Machine::Here(_) => 0,
            Machine::Box { timeouts, .. } => timeouts.retries,
        };
        Self { attempt: ConnectAttempt::First, attempts: 0, retries, events, cancel }
    }

    /// Something has arrived: attempts are counted anew.
    pub(super) fn has_moved(&mut self) {
        self.attempts = 0;
    }

    /// Waits until the next conversation is due, or says why there is none.
    pub(super) async fn after(&mut self, broken: Broken) -> Result<(), Problem> {
        let Broken { attempted, error } = broken;
        if self.cancel.is_cancelled() {
            return Err(failure::session(attempted, &SessionError::Cancelled));
        }
        // A box that was never reached has had its time.
        let never_reached =
            matches!(self.attempt, ConnectAttempt::First) && matches!(error, SessionError::Link { .. });
        if !error.is_lost_link() || never_reached || self.attempts >= self.retries {
            return Err(failure::session_after(attempted, &error, self.attempts));
        }
        self.attempts += 1;
        if matches!(self.attempt, ConnectAttempt::First) {
            self.attempt = ConnectAttempt::Reconnect { supersedes: None };
        }
        let wait = BACKOFF.wait_after(self.attempts);
        let why = in_words(&error.to_string());
        let (attempt, of) = (self.attempts, self.retries);
        self.events.send(Event::Reconnecting { why, attempt, of, wait }).await;
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = self.cancel.cancelled() => Err(failure::session(attempted, &SessionError::Cancelled)),
        }
    }
}
