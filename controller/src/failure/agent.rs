//! What an agent could not do.

use hfdown_protocol::{Failure, FailureKind, Scarcity};

use super::{Exit, Problem};
use crate::text::units::bytes;

/// What to do about a proxy that can't be understood.
pub(super) const PROXY: &str = "let it be like http://HOST:PORT or socks5h://HOST:PORT, or unset it; NO_PROXY lists hosts that are asked without a proxy";

/// An agent that can't go on.
pub(super) fn agent(attempted: String, failure: &Failure) -> Problem {
    let problem = Problem::new(exit(failure.kind), attempted).because(failure);
    let problem = match failure.kind {
        FailureKind::NoSpace { needed, free, scarcity: Scarcity::Bytes } if needed > 0 => {
            problem.because(format_args!("{} are needed, {} are free", bytes(needed), bytes(free)))
        }
        // Where it is a quota or inodes that are used up, the bytes that are free say nothing; and a disk may not say.
        FailureKind::NoSpace { free, scarcity: Scarcity::Bytes, .. } if free < u64::MAX => {
            problem.because(format_args!("{} are free", bytes(free)))
        }
        _ => problem,
    };
    match advice(failure.kind) {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// The exit code of files that could not be had, while `others` are in place.
pub fn exit_of(failures: &[FailureKind], others: u32) -> Exit {
    let Some(first) = failures.first() else { return Exit::Done };
    if failures.contains(&FailureKind::Corrupt) {
        return Exit::Corrupt;
    }
    let is_same = |kind: &FailureKind| exit(*kind) == exit(*first);
    if others == 0 && failures.iter().all(is_same) { exit(*first) } else { Exit::Partial }
}

fn exit(kind: FailureKind) -> Exit {
    match kind {
        FailureKind::Unreachable | FailureKind::RateLimited | FailureKind::Stale | FailureKind::Held => {
            Exit::Unreachable
        }
        FailureKind::NotAllowed => Exit::NotAllowed,
        FailureKind::NotFound => Exit::NotFound,
        FailureKind::Misconfigured => Exit::Usage,
        FailureKind::Corrupt => Exit::Corrupt,
        FailureKind::Cancelled => Exit::Cancelled,
        FailureKind::Nonsense
        | FailureKind::NoSpace { .. }
        | FailureKind::PermissionDenied
        | FailureKind::NotOurs
        | FailureKind::NotADirectory
        | FailureKind::NoCache
        | FailureKind::InTheWay
        | FailureKind::ChangedMeanwhile
        | FailureKind::Locked
        | FailureKind::Disk
        | FailureKind::Protocol => Exit::Failed,
    }
}

fn advice(kind: FailureKind) -> Option<&'static str> {
    Some(match kind {
        FailureKind::NoSpace { scarcity: Scarcity::Quota, .. } => {
            "remove what is not needed there (`quota -s` tells what counts), have the quota raised, or choose another folder; then \
             run the same command again: what has arrived is kept"
        }
        FailureKind::NoSpace { scarcity: Scarcity::Inodes, .. } => {
            "remove files that are not needed there, however small (`df -i` tells how many there may be), or choose another folder; \
             then run the same command again: what has arrived is kept"
        }
        FailureKind::NoSpace { scarcity: Scarcity::Bytes, .. } => {
            "make room, or choose another folder, and run the same command again: what has arrived is kept"
        }
        FailureKind::PermissionDenied => "choose a folder that you may write to",
        FailureKind::NotADirectory => "choose a folder, or another name",
        FailureKind::InTheWay => "move what is in the way, or choose another folder",
        FailureKind::Held => {
            "run the same command again when it has ended, or give it more time with --lock-timeout; one that does not end \
             is ended by `kill -KILL` and its number"
        }
        FailureKind::Unreachable => {
            "run the same command again: what has arrived is kept; where this link is as slow as that, add `--speed-limit 0`"
        }
        FailureKind::Misconfigured => PROXY,
        FailureKind::NoCache => "name the cache with `--cache-dir`",
        FailureKind::Disk => "check the disk, then run the same command again: what has arrived is kept",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kind_of_failure_has_its_own_code_only_when_nothing_went_right() {
        use FailureKind::{Corrupt, NotAllowed, NotFound, Unreachable};
        for (failures, others, expected) in [
            (vec![], 0, Exit::Done),
            (vec![NotAllowed], 0, Exit::NotAllowed),
            (vec![NotAllowed, NotAllowed], 1, Exit::Partial),
            (vec![NotAllowed, NotFound], 0, Exit::Partial),
            (vec![Unreachable, Corrupt], 9, Exit::Corrupt),
        ] {
            assert_eq!(exit_of(&failures, others), expected, "{failures:?}");
        }
    }
}
