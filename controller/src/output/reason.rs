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
