//! Back to a transfer that was detached: what is left of it, or what it came to.

use std::collections::HashSet;

use hfdown_protocol::{Account, Conduct, Order, Remaining, Report, VERSION, Verdict, limits};
use tokio_util::sync::CancellationToken;

use super::answer::Sources;
use super::connect::{Approach, Machine, find, same_version};
use super::error::SessionError;
use super::execute::{Execution, Followed, Manner};
use super::link::{Heard, Session, cleaned, unexpected};
use super::watch::{Carried, Watch};
use crate::display::Events;
use crate::output::sanitize::sanitize;
use crate::plan::{Action, Plan, Planned, Reason};

/// What was found where a transfer was detached. Texts in it are sanitised.
#[expect(clippy::large_enum_variant, reason = "there is one per run")]
pub enum Joined {
    /// It still runs.
    Underway {
        /// The conversation with it.
        session: Session,
        /// What it has come to.
        account: Account,
        /// What is left of it, as the agent says.
        plan: Plan,
    },
    /// It has ended.
    Ended {
        /// What it came to.
        account: Account,
        /// How it ended.
        verdict: Verdict,
        /// Seconds since then.
        ago: u64,
    },
}

/// Joins the transfer to a folder.
pub async fn join(
    machine: &Machine,
    root: &str,
    approach: Approach,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Joined, SessionError> {
    // The session hears of no wish to stop: whoever goes leaves the transfer alone.
    let deaf = CancellationToken::new();
    let (mut session, _) = tokio::select! {
        found = find(machine, approach, events, &deaf) => found?,
        () = cancel.cancelled() => return Err(SessionError::Cancelled),
    };
    let conduct = Conduct::Joining { root: root.to_owned() };
    session.say(Order::Hello { version: VERSION.to_owned(), conduct }).await?;
    loop {
        let report = tokio::select! {
            heard = session.hear() => heard?,
            () = cancel.cancelled() => return Err(SessionError::Cancelled),
        };
        match report {
            Heard::Cancelled => return Err(SessionError::Cancelled),
            Heard::Report(Report::Hello { version, .. }) => same_version(&version)?,
            Heard::Report(Report::Joined { account }) => {
                let account = shown(account);
                let plan = remaining(&mut session, &account).await?;
                return Ok(Joined::Underway { session, account, plan });
            }
            Heard::Report(Report::Ended { account, verdict, ago }) => {
                session.close().await;
                return Ok(Joined::Ended { account: shown(account), verdict: verdict_shown(verdict), ago });
            }
            Heard::Report(report) => return Err(unexpected(&report)),
        }
    }
}

impl Session {
    /// Listens to a transfer that was joined, until it ends or the person has seen enough. `None` then.
    pub async fn visit(
        &mut self,
        account: &Account,
        plan: &Plan,
        sources: Option<&Sources>,
        events: &Events,
        leave: &CancellationToken,
    ) -> Result<Option<Execution>, SessionError> {
        let mut carried = Carried::of(account);
        let watch = Watch::new(plan, &carried);
        match self.follow(watch, sources, events, Manner::Visit { leave }, &mut carried).await? {
            Followed::Finished(execution) => Ok(Some(execution)),
            Followed::Left => Ok(None),
        }
    }

    /// Tells the agent to stop. It says what it has come to by then.
    pub async fn stop(&mut self) -> Result<(), SessionError> {
        self.say(Order::Cancel).await
    }
}

/// The files that are not in place, as a plan.
async fn remaining(session: &mut Session, account: &Account) -> Result<Plan, SessionError> {
    let expected = account.files.saturating_sub(account.summary.placed) as usize;
    if expected > limits::FILES {
        return Err(protocol("it has more files left than there can be"));
    }
    let mut plan = Plan::default();
    let mut known = HashSet::new();
    loop {
        match session.hear().await? {
            Heard::Report(Report::Remaining { files }) => {
                for Remaining { wanted, done } in files {
                    if !known.insert(wanted.id) || done > wanted.size {
                        return Err(protocol("what it says of the files that are left makes no sense"));
                    }
                    plan.files.push(Planned {
                        id: wanted.id,
                        path: wanted.path,
                        size: wanted.size,
                        digest: wanted.digest,
                        action: Action::Fetch { reason: Reason::Missing, replaces: None, partial: done },
                    });
                }
                match plan.files.len() {
                    files if files == expected => return Ok(plan),
                    files if files > expected => return Err(protocol("it has more files left than it says")),
                    _ => {}
                }
            }
            Heard::Report(report) => return Err(unexpected(&report)),
            Heard::Cancelled => return Err(SessionError::Cancelled),
        }
    }
}

fn shown(mut account: Account) -> Account {
    account.title = sanitize(&account.title, 200);
    account.root = sanitize(&account.root, limits::PATH);
    account
}

fn verdict_shown(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Failed { failure } => Verdict::Failed { failure: cleaned(&failure) },
        verdict @ (Verdict::Finished | Verdict::Stopped | Verdict::Vanished) => verdict,
    }
}

fn protocol(what: &str) -> SessionError {
    SessionError::Protocol(what.to_owned())
}
