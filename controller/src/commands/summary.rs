//! How a run ends: from its tally to the exit code, and nowhere else.

use hfdown_protocol::{Conclusion, End, TransferStatus};

use crate::failure::{self, Exit};
use crate::plan::Intent;
use crate::tally::Tally;

/// The exit code of a run.
pub(super) fn exit(tally: &Tally) -> Exit {
    match (tally.end, tally.intent) {
        (End::Cancelled, _) => Exit::Cancelled,
        (End::Complete, Intent::Execute | Intent::Verify) => exit_of_complete(tally),
        // As it would be.
        (End::Complete, Intent::DryRun) => exit_of_complete(&tally.as_planned()),
    }
}

/// The exit code of a transfer that ended while no client was connected: the one that a run would have had that stayed.
pub(super) fn exit_of_conclusion(status: &TransferStatus, conclusion: &Conclusion) -> Exit {
    match conclusion {
        Conclusion::Finished => exit_of_complete(&Tally::of_status(status)),
        Conclusion::Vanished => Exit::Failed,
        Conclusion::Stopped => Exit::Cancelled,
        // There is no such transfer any more.
        Conclusion::Superseded => Exit::NotFound,
        Conclusion::Failed { failure } => failure::exit_of(&[failure.kind], 0),
    }
}

fn exit_of_complete(tally: &Tally) -> Exit {
    failure::exit_of(&tally.failures().collect::<Vec<_>>(), tally.in_place())
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::{Failure, FailureKind, Skipped, Summary};

    use super::*;

    fn status(placed: u32, failures: &[FailureKind], skipped: Skipped) -> TransferStatus {
        let failed = u32::try_from(failures.len()).unwrap();
        TransferStatus {
            title: String::new(),
            root: String::new(),
            age: 0,
            files: placed + failed,
            bytes: 0,
            done: 0,
            summary: Summary { placed, failed, ..Summary::default() },
            skipped,
            failures: failures.to_vec(),
        }
    }

    #[test]
    fn a_tally_has_one_exit_code() {
        use FailureKind::{Corrupt, InTheWay, NotAllowed, NotFound, RateLimited, Unreachable};
        let lost = |placed, kept, kinds: &[FailureKind]| {
            let mut tally = Tally { to_fetch: placed, placed, kept, ..Tally::default() };
            for kind in kinds {
                tally.lose(*kind);
            }
            tally
        };
        let cancelled = |tally| Tally { end: End::Cancelled, ..tally };
        let dry = |tally: Tally| Tally { placed: 0, intent: Intent::DryRun, ..tally };
        for (tally, expected) in [
            (lost(0, 0, &[]), Exit::Done),
            (lost(3, 4, &[]), Exit::Done),
            (lost(1, 0, &[NotFound]), Exit::Partial),
            (lost(0, 1, &[NotFound]), Exit::Partial),
            (lost(0, 0, &[NotFound]), Exit::NotFound),
            (lost(0, 0, &[NotFound, NotFound]), Exit::NotFound),
            (lost(0, 0, &[NotFound, NotAllowed]), Exit::Partial),
            (lost(0, 0, &[Unreachable, RateLimited]), Exit::Unreachable),
            (lost(0, 0, &[NotAllowed]), Exit::NotAllowed),
            (lost(0, 0, &[InTheWay]), Exit::Failed),
            (lost(9, 9, &[NotFound, Corrupt]), Exit::Corrupt),
            (cancelled(lost(9, 9, &[])), Exit::Cancelled),
            (cancelled(lost(9, 9, &[Corrupt])), Exit::Cancelled),
            (dry(lost(3, 0, &[])), Exit::Done),
            // A run that is left to its box is judged by what it is to do, whatever was heard of it until then.
            (lost(3, 0, &[NotFound]).as_planned(), Exit::Done),
        ] {
            assert_eq!(exit(&tally), expected, "{tally:?}");
        }
    }

    #[test]
    fn losses_count_until_they_are_tried_again_and_refusals_always() {
        let refused = status(0, &[], Skipped { refused: 1, ..Skipped::default() });
        let mut tally =
            Tally::of_status(&TransferStatus { failures: vec![FailureKind::InTheWay], ..refused });
        tally.lose(FailureKind::Unreachable);
        tally.lose(FailureKind::Unreachable);
        assert_eq!((tally.failed(), exit(&tally)), (3, Exit::Partial));
        tally.retry_lost();
        assert_eq!((tally.failed(), exit(&tally)), (1, Exit::Failed));
        assert_eq!(exit(&Tally { intent: Intent::DryRun, ..tally.clone() }), Exit::Failed);
        tally.placed += 1;
        assert_eq!(exit(&tally), Exit::Partial);
    }

    #[test]
    fn a_transfer_that_has_ended_has_the_exit_code_of_a_run_that_stayed() {
        let kept = Skipped { kept: 2, ..Skipped::default() };
        let failed = |kind| Conclusion::Failed { failure: Failure::new(kind, "why") };
        for (status, conclusion, expected) in [
            (status(3, &[], Skipped::default()), Conclusion::Finished, Exit::Done),
            (status(3, &[FailureKind::NotFound], Skipped::default()), Conclusion::Finished, Exit::Partial),
            (status(0, &[FailureKind::NotFound], Skipped::default()), Conclusion::Finished, Exit::NotFound),
            (status(0, &[FailureKind::NotFound], kept), Conclusion::Finished, Exit::Partial),
            (status(3, &[], kept), Conclusion::Stopped, Exit::Cancelled),
            (status(3, &[], kept), Conclusion::Vanished, Exit::Failed),
            (status(3, &[], kept), Conclusion::Superseded, Exit::NotFound),
            (status(3, &[], kept), failed(FailureKind::Stale), Exit::Unreachable),
            (status(3, &[], kept), failed(FailureKind::Disk), Exit::Failed),
        ] {
            assert_eq!(exit_of_conclusion(&status, &conclusion), expected, "{conclusion:?}");
        }
    }
}
