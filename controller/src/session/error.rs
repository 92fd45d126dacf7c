//! Why a conversation with an agent ended before its time.

use std::time::Duration;

use hfdown_agent::http::SetupError;
use hfdown_protocol::{CodecError, Failure};

use crate::link::{ExitSignal, LinkError, SignalCause};

/// What can end a conversation.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There is no link to the box.
    #[error("{error}{}", within(*.waited))]
    Link {
        /// Why not.
        error: Box<LinkError>,
        /// For how long it was tried again and again.
        waited: Option<Duration>,
    },
    /// The network can't be used here.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The agent can't go on.
    #[error("{0}")]
    Agent(Failure),
    /// The link broke.
    #[error("the link to the agent broke{}", words(.0))]
    Lost(String),
    /// The agent ended while the link was up.
    #[error("the agent ended before its time{}", words(.0))]
    Ended(String),
    /// A signal ended the agent while the link was up.
    #[error("the agent on {address} {}{}", .signal.in_words(""), words(.last_words))]
    Killed {
        /// The box's `host:port`.
        address: String,
        /// Which signal.
        signal: ExitSignal,
        /// The last that the agent wrote to standard error, sanitised.
        last_words: String,
    },
    /// Nothing was heard for too long.
    #[error("the agent was silent for {0} s")]
    Silent(u64),
    /// Both halves must be of one build.
    #[error("the agent is version {theirs}, this is {ours}")]
    Version {
        /// What the agent says, sanitised.
        theirs: String,
        /// This program.
        ours: &'static str,
    },
    /// The agent broke the protocol.
    #[error("the agent broke the protocol: {0}")]
    Protocol(String),
    /// The Hub does not say at present where a file is, and no controller would be there to ask it again.
    #[error("the box can't be left alone: the Hub does not say where {path} is: {failure}")]
    Unsourced {
        /// The file.
        path: String,
        /// What the Hub said.
        failure: Failure,
    },
    /// It goes on though it was told to stop.
    #[error("it was told to stop, and has not within {after} s")]
    Unstopped {
        /// How long it was waited for, in seconds.
        after: u64,
    },
    /// It was told to stop.
    #[error("cancelled")]
    Cancelled,
}

impl SessionError {
    /// The agent has done this, which it must not.
    pub(super) fn protocol(what: &str) -> Self {
        Self::Protocol(what.to_owned())
    }

    /// Whether another link, and the agent that it leads to, may do better. What the box or its agent has decided is not
    /// asked twice.
    pub fn is_lost_link(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Silent(_) => true,
            Self::Link { error, .. } => {
                error.is_of_the_moment()
                    || matches!(**error, LinkError::Resolve { .. })
                    || error.is_killed_agent()
            }
            // What is on disk is kept, so a new agent goes on where this one was.
            Self::Killed { signal, .. } => signal.cause() == SignalCause::Outside,
            Self::Setup(_)
            | Self::Agent(_)
            | Self::Ended(_)
            | Self::Version { .. }
            | Self::Protocol(_)
            | Self::Unsourced { .. }
            | Self::Unstopped { .. }
            | Self::Cancelled => false,
        }
    }
}

impl From<CodecError> for SessionError {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::Link(error) if error.kind() != std::io::ErrorKind::InvalidData => {
                Self::Lost(error.to_string())
            }
            error => Self::Protocol(error.to_string()),
        }
    }
}

fn words(last: &str) -> String {
    if last.is_empty() { String::new() } else { format!(": {last}") }
}

fn within(waited: Option<Duration>) -> String {
    waited.map(|waited| format!(" (after {} s)", waited.as_secs())).unwrap_or_default()
}
