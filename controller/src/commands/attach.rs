//! `hfdown attach SSH DIR`: watch a transfer that was detached, and give it new addresses if it needs any.
//! `hfdown stop SSH DIR`: end it.

use std::time::{Duration, Instant};

use hfdown_protocol::{End, TransferStatus};
use tokio_util::sync::CancellationToken;

use super::Context;
use super::attempts::{Attempts, Interrupted};
use super::fleet::{self, BoxResult, FleetAttendance, FleetOptions};
use super::renewal::Renewals;
use super::request::{Target, Targets};
use super::summary::{exit, exit_of_conclusion};
use crate::event::Event;
use crate::failure::{AttachVerb, Exit, Problem};
use crate::fleet::BoxEnding;
use crate::session::{self, ConnectAttempt, Joined, Machine, Purpose, SessionError, Sources, left_running};
use crate::tally::Tally;

/// One client of a detached transfer.
struct Attachment<'a> {
    verb: AttachVerb,
    renewals: &'a Renewals,
    target: &'a Target,
    cancel: &'a CancellationToken,
    began: Instant,
}

pub(super) async fn run(
    verb: AttachVerb,
    token: Option<&str>,
    targets: Targets,
    options: FleetOptions,
    context: &Context,
) -> Result<Exit, Problem> {
    let attendance = FleetAttendance { verb, renewals: Renewals::new(token) };
    fleet::run(attendance, targets, options, context).await
}

/// Watches a transfer to its end, or ends it.
pub(super) async fn attend(
    verb: AttachVerb,
    renewals: &Renewals,
    target: &Target,
    cancel: &CancellationToken,
) -> Result<BoxResult, Problem> {
    let attachment = Attachment { verb, renewals, target, cancel, began: Instant::now() };
    let mut attempts = Attempts::new(target, cancel);
    let mut has_inquired = false;
    let mut has_joined = false;
    loop {
        let interrupted = match attachment.attempt(&mut attempts, &mut has_joined).await {
            Ok(result) => return Ok(result),
            Err(interrupted) => interrupted,
        };
        // The agent was killed before our eyes. Its record says the rest, to the client that asks now, once.
        let is_gone = matches!(interrupted.error, SessionError::Ended(_));
        if is_gone && !cancel.is_cancelled() && !std::mem::replace(&mut has_inquired, true) {
            continue;
        }
        let advice = verb.advice(&interrupted.error);
        let waited = attempts.after(interrupted).await;
        waited.map_err(|problem| advice.into_iter().fold(problem, Problem::hint))?;
    }
}

impl Attachment<'_> {
    /// One conversation. Whether there has been one before is noted.
    async fn attempt(
        &self,
        attempts: &mut Attempts<'_>,
        has_joined: &mut bool,
    ) -> Result<BoxResult, Interrupted> {
        let Self { verb, target, cancel, .. } = self;
        let events = &target.events;
        let what = match verb {
            AttachVerb::Attach => "watch",
            AttachVerb::Stop => "stop",
        };
        let attempted = || format!("cannot {what} the transfer to {}", target.destination);
        let interrupted = |error| Interrupted::on(target, attempted, error);
        let joined = session::join(&target.machine, target.typed_folder(), attempts.next, events, cancel)
            .await
            .map_err(interrupted)?;
        attempts.next = ConnectAttempt::Reconnect;
        let (mut session, status, plan) = match joined {
            Joined::Underway { session, status, plan } => (session, status, plan),
            Joined::Ended { status, conclusion, ago, warnings } => {
                self.forget_record(&status);
                let exit = match verb {
                    AttachVerb::Attach => exit_of_conclusion(&status, &conclusion),
                    // What was asked for is so.
                    AttachVerb::Stop => Exit::Done,
                };
                let (status, ago) = (Box::new(status), Duration::from_secs(ago));
                for warning in warnings {
                    events.send(warning).await;
                }
                let ending = BoxEnding::Ended { status: status.clone(), conclusion: conclusion.clone() };
                events.send(Event::Ended { status, conclusion, ago }).await;
                return Ok(BoxResult { exit, ending });
            }
        };
        // A link that breaks as often as it is made is not made for ever.
        if !std::mem::replace(has_joined, true) {
            attempts.count_anew();
        }
        attempts.progressed(status.done, status.bytes);
        events.send(Event::Joined { status: Box::new(status.clone()) }).await;
        let sources = match verb {
            AttachVerb::Attach => tokio::select! {
                sources = self.sources(&status) => sources,
                () = cancel.cancelled() => None,
            },
            AttachVerb::Stop => None,
        };
        let purpose = match verb {
            AttachVerb::Attach => Purpose::Watch(sources.as_ref()),
            AttachVerb::Stop => Purpose::Stop,
        };
        let attended = session.attend(purpose, &status, &plan, events, cancel).await;
        if attended.is_ok() || cancel.is_cancelled() || !attempts.may_follow() {
            // What may not answer is a relay: the transfer is another run's.
            let (_, dismissal) = session.close_for_good().await;
            if let Some(text) = left_running(&dismissal) {
                events.send(Event::Warning { text }).await;
            }
        } else {
            session.close().await;
        }
        let Some(tally) = attended.map_err(interrupted)? else {
            events.send(Event::Disconnected).await;
            return Ok(BoxResult { exit: Exit::Cancelled, ending: BoxEnding::Disconnected });
        };
        self.forget_record(&status);
        let elapsed = Duration::from_secs(status.age).saturating_add(self.began.elapsed());
        let tally = Tally { elapsed, ..tally };
        let exit = match (verb, tally.end) {
            // What was asked for is so.
            (AttachVerb::Stop, End::Cancelled) => Exit::Done,
            _ => exit(&tally),
        };
        events.send(Event::Finished(tally.clone())).await;
        Ok(BoxResult { exit, ending: BoxEnding::Finished(tally) })
    }

    /// Where addresses come from that the box can't get by itself, if this machine knows.
    async fn sources(&self, status: &TransferStatus) -> Option<Sources> {
        let Target { machine: Machine::Box { target, .. }, events, records, .. } = self.target else {
            return None;
        };
        let record = records.find(target, &status.root)?;
        match self.renewals.sources(record, events).await {
            Ok(sources) => sources,
            Err(why) => {
                let text = format!("addresses that go stale can't be renewed: {why}");
                events.send(Event::Warning { text }).await;
                None
            }
        }
    }

    fn forget_record(&self, status: &TransferStatus) {
        if let Machine::Box { target, .. } = &self.target.machine {
            self.target.records.forget(target, &status.root);
        }
    }
}
