//! What happened, as the objects of `--json`.

use std::time::Duration;

use hfdown_protocol::{Commit, Conclusion, End, Failure, RepoPath, Summary, TransferStatus};

use super::detached::lost;
use super::object::{FileInFlight, Object, RefusedName, StatusFields};
use super::plan_object;
use super::reason::{because, kind, refused_name};
use super::summary::PlanTotals;
use super::{disk_warning, verification};
use crate::event::{Agent, Event, InFlight, Progress, RecordCompleteness};
use crate::fleet::BoxStatus;
use crate::hub::Refused;
use crate::plan::Intent;
use crate::problem::Problem;
use crate::selection::Portion;
use crate::tally::Tally;
use crate::text::Seconds;
use crate::text::units::mean_rate;
use crate::verification::VerificationTotals;

/// The object of an event. [`Event::Described`] and [`Event::Cache`] have several, which are in `description_objects.rs` and
/// in `cache/`.
pub(super) fn object(event: &Event, expected: PlanTotals) -> Option<Object<'_>> {
    Some(match event {
        Event::Described { .. } | Event::Cache(_) | Event::Fleet(_) | Event::Tallied(_) => return None,
        Event::Warning { text } => Object::Warning { text: text.into(), kind: None },
        Event::DiskWarning { root, warning } => Object::Warning {
            text: disk_warning::text(root, warning).into(),
            kind: Some(disk_warning::kind(warning)),
        },
        Event::Hint { text, beside: _ } => Object::Hint { text },
        Event::Delayed { why, attempt, wait } => {
            Object::Delayed { why, attempt: *attempt, wait_seconds: Seconds(*wait) }
        }
        Event::Listing { files } => Object::Listing { files: *files },
        Event::Listed { repo, commit, portion: Portion { files, bytes, of_files, of_bytes } } => {
            Object::Listed {
                repo,
                commit: commit.as_str(),
                files: *files,
                bytes: *bytes,
                of_files: *of_files,
                of_bytes: *of_bytes,
            }
        }
        Event::Recalled { repo, commit, completeness, files, bytes } => Object::Recalled {
            repo,
            commit: commit.as_ref().map(Commit::as_str),
            is_whole: *completeness == RecordCompleteness::Whole,
            files: *files,
            bytes: *bytes,
        },
        Event::NotReady { why, left } => Object::NotReady { why, left_seconds: Seconds(*left) },
        Event::Reconnecting { why, attempt, of, wait } => {
            Object::Reconnecting { why, attempt: *attempt, of: *of, wait_seconds: Seconds(*wait) }
        }
        Event::Waiting { holder, path, waited } => Object::Waiting {
            holder,
            path: path.as_ref().map(RepoPath::as_str),
            waited_seconds: Seconds(*waited),
        },
        Event::Opened { root, free, machine, agent, after, .. } => {
            let (agent, uploaded) = match agent {
                Agent::InProcess => ("in_process", 0),
                Agent::Cached => ("cached", 0),
                Agent::Uploaded { bytes, .. } => ("uploaded", *bytes),
            };
            let (os, arch, cpus) = (machine.os.as_str(), machine.arch.as_str(), machine.cpus);
            Object::Opened {
                root,
                free: *free,
                os,
                arch,
                cpus,
                agent,
                uploaded,
                ready_seconds: Seconds(*after),
            }
        }
        Event::Surveying { read, of } => Object::Surveying { done: *read, total: *of },
        Event::Checked(file) => Object::Checked {
            path: &file.path,
            state: verification::state(&file.verdict),
            size: file.size,
            kind: verification::kind(&file.verdict),
            why: verification::why(file),
        },
        Event::Verification { totals, took } => verified(totals, *took),
        Event::Planned { plan, intent } => plan_object::planned(plan, *intent, expected),
        Event::Started { path, size, resumed } => {
            Object::Started { path: path.as_str(), size: *size, resumed: *resumed }
        }
        Event::Progress(sample) => progress(sample),
        Event::Retrying { path, attempt, failure, wait } => Object::Retrying {
            path: path.as_str(),
            attempt: *attempt,
            kind: kind(failure),
            why: because(failure),
            wait_seconds: Seconds(*wait),
        },
        Event::FellBack { path, failure } => fell_back(path.as_ref(), failure),
        Event::Verified { path, .. } => Object::Verified { path: path.as_str() },
        Event::Placed { path, size, fetched } => {
            Object::Placed { path: path.as_str(), size: *size, fetched: *fetched }
        }
        Event::Failed { path, failure } => {
            Object::Failed { path, kind: kind(failure), why: because(failure) }
        }
        Event::Removed { path } => Object::Removed { path: path.as_str() },
        Event::NotRemoved { path, failure } => {
            Object::NotRemoved { path: path.as_str(), kind: kind(failure), why: because(failure) }
        }
        Event::Detached { files, bytes, attach, stop } => {
            Object::Detached { files: *files, bytes: *bytes, attach, stop }
        }
        Event::Joined { status } => Object::Joined { status: status_fields(status) },
        Event::Ended { status, conclusion, ago } => ended(status, conclusion, *ago),
        Event::Status(status) => standing(status),
        Event::Forgotten { host, file } => Object::Forgotten { host, file },
        Event::Disconnected => Object::Disconnected {},
        Event::Cancelling => Object::Cancelling {},
        Event::Finished(outcome) => finished(outcome, expected),
    })
}

fn fell_back<'a>(path: Option<&'a RepoPath>, failure: &Failure) -> Object<'a> {
    Object::FellBack { path: path.map(RepoPath::as_str), kind: kind(failure), why: because(failure) }
}

fn standing(status: &BoxStatus) -> Object<'_> {
    let BoxStatus { state, files, of_files, bytes, of_bytes, by_size, commit } = status;
    Object::Status {
        state: state.word(),
        files: *files,
        of_files: *of_files,
        bytes: *bytes,
        of_bytes: *of_bytes,
        by_size: *by_size,
        commit: commit.as_ref().map(Commit::as_str),
    }
}

fn verified(totals: &VerificationTotals, took: Duration) -> Object<'static> {
    let VerificationTotals { right, wrong, missing, extra } = *totals;
    Object::Verification {
        ok: right.files,
        ok_bytes: right.bytes,
        wrong: wrong.files,
        wrong_bytes: wrong.bytes,
        missing: missing.files,
        missing_bytes: missing.bytes,
        extra: extra.files,
        extra_bytes: extra.bytes,
        elapsed_seconds: Seconds(took),
    }
}

fn status_fields(status: &TransferStatus) -> StatusFields<'_> {
    let TransferStatus { title, root, age, files, bytes, done, summary, skipped, failures: _ } = status;
    let Summary { placed, failed: _, removed, fetched, written, end: _ } = *summary;
    StatusFields {
        title,
        root,
        age_seconds: *age,
        files: *files,
        bytes: *bytes,
        done: *done,
        placed,
        failed: lost(status),
        kept: skipped.kept,
        kept_bytes: skipped.kept_bytes,
        by_size: skipped.by_size,
        removed,
        fetched,
        written,
    }
}

fn ended<'a>(status: &'a TransferStatus, conclusion: &Conclusion, ago: Duration) -> Object<'a> {
    let (conclusion, failure) = match conclusion {
        Conclusion::Finished if lost(status) > 0 => ("incomplete", None),
        Conclusion::Finished => ("done", None),
        Conclusion::Stopped => ("stopped", None),
        Conclusion::Vanished => ("vanished", None),
        Conclusion::Superseded => ("superseded", None),
        Conclusion::Failed { failure } => ("failed", Some(failure)),
    };
    Object::Ended {
        conclusion,
        kind: failure.map(kind),
        why: failure.map(because),
        ago_seconds: Seconds(ago),
        status: status_fields(status),
    }
}

fn progress<'a>(sample: &'a Progress) -> Object<'a> {
    let flight = |file: &'a InFlight| FileInFlight {
        path: file.path.as_str(),
        done: file.done,
        size: file.size,
        rate: file.rate,
    };
    Object::Progress {
        done: sample.done,
        total: sample.total,
        rate: sample.rate,
        left_seconds: sample.left.map(Seconds),
        in_flight: sample.in_flight.iter().map(flight).collect(),
    }
}

fn finished(outcome: &Tally, expected: PlanTotals) -> Object<'_> {
    Object::Finished {
        end: match (outcome.end, outcome.failed()) {
            (End::Cancelled, _) => "cancelled",
            (End::Complete, 0) => "done",
            (End::Complete, _) => "incomplete",
        },
        dry_run: outcome.intent == Intent::DryRun,
        placed: outcome.placed,
        failed: outcome.failed(),
        kept: outcome.kept,
        kept_bytes: outcome.kept_bytes,
        by_size: expected.by_size(),
        removed: outcome.removed,
        fetched: outcome.fetched,
        written: outcome.written,
        elapsed_seconds: Seconds(outcome.elapsed),
        transfer_seconds: Seconds(outcome.transfer),
        rate: mean_rate(outcome.fetched, outcome.transfer),
        snapshot: outcome.snapshot.as_deref(),
    }
}

/// The error that ends the run.
pub(super) fn error(problem: &Problem) -> Object<'_> {
    Object::Error {
        message: problem.attempted.clone(),
        causes: problem.causes.clone(),
        hint: problem.hint.as_deref(),
        exit_code: problem.exit.code(),
    }
}

/// A name that no file can be made of.
pub(super) fn refusal(refused: &Refused) -> RefusedName {
    RefusedName { path: refused_name(refused), why: refused.reason.to_string() }
}
