//! Boxes that were rented a minute ago: their SSH server does not listen yet, or has not learned the key.

use std::mem::discriminant;
use std::time::Duration;

use hfdown_agent::http::{Backoff, Jitter};
use hfdown_agent::in_words;
use tokio::time::Instant;

use super::error::SessionError;
use crate::display::Events;
use crate::event::Event;
use crate::link::{AgentLink, KeyFailure, LinkError, TriedKey};

/// The waits between two attempts. A server that counts failed logins sees 12 in a minute.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(5), jitter: Jitter::NONE };

/// Tries again, for so long, what a box that is just starting refuses. Each new reason is said once. The time for which
/// the user is asked in between does not count.
pub(super) async fn until_ready<F: Future<Output = Result<AgentLink, LinkError>>>(
    wait: Duration,
    events: &Events,
    asking: impl Fn() -> Duration,
    attempt: impl Fn() -> F,
) -> Result<AgentLink, SessionError> {
    let began = Instant::now();
    let asked_before = asking();
    let mut said = None;
    let mut attempts = 0;
    loop {
        let error = match attempt().await {
            Ok(link) => return Ok(link),
            Err(error) => error,
        };
        let waited = began.elapsed().saturating_sub(asking().saturating_sub(asked_before));
        let left = wait.saturating_sub(waited);
        if !may_pass(&error) || left.is_zero() {
            let waited = said.map(|_| waited);
            return Err(SessionError::Link { error: Box::new(error), waited });
        }
        if said != Some(discriminant(&error)) {
            said = Some(discriminant(&error));
            events.send(Event::NotReady { why: in_words(&error.to_string()), left }).await;
        }
        attempts += 1;
        tokio::time::sleep(BACKOFF.wait_after(attempts).min(left)).await;
    }
}

/// Whether a box may think better of it within minutes. A name that does not resolve is more likely to be mistyped.
fn may_pass(error: &LinkError) -> bool {
    match error {
        // Keys that can't be used here won't be in a minute.
        LinkError::Auth { tried, .. } => {
            // Nor will a key that the box takes already, and that the user does not unlock.
            let is_locked = tried.iter().any(|tried| matches!(tried.result, KeyFailure::Locked(_)));
            let may_be_learned =
                |tried: &TriedKey| matches!(tried.result, KeyFailure::Rejected | KeyFailure::HungUp);
            !is_locked && tried.iter().any(may_be_learned)
        }
        LinkError::Jump { source, .. } => may_pass(source),
        _ => error.is_of_the_moment(),
    }
}
