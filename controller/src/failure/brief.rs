//! Why something failed, in a few words without names and addresses: boxes that failed for one reason are told by them
//! at once.

use hfdown_protocol::{FailureKind, Scarcity};

use crate::link::{HostKeyError, LinkError, NotForwarded};
use crate::session::SessionError;
use crate::text::sanitize;
use crate::text::units::bytes;

/// The most characters of what a system or a box says.
const LONGEST: usize = 60;

/// A kind of failure: `no space (needs 13 GB, 9.0 GB free)`.
pub fn kind_in_brief(kind: FailureKind) -> String {
    let words = match kind {
        FailureKind::NoSpace { scarcity: Scarcity::Quota, .. } => "quota used up",
        FailureKind::NoSpace { scarcity: Scarcity::Inodes, .. } => "no room for more files",
        FailureKind::NoSpace { needed, free, scarcity: Scarcity::Bytes } if needed > 0 => {
            return format!("no space (needs {}, {} free)", bytes(needed), bytes(free));
        }
        FailureKind::NoSpace { .. } => "no space",
        FailureKind::Unreachable => "the Hub could not be reached",
        FailureKind::RateLimited => "too many requests to the Hub",
        FailureKind::Stale => "signed addresses have gone stale",
        FailureKind::NotAllowed => "not allowed",
        FailureKind::NotFound => "not found",
        FailureKind::Nonsense => "the server made no sense",
        FailureKind::Corrupt => "corrupt",
        FailureKind::PermissionDenied => "permission denied",
        FailureKind::NotOurs => "hfdown's folder there is another user's",
        FailureKind::NotADirectory => "not a folder",
        FailureKind::InTheWay => "something is in the way",
        FailureKind::ChangedMeanwhile => "changed meanwhile",
        FailureKind::Locked => "another controller took over",
        FailureKind::Held => "another run holds the folder",
        FailureKind::Disk => "the disk failed",
        FailureKind::Misconfigured => "its proxy settings make no sense",
        FailureKind::NoCache => "its hub cache is not known",
        FailureKind::Protocol => "the agent broke the protocol",
        FailureKind::Cancelled => "cancelled",
    };
    words.to_owned()
}

/// A conversation that ended before its time.
pub(super) fn session(error: &SessionError) -> Option<String> {
    let words = match error {
        SessionError::Link { error, .. } => return link(error),
        SessionError::Agent(failure) | SessionError::Unsourced { failure, .. } => {
            return Some(kind_in_brief(failure.kind));
        }
        SessionError::Lost(_) => "the link broke",
        SessionError::Silent(_) => "the agent fell silent",
        SessionError::Ended(_) => "the agent ended before its time",
        SessionError::Killed { .. } => "the agent was killed",
        SessionError::Version { .. } => "another version of hfdown runs there",
        SessionError::Protocol(_) => "the agent broke the protocol",
        SessionError::Unstopped { .. } => "told to stop, and goes on",
        SessionError::Cancelled => "cancelled",
        SessionError::Setup(_) => return None,
    };
    Some(words.to_owned())
}

/// A link that did not come up.
pub(super) fn link(error: &LinkError) -> Option<String> {
    let words = match error {
        LinkError::WithoutMatch { source, .. } => return link(source),
        LinkError::Jump { source, .. } => {
            return link(source).map(|words| format!("jump host: {words}"));
        }
        LinkError::Resolve { .. } => "unreachable: no such host",
        LinkError::Refused { .. } => "unreachable: connection refused",
        LinkError::Timeout { .. } => "unreachable: no answer",
        LinkError::Unreachable { source, .. } => {
            return Some(format!("unreachable: {}", sanitize(super::in_words(&source.to_string()), LONGEST)));
        }
        LinkError::NotForwarded { why: NotForwarded::Forbidden, .. } => "its jump host forwards nothing",
        LinkError::NotForwarded { .. } => "unreachable from its jump host",
        LinkError::NotSsh { .. } => "unreachable: no SSH server there",
        LinkError::Handshake { .. } => "unreachable: no SSH handshake",
        LinkError::Busy { .. } => "unreachable: it takes no connections at present",
        LinkError::Lost { .. } => "unreachable: the link broke",
        LinkError::Algorithms { .. } => "no SSH algorithm in common",
        LinkError::HostKey { source, .. } => match source {
            HostKeyError::Changed { .. } => "its host key has changed",
            HostKeyError::Unknown { .. } => "its host key is not known",
            HostKeyError::Revoked { .. } => "its host key is revoked",
            HostKeyError::NotPinned { .. } => "its host key is another one",
            HostKeyError::Certificate(_) => "its host certificate is not taken",
            HostKeyError::File(_) => "a known_hosts file can't be used",
        },
        LinkError::NoUser => "no user to log in as",
        LinkError::NoKeys { .. } | LinkError::SecondFactor { .. } | LinkError::Auth { .. } => "not let in",
        LinkError::NoExec { .. }
        | LinkError::NoShell { .. }
        | LinkError::Shell { .. }
        | LinkError::Noisy { .. } => "its shell runs no commands",
        LinkError::AgentSilent { .. } => "the agent does not start",
        LinkError::OtherMachine { platform, .. } | LinkError::NoImage { platform, .. } => {
            return Some(format!("no agent for {}", sanitize(platform.to_string(), LONGEST)));
        }
        LinkError::NoFolder { .. } => "no folder for the agent",
        LinkError::Install { .. } => "the agent could not be put there",
    };
    Some(words.to_owned())
}
