//! What has become of targets, and the exit code that follows from it.

use std::sync::Arc;
use std::time::Duration;

use hfdown_protocol::{Conclusion, TransferStatus};

use super::status::BoxStatus;
use crate::problem::{Exit, Problem};
use crate::tally::Tally;

/// What has become of one target.
#[derive(Debug, Clone)]
pub struct BoxOutcome {
    /// The exit code of a command for it alone.
    pub exit: Exit,
    /// How its part of the command ended.
    pub ending: BoxEnding,
    /// How long that took, from when its turn had come.
    pub elapsed: Duration,
}

/// How the part of a command ended that was for one target.
#[derive(Debug, Clone)]
pub enum BoxEnding {
    /// The run is over: a transfer, a dry run, or a verification.
    Finished(Tally),
    /// A transfer goes on without this machine.
    Detached {
        /// Files to fetch.
        files: usize,
        /// Bytes of them that were missing.
        bytes: u64,
    },
    /// A transfer that was detached has ended before this machine asked for it.
    Ended {
        /// What it came to.
        status: Box<TransferStatus>,
        /// How.
        conclusion: Conclusion,
    },
    /// The user has seen enough of a transfer that was detached; it goes on.
    Disconnected,
    /// What is there of what should be (`status`).
    Status(Box<BoxStatus>),
    /// It failed.
    Failed(Problem),
    /// It was given up after this time (`--timeout`).
    TimedOut(Duration),
    /// It was stopped: another one had failed (`--fail-fast`), or the user wanted it.
    Stopped,
    /// Its turn did not come before the command was stopped.
    NotBegun,
}

/// What has become of all of them.
#[derive(Debug, Clone)]
pub struct FleetOutcome {
    /// By name, in the order of the command.
    pub boxes: Vec<(Arc<str>, BoxOutcome)>,
    /// How the command ends.
    pub exit: Exit,
    /// How long it took.
    pub elapsed: Duration,
}

impl BoxEnding {
    /// Why it failed, where the exit code has no name for it; without figures, which differ from box to box.
    fn unnamed_reason(&self) -> Option<String> {
        let Self::Failed(problem) = self else { return None };
        let brief = (problem.exit == Exit::Failed).then(|| problem.brief())?;
        brief.split(" (").next().map(str::to_owned)
    }
}

impl FleetOutcome {
    /// How a command ends: well, where every target did; with the one reason, where all failed for it; as incomplete
    /// otherwise. What the user has stopped was cancelled.
    pub fn exit_of(boxes: &[(Arc<str>, BoxOutcome)], is_cancelled: bool) -> Exit {
        let mut reasons = boxes.iter().map(|(_, outcome)| (outcome.exit, outcome.ending.unnamed_reason()));
        let Some(first) = reasons.next() else { return Exit::Done };
        let is_one = reasons.all(|reason| reason == first);
        let (first, _) = first;
        match (is_one, is_cancelled) {
            (true, _) if first == Exit::Done => Exit::Done,
            (_, true) => Exit::Cancelled,
            (true, false) => first,
            (false, false) => Exit::Partial,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_has_one_exit_code() {
        use Exit::{Cancelled, Corrupt, Done, Failed, Partial, Unreachable};
        let of = |exits: &[Exit], is_cancelled| {
            let boxes: Vec<_> = exits
                .iter()
                .map(|exit| {
                    let outcome =
                        BoxOutcome { exit: *exit, ending: BoxEnding::NotBegun, elapsed: Duration::ZERO };
                    (Arc::from("box"), outcome)
                })
                .collect();
            FleetOutcome::exit_of(&boxes, is_cancelled)
        };
        for (exits, is_cancelled, expected) in [
            (&[Done, Done, Done][..], false, Done),
            (&[Done, Done, Done], true, Done),
            (&[Done, Unreachable], false, Partial),
            (&[Unreachable, Unreachable], false, Unreachable),
            (&[Unreachable, Failed], false, Partial),
            (&[Corrupt], false, Corrupt),
            (&[Partial, Partial], false, Partial),
            (&[Done, Cancelled], true, Cancelled),
            (&[Unreachable, Unreachable], true, Cancelled),
            (&[Unreachable, Cancelled], false, Partial),
        ] {
            assert_eq!(of(exits, is_cancelled), expected, "{exits:?} {is_cancelled}");
        }
        let failed = |causes: &[&str]| {
            let boxes: Vec<_> = causes
                .iter()
                .map(|cause| {
                    let problem = Problem::new(Failed, "cannot go on").because(cause);
                    let ending = BoxEnding::Failed(problem);
                    (Arc::from("box"), BoxOutcome { exit: Failed, ending, elapsed: Duration::ZERO })
                })
                .collect();
            FleetOutcome::exit_of(&boxes, false)
        };
        assert_eq!(failed(&["it lies", "it lies"]), Failed);
        assert_eq!(failed(&["it lies", "it has another CPU"]), Partial, "two reasons of one code");
    }
}
