//! Back to a transfer that was detached: what is left of it, or what it came to.

use std::sync::Arc;

use hfdown_protocol::{
    Conclusion, FileRow, Mode, Order, Remaining, Report, TooManyFiles, TransferStatus, VERSION, Wanted,
    limits,
};
use tokio_util::sync::CancellationToken;

use super::carryover::Carryover;
use super::connect::{ConnectAttempt, Machine, find, same_version};
use super::error::SessionError;
use super::execute::{Listened, Until};
use super::monitor::TransferMonitor;
use super::session::{Heard, Session, cleaned, unexpected};
use super::sources::Sources;
use crate::display::Events;
use crate::event::Event;
use crate::plan::{Action, Plan, Reason};
use crate::tally::Tally;
use crate::text::sanitize;

/// No transfer is older than this, in seconds, whatever an agent says.
const LONGEST_TIME: u64 = u32::MAX as u64;

/// The most that may be said of what a disk can't do. There are fewer kinds.
const MOST_WARNINGS: usize = 16;

/// What was found where a transfer was detached. Texts in it are sanitised.
#[expect(clippy::large_enum_variant, reason = "there is one per run")]
pub enum Joined {
    /// It still runs.
    Underway {
        /// The conversation with it.
        session: Session,
        /// What it has come to.
        status: TransferStatus,
        /// What is left of it, as the agent says.
        plan: Plan,
    },
    /// It has ended.
    Ended {
        /// What it came to.
        status: TransferStatus,
        /// How it ended.
        conclusion: Conclusion,
        /// Seconds since then.
        ago: u64,
        /// What its disk could not do, as events.
        warnings: Vec<Event>,
    },
}

/// Joins the transfer to a folder.
pub async fn join(
    machine: &Machine,
    root: &str,
    attempt: ConnectAttempt,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Joined, SessionError> {
    // The session hears of no wish to stop: a client that goes leaves the transfer alone.
    let never = CancellationToken::new();
    let listing = Arc::default();
    let (session, _) = tokio::select! {
        found = find(machine, &listing, attempt, events, &never) => found?,
        () = cancel.cancelled() => return Err(SessionError::Cancelled),
    };
    let mode = Mode::Joining { root: root.to_owned() };
    session.say(Order::Hello { version: VERSION.to_owned(), mode }).await?;
    tokio::select! {
        joined = hear(session) => joined,
        () = cancel.cancelled() => Err(SessionError::Cancelled),
    }
}

async fn hear(mut session: Session) -> Result<Joined, SessionError> {
    let mut has_greeted = false;
    let mut warnings = Vec::new();
    loop {
        match session.hear().await? {
            Heard::Cancelled => return Err(SessionError::Cancelled),
            Heard::Report(Report::Hello { version, .. }) if !has_greeted => {
                same_version(&version)?;
                has_greeted = true;
            }
            Heard::Report(Report::Joined { status }) => {
                let status = checked(*status)?;
                let plan = remaining(&mut session, &status).await?;
                session.root.clone_from(&status.root);
                return Ok(Joined::Underway { session, status, plan });
            }
            Heard::Report(Report::Warning { warning }) if warnings.len() < MOST_WARNINGS => {
                warnings.push(warning);
            }
            Heard::Report(Report::Ended { status, conclusion, ago }) => {
                session.close().await;
                check(&status)?;
                let (status, ago) = (shown(*status), ago.min(LONGEST_TIME));
                let mut told = Carryover::default();
                let warnings =
                    warnings.into_iter().filter_map(|warning| told.warning(&status.root, warning)).collect();
                let conclusion = conclusion_shown(conclusion);
                return Ok(Joined::Ended { status, conclusion, ago, warnings });
            }
            Heard::Report(report) => return Err(unexpected(&report)),
        }
    }
}

/// Why a client joins.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// To watch, and to give addresses to an agent that needs any.
    Watch(Option<&'a Sources>),
    /// To end the transfer.
    Stop,
}

impl Session {
    /// Listens to a transfer that was joined, until it ends or the user has seen enough. What it has come to, if it has
    /// ended.
    pub async fn attend(
        &mut self,
        purpose: Purpose<'_>,
        status: &TransferStatus,
        plan: &Plan,
        events: &Events,
        leave: &CancellationToken,
    ) -> Result<Option<Tally>, SessionError> {
        let mut run = Carryover::of_status(status);
        let monitor = TransferMonitor::joined(plan, &mut run);
        let (sources, until) = match purpose {
            Purpose::Watch(sources) => (sources, Until::Left(leave)),
            Purpose::Stop => {
                self.say(Order::Cancel).await?;
                (None, Until::Stopped(leave))
            }
        };
        let listened = self.listen(monitor, sources, events, until).await?;
        Ok((listened == Listened::Finished).then_some(run.tally))
    }
}

/// A status that is possible, with texts that may be shown.
pub(super) fn checked(status: TransferStatus) -> Result<TransferStatus, SessionError> {
    let status = shown(status);
    check(&status)?;
    Ok(status)
}

/// What an agent says of itself must be possible.
fn check(status: &TransferStatus) -> Result<(), SessionError> {
    let TransferStatus { files, bytes, done, summary, skipped, failures, .. } = status;
    let settled = summary.placed.checked_add(summary.failed);
    let has_failed = summary.failed > 0 || skipped.refused > 0;
    if settled.is_some_and(|settled| settled <= *files) && done <= bytes && has_failed != failures.is_empty()
    {
        return Ok(());
    }
    Err(SessionError::protocol("what it says of the transfer makes no sense"))
}

/// The files that are not in place, as a plan.
async fn remaining(session: &mut Session, status: &TransferStatus) -> Result<Plan, SessionError> {
    let expected = status.files.saturating_sub(status.summary.placed) as usize;
    if expected > limits::FILES {
        return Err(SessionError::protocol("it has more files left than there can be"));
    }
    let mut plan = Plan::default();
    let mut last = None;
    loop {
        match session.hear().await? {
            Heard::Report(Report::Remaining { files }) => {
                if files.is_empty() && expected > 0 {
                    return Err(endless());
                }
                for Remaining { wanted, done } in files {
                    // In their order: each file once.
                    if last.is_some_and(|last| last >= wanted.id) || done > wanted.size {
                        return Err(SessionError::protocol(
                            "what it says of the files that are left makes no sense",
                        ));
                    }
                    last = Some(wanted.id);
                    let Wanted { id, path, size, digest } = wanted;
                    let action = Action::Fetch { reason: Reason::Missing, replaces: None, partial: done };
                    let row = FileRow { path: path.view(), size, digest };
                    plan.add(id, row, action).map_err(|TooManyFiles| endless())?;
                }
                match plan.len() {
                    files if files == expected => return Ok(plan),
                    files if files > expected => {
                        return Err(SessionError::protocol("it has more files left than it says"));
                    }
                    _ => {}
                }
            }
            Heard::Report(report) => return Err(unexpected(&report)),
            Heard::Cancelled => return Err(SessionError::Cancelled),
        }
    }
}

fn endless() -> SessionError {
    SessionError::protocol("its list of files has no end")
}

fn shown(mut status: TransferStatus) -> TransferStatus {
    status.title = sanitize(&status.title, 200);
    status.root = sanitize(&status.root, limits::PATH);
    status.age = status.age.min(LONGEST_TIME);
    status
}

fn conclusion_shown(conclusion: Conclusion) -> Conclusion {
    match conclusion {
        Conclusion::Failed { failure } => Conclusion::Failed { failure: cleaned(&failure) },
        conclusion => conclusion,
    }
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::{FailureKind, Skipped, Summary};

    use super::*;

    #[test]
    fn a_status_that_can_not_be_is_refused_and_no_age_is_too_much() {
        let status = TransferStatus {
            title: "t\u{1b}[2J".to_owned(),
            root: "/r".to_owned(),
            age: u64::MAX,
            files: 2,
            bytes: 10,
            done: 10,
            summary: Summary { placed: 1, failed: 1, ..Summary::default() },
            skipped: Skipped::default(),
            failures: vec![FailureKind::NotFound],
        };
        assert!(check(&status).is_ok());
        let shown = shown(status.clone());
        assert_eq!((shown.title.contains('\u{1b}'), shown.age), (false, LONGEST_TIME));
        let lost = Summary { placed: 1, failed: u32::MAX, ..Summary::default() };
        assert!(check(&TransferStatus { summary: lost, ..status.clone() }).is_err());
        assert!(check(&TransferStatus { done: 11, ..status.clone() }).is_err());
        assert!(check(&TransferStatus { failures: Vec::new(), ..status }).is_err());
    }
}
