//! One conversation with an agent after another, until the work is done: links break.

use std::sync::Arc;

use hfdown_protocol::{End, Failure, FailureKind};
use tokio_util::sync::CancellationToken;

use super::again::{Again, Broken};
use super::trip::{Bookkeeping, Trip, ask};
use crate::detached_records::{DetachedRecord, DetachedRecords};
use crate::display::Events;
use crate::event::{Event, Intent};
use crate::failure::Problem;
use crate::hub::Listing;
use crate::link::Leftovers;
use crate::output::sanitize::sanitize;
use crate::plan::{self, Plan};
use crate::session::{self, Carried, ConnectAttempt, Execution, Handed, Handover, Machine, Session, Sources};

/// What stays the same from one conversation to the next.
pub(super) struct Course<'a> {
    pub(super) trip: &'a Trip<'a>,
    pub(super) listing: Listing,
    pub(super) sources: Sources,
    pub(super) intent: Intent,
    pub(super) events: &'a Events,
    pub(super) cancel: &'a CancellationToken,
}

/// Where a course has led.
pub(super) struct Arrival {
    /// The whole of what was to be done.
    pub(super) plan: Arc<Plan>,
    pub(super) end: CourseEnd,
}

/// How a course ended.
pub(super) enum CourseEnd {
    /// The plan was carried out, as far as it could be.
    Executed(Execution),
    /// The agent goes on with it.
    Detached,
}

/// What one conversation leaves to the next.
struct Luggage {
    /// The first plan: the whole of what is to be done.
    plan: Option<Arc<Plan>>,
    carried: Carried,
    /// What the last conversation could not remove from its machine.
    left: Leftovers,
}

impl Course<'_> {
    /// Goes on until it is done, or until links break too often without anything arriving in between.
    pub(super) async fn follow(&self) -> Result<Arrival, Problem> {
        let mut luggage = Luggage { plan: None, carried: Carried::default(), left: Leftovers::Nothing };
        let outcome = self.legs(&mut luggage).await;
        if luggage.left == Leftovers::Something {
            let text = "what was put on the box could not be removed: look for agent-* in its ~/.cache/hfdown, and for \
                        ~/.no_auto_tmux";
            self.events.send(Event::Warning { text: text.to_owned() }).await;
        }
        if self.may_have_left_parts(&luggage, &outcome) {
            let text = format!(
                "what has arrived of files that are not complete stays in {}/.cache/hfdown on the box, for the next run to \
                 go on from",
                self.trip.root
            );
            self.events.send(Event::Warning { text }).await;
        }
        outcome
    }

    /// Whether a run that was to leave no traces got as far as fetching, and not to its end.
    fn may_have_left_parts(&self, luggage: &Luggage, outcome: &Result<Arrival, Problem>) -> bool {
        let is_fetching = self.intent == Intent::Execute
            && luggage.plan.as_ref().is_some_and(|plan| plan.to_fetch().next().is_some());
        let is_complete = match outcome {
            Ok(Arrival { end: CourseEnd::Executed(execution), .. }) => {
                execution.summary.end == End::Complete && execution.failures.is_empty()
            }
            Ok(Arrival { end: CourseEnd::Detached, .. }) | Err(_) => false,
        };
        matches!(self.trip.bookkeeping, Bookkeeping::Traceless) && is_fetching && !is_complete
    }

    async fn legs(&self, luggage: &mut Luggage) -> Result<Arrival, Problem> {
        let mut again = Again::new(&self.trip.machine, self.events, self.cancel);
        loop {
            let before = luggage.carried.fetched;
            let broken = match self.leg(luggage, &mut again.attempt).await {
                Ok(arrival) => return Ok(arrival),
                Err(broken) => broken,
            };
            if luggage.carried.fetched > before {
                again.has_moved();
            }
            again.after(broken).await?;
        }
    }

    /// One conversation: connect, survey, plan, execute.
    async fn leg(&self, luggage: &mut Luggage, attempt: &mut ConnectAttempt) -> Result<Arrival, Broken> {
        let Self { trip, events, cancel, .. } = self;
        let ask = ask(trip, &self.listing.commit, *attempt);
        let mut session = session::connect(&trip.machine, ask, events, cancel).await.map_err(|error| {
            Broken::on(&trip.machine, || format!("cannot open {}", trip.destination), error)
        })?;
        *attempt = ConnectAttempt::Reconnect { supersedes: session.nonce() };
        let done = self.converse(&mut session, luggage).await;
        luggage.left = session.close().await;
        done
    }

    async fn converse(&self, session: &mut Session, luggage: &mut Luggage) -> Result<Arrival, Broken> {
        let Self { trip, listing, sources, intent, events, .. } = self;
        let attempting = |attempted: String| move |error| Broken { attempted, error };
        let inventory = session
            .survey(listing, trip.policy.check, events)
            .await
            .map_err(attempting(format!("cannot look at {}", trip.destination)))?;
        let plan = Arc::new(plan::plan(listing, &inventory, &trip.policy));
        let whole = if let Some(whole) = &luggage.plan {
            Arc::clone(whole)
        } else {
            events.send(Event::Planned { plan: Arc::clone(&plan), intent: *intent }).await;
            refuse(&plan, events).await;
            Arc::clone(luggage.plan.insert(Arc::clone(&plan)))
        };
        let fetching = attempting(format!("cannot fetch {} to {}", listing.repo, trip.destination));
        let end = match (intent, &trip.detaching) {
            (Intent::DryRun, _) => CourseEnd::Executed(Execution::default()),
            // What is done at once needs nobody to come back.
            (Intent::Execute, Some(detaching)) if plan.to_fetch().next().is_some() => {
                let title = format!("{} @ {}", listing.repo, listing.commit.short());
                let handover = Handover { title, idle_timeout: detaching.idle_timeout };
                // Before anybody can leave: links break at any time.
                keep_record(self, session.root()).await;
                let handed = session.detach(&plan, sources, &handover, events, &mut luggage.carried).await;
                match handed.map_err(fetching)? {
                    Handed::On => CourseEnd::Detached,
                    Handed::Over(execution) => CourseEnd::Executed(execution),
                }
            }
            // Also when there is nothing to fetch: the agent records what it has just proved.
            (Intent::Execute, _) => CourseEnd::Executed(
                session.execute(&plan, sources, events, &mut luggage.carried).await.map_err(fetching)?,
            ),
        };
        Ok(Arrival { plan: whole, end })
    }
}

/// Remembers where addresses come from that an agent can't get by itself, for whoever attaches on this machine.
async fn keep_record(course: &Course<'_>, root: &str) {
    let Course { trip, listing, sources, events, .. } = course;
    let Machine::Box { target, .. } = &trip.machine else { return };
    if !sources.are_on_request() {
        return;
    }
    let record = DetachedRecord {
        endpoint: trip.settings.hub.endpoint().to_string(),
        repo: listing.repo.to_string(),
        commit: listing.commit.clone(),
    };
    if let Err(error) = DetachedRecords::from_environment().keep(target, root, &record) {
        let text = format!("`hfdown attach` will not be able to renew addresses: {error}");
        events.send(Event::Warning { text }).await;
    }
}

/// Files that can't have their place are said once, like any that fail.
async fn refuse(plan: &Plan, events: &Events) {
    for refused in &plan.refused {
        let path = sanitize(&refused.name, 200);
        let failure = Failure::new(
            FailureKind::InTheWay,
            format_args!("the Hub lists a name that no file may have: {}", refused.reason),
        );
        events.send(Event::Failed { path, failure }).await;
    }
    for (file, failure) in plan.obstructed() {
        events.send(Event::Failed { path: file.path.to_string(), failure: failure.clone() }).await;
    }
}
