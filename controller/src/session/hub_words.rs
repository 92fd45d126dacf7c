//! What the Hub says, in the protocol's words.

use hfdown_protocol::FailureKind;

use crate::hub::HubError;

/// The class of what the Hub said, in the protocol's words.
pub(crate) fn kind(error: &HubError) -> FailureKind {
    match error {
        HubError::RepoNotFound(_) | HubError::RevisionNotFound(_) | HubError::EntryNotFound(_) => {
            FailureKind::NotFound
        }
        HubError::Gated(_) | HubError::BadToken(_) | HubError::NotAllowed(_) | HubError::Disabled(_) => {
            FailureKind::NotAllowed
        }
        HubError::RateLimited(_) => FailureKind::RateLimited,
        HubError::Server(_)
        | HubError::Unreachable(_)
        | HubError::Proxy(_)
        | HubError::Intercepted(_)
        | HubError::Offline { .. } => FailureKind::Unreachable,
        HubError::Nonsense { .. } => FailureKind::Nonsense,
        HubError::Corrupt { .. } => FailureKind::Corrupt,
    }
}

/// The error and its causes in one line.
pub(super) fn words(error: &HubError) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
