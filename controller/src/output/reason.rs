//! Why a file is not had: words that every style shares.

use hfdown_protocol::{Failure, FailureKind};

use crate::hub::Refused;
use crate::text::sanitize;
use crate::text::units::bytes;

/// The most characters of a name that is listed and refused.
const REFUSED_NAME: usize = 200;

/// A failure's detail, with the figures that only its kind holds.
pub(super) fn because(failure: &Failure) -> String {
    match failure.kind {
        FailureKind::NoSpace { needed, free, .. } if needed > 0 => {
            format!("{} ({} missing, {} free)", failure.detail, bytes(needed), bytes(free))
        }
        _ => failure.detail.clone(),
    }
}

/// A name that is listed and refused.
pub(super) fn refused_name(refused: &Refused) -> String {
    sanitize(&refused.name, REFUSED_NAME)
}

/// The name of a failure's kind, which is kept when the kind is renamed.
pub(super) fn kind(failure: &Failure) -> &'static str {
    match failure.kind {
        FailureKind::Unreachable => "unreachable",
        FailureKind::RateLimited => "rate_limited",
        FailureKind::Stale => "stale",
        FailureKind::NotAllowed => "not_allowed",
        FailureKind::NotFound => "not_found",
        FailureKind::Nonsense => "nonsense",
        FailureKind::Corrupt => "corrupt",
        FailureKind::NoSpace { .. } => "no_space",
        FailureKind::PermissionDenied => "permission_denied",
        FailureKind::NotOurs => "not_ours",
        FailureKind::NotADirectory => "not_a_directory",
        FailureKind::InTheWay => "in_the_way",
        FailureKind::ChangedMeanwhile => "changed_meanwhile",
        FailureKind::Locked => "locked",
        FailureKind::Held => "held",
        FailureKind::Disk => "disk",
        FailureKind::Misconfigured => "misconfigured",
        FailureKind::NoCache => "no_cache",
        FailureKind::Protocol => "protocol",
        FailureKind::Cancelled => "cancelled",
    }
}
