//! Conversations that ended before their time.

use std::time::Duration;

use hfdown_protocol::FailureKind;

use super::{Exit, Problem, agent, brief, link};
use crate::session::SessionError;
use crate::text::units::duration;

/// What to do where nothing but the link, or the moment, was wrong.
const AGAIN: &str = "run the same command again: what has arrived is kept";
/// What to do about a box that ends the agent.
const MEMORY: &str = "give the box, or its container, more memory (`docker run --memory`), or end what else runs there; fewer \
     `--connections` need less. What has arrived is kept for the next run";

/// A conversation with an agent that failed while `attempted` was under way.
pub fn session(attempted: impl Into<String>, error: &SessionError) -> Problem {
    Problem { brief: brief::session(error), ..in_full(attempted.into(), error) }
}

fn in_full(attempted: String, error: &SessionError) -> Problem {
    match error {
        SessionError::Link { error: cause, .. } => {
            let mut problem = link::link(attempted, cause);
            // With the time that it was tried for.
            if let Some(first) = problem.causes.first_mut() {
                *first = super::in_words(&error.to_string());
            }
            problem
        }
        SessionError::Agent(failure) if failure.kind == FailureKind::Cancelled => cancelled(),
        SessionError::Agent(failure) => agent::agent(attempted, failure),
        SessionError::Unsourced { failure, .. } => {
            Problem::new(agent::exit_of(&[failure.kind], 0), attempted).because(error).hint(
                "nothing has begun: run the same command again in a few minutes, or without --detach, and stay until it is done",
            )
        }
        SessionError::Lost(_) | SessionError::Ended(_) | SessionError::Silent(_) => {
            Problem::new(Exit::Unreachable, attempted).because(error).hint(AGAIN)
        }
        SessionError::Killed { signal, .. } => {
            let problem = Problem::new(Exit::Failed, attempted).because(error);
            problem.hint(if signal.is_kill() { MEMORY } else { AGAIN })
        }
        SessionError::Version { .. } => Problem::new(Exit::Failed, attempted).because(error).hint(
            "a transfer that another version of hfdown has detached is watched and ended by that version; or end its process on \
             the box and run `hfdown rsync-to-vast` again",
        ),
        SessionError::Setup(_) | SessionError::Protocol(_) | SessionError::Unstopped { .. } => {
            Problem::new(Exit::Failed, attempted).because(error)
        }
        SessionError::Cancelled => cancelled(),
    }
}

/// The same, after links that were made anew have come to nothing.
pub fn session_after(attempted: impl Into<String>, error: &SessionError, reconnected: u32) -> Problem {
    let mut problem = session(attempted, error);
    if reconnected > 0 && problem.exit != Exit::Cancelled {
        let times = if reconnected == 1 { "once".to_owned() } else { format!("{reconnected} times") };
        problem = match error {
            SessionError::Killed { .. } => problem.because(format_args!("it was started again {times}")),
            SessionError::Link { error, .. } if error.is_killed_agent() => {
                problem.because(format_args!("it was started again {times}"))
            }
            _ => problem.because(format_args!("the link had broken before; it was tried again {times}")),
        };
        // A box where agents are killed needs something else.
        if error.is_lost_link() && problem.exit == Exit::Unreachable {
            problem.hint = Some(AGAIN.to_owned());
        }
    }
    problem
}

/// What was given up because its time was over (`--timeout`).
pub fn timed_out(destination: &str, after: Duration) -> Problem {
    Problem::new(Exit::Unreachable, format!("gave up on {destination}"))
        .because(format_args!("it was not done after {}", duration(after)))
        .hint(format!("{AGAIN}; a longer --timeout, or none, lets it take its time"))
}

/// What a user wants of a transfer that was detached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachVerb {
    /// To watch it.
    Attach,
    /// To end it.
    Stop,
}

impl AttachVerb {
    /// What to do next where the transfer goes on, or not, whatever becomes of this conversation.
    pub fn advice(self, error: &SessionError) -> Option<&'static str> {
        Some(match error {
            SessionError::Agent(failure) => match failure.kind {
                FailureKind::NotFound => {
                    "name the folder as it was named for `hfdown rsync-to-vast --detach`, which starts one"
                }
                FailureKind::Held => {
                    "`kill -CONT` and its number let it go on; `kill -KILL` ends it, and what has arrived is kept"
                }
                FailureKind::Locked => "the transfer goes on; run the same command again to take over",
                _ => return None,
            },
            SessionError::Cancelled => match self {
                Self::Attach => "what was detached there goes on",
                Self::Stop => "the transfer may go on: run the same command again to be sure",
            },
            SessionError::Lost(_)
            | SessionError::Ended(_)
            | SessionError::Killed { .. }
            | SessionError::Silent(_) => match self {
                Self::Attach => "run the same command again: the box goes on by itself",
                Self::Stop => "run the same command again: the box may go on by itself",
            },
            SessionError::Unstopped { .. } => {
                "it may be waiting for a slow disk: run the same command again in a minute"
            }
            SessionError::Link { .. }
            | SessionError::Setup(_)
            | SessionError::Unsourced { .. }
            | SessionError::Version { .. }
            | SessionError::Protocol(_) => return None,
        })
    }
}

fn cancelled() -> Problem {
    Problem::new(Exit::Cancelled, "cancelled")
        .hint("run the same command again to go on: what has arrived is kept")
}
