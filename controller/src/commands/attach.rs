//! `hfdown attach SSH DIR`: watch a transfer that was detached, and give it new addresses if it needs any.
//! `hfdown stop SSH DIR`: end it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hfdown_agent::http::SpeedFloor;
use hfdown_protocol::{End, TransferStatus};
use tokio_util::sync::CancellationToken;

use super::Context;
use super::attempts::{Attempts, Interrupted};
use super::fleet::{self, BoxResult, FleetAttendance, FleetOptions};
use super::request::{Target, Targets};
use super::summary::{exit, exit_of_conclusion};
use crate::cli::{Model, RepoArguments, Settings, TypedCommand};
use crate::detached_records::DetachedRecord;
use crate::display::Events;
use crate::event::Event;
use crate::failure::{self, AttachVerb, Exit, Problem};
use crate::fleet::BoxEnding;
use crate::hub::HubError;
use crate::session::{
    self, ConnectAttempt, Joined, Machine, Purpose, Relaying, SessionError, Sources, left_running,
};
use crate::tally::Tally;

/// One client of a detached transfer.
struct Attachment<'a> {
    verb: AttachVerb,
    token: Option<&'a str>,
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
    let attendance = FleetAttendance { verb, token: token.map(str::to_owned) };
    fleet::run(attendance, targets, options, context).await
}

/// Watches a transfer to its end, or ends it.
pub(super) async fn attend(
    verb: AttachVerb,
    token: Option<&str>,
    target: &Target,
    cancel: &CancellationToken,
) -> Result<BoxResult, Problem> {
    let attachment = Attachment { verb, token, target, cancel, began: Instant::now() };
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
        let Self {
            token, target: Target { machine: Machine::Box { target, .. }, events, records, .. }, ..
        } = self
        else {
            return None;
        };
        let record = records.find(target, &status.root)?;
        match renewed(record, *token, events).await {
            Ok(sources) => Some(sources),
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

/// Asks the Hub for the repository that a record names.
async fn renewed(record: DetachedRecord, token: Option<&str>, events: &Events) -> Result<Sources, String> {
    let DetachedRecord { endpoint, repo, commit } = record;
    let source = RepoArguments { model: repo, revision: Some(commit.to_string()), token: None };
    let settings = Model::whole(&source, &TypedCommand { verb: "attach", after: Vec::new() })
        .and_then(|model| Settings::new(model, token, SpeedFloor::default(), events));
    let Settings { hub, repo, revision, .. } = settings.map_err(|problem| problem.causes.join(": "))?;
    if hub.endpoint().to_string() != endpoint {
        return Err(format!("it was detached with HF_ENDPOINT={endpoint}"));
    }
    let words = |error: HubError| failure::in_words(&error.to_string());
    let info = hub.info(&repo, &revision).await.map_err(words)?;
    let listing = hub.list(&info).await.map_err(words)?;
    Ok(Sources::new(hub, Arc::new(info), Relaying::Never).within(&listing))
}
