//! Conversations that ended before their time.

use hfdown_protocol::FailureKind;

use super::{Exit, Problem, agent, link};
use crate::session::SessionError;

/// A conversation with an agent that failed while `attempted` was under way.
pub fn session(attempted: impl Into<String>, error: &SessionError) -> Problem {
    let attempted = attempted.into();
    match error {
        SessionError::Link(error) => link::link(attempted, error),
        SessionError::Agent(failure) if failure.kind == FailureKind::Cancelled => cancelled(),
        SessionError::Agent(failure) => agent::agent(attempted, failure),
        SessionError::Lost(_) | SessionError::Silent(_) => Problem::new(Exit::Unreachable, attempted)
            .because(error)
            .hint("run the same command again: what has arrived is kept"),
        SessionError::Setup(_) | SessionError::Version { .. } | SessionError::Protocol(_) => {
            Problem::new(Exit::Failed, attempted).because(error)
        }
        SessionError::Cancelled => cancelled(),
    }
}

fn cancelled() -> Problem {
    Problem::new(Exit::Cancelled, "cancelled")
        .hint("run the same command again to go on: what has arrived is kept")
}
