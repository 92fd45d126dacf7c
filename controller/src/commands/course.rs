//! One conversation with an agent after another, until the work is done: links break.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::road::{Trip, ask, not_opened, refuse};
use crate::display::Events;
use crate::event::{Event, Intent};
use crate::failure::{self, Problem, in_words};
use crate::hub::Listing;
use crate::link::Left;
use crate::plan::{self, Plan};
use crate::session::{self, Approach, Carried, Execution, Machine, Session, SessionError, Sources};

/// The pause before the first new link; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What stays the same from one conversation to the next.
pub(super) struct Course<'a> {
    pub(super) trip: &'a Trip<'a>,
    pub(super) listing: Listing,
    pub(super) sources: Sources,
    pub(super) intent: Intent,
    pub(super) events: &'a Events,
    pub(super) cancel: &'a CancellationToken,
}

/// What one conversation leaves to the next.
struct Luggage {
    approach: Approach,
    /// The first plan: the whole of what is to be done.
    plan: Option<Arc<Plan>>,
    carried: Carried,
}

/// Why a conversation ended, and in the middle of what.
struct Broken {
    attempted: String,
    error: SessionError,
}

impl Course<'_> {
    /// Goes on until it is done, or until links break too often without anything arriving in between.
    pub(super) async fn follow(&self) -> Result<(Arc<Plan>, Execution), Problem> {
        let mut luggage = Luggage { approach: Approach::First, plan: None, carried: Carried::default() };
        let mut attempts = 0;
        loop {
            let before = luggage.carried.fetched;
            let Broken { attempted, error } = match self.leg(&mut luggage).await {
                Ok(done) => return Ok(done),
                Err(broken) => broken,
            };
            if luggage.carried.fetched > before {
                attempts = 0;
            }
            if self.cancel.is_cancelled() {
                return Err(failure::session(attempted, &SessionError::Cancelled));
            }
            let retries = self.retries();
            // A box that was never reached has had its time.
            let never_reached =
                matches!(luggage.approach, Approach::First) && matches!(error, SessionError::Link { .. });
            if !error.is_lost_link() || never_reached || attempts >= retries {
                return Err(failure::session_after(attempted, &error, attempts));
            }
            attempts += 1;
            if matches!(luggage.approach, Approach::First) {
                luggage.approach = Approach::Again { supersedes: None };
            }
            let wait = pause(attempts);
            let why = in_words(&error.to_string());
            self.events.send(Event::Reconnecting { why, attempt: attempts, of: retries, wait }).await;
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.cancel.cancelled() => {
                    return Err(failure::session(attempted, &SessionError::Cancelled));
                }
            }
        }
    }

    fn retries(&self) -> u32 {
        match &self.trip.machine {
            Machine::Here(_) => 0,
            Machine::Box { endurance, .. } => endurance.retries,
        }
    }

    /// One conversation: connect, survey, plan, execute.
    async fn leg(&self, luggage: &mut Luggage) -> Result<(Arc<Plan>, Execution), Broken> {
        let Self { trip, events, cancel, .. } = self;
        let ask = ask(trip, &self.listing.commit, luggage.approach);
        let mut session = session::connect(&trip.machine, ask, events, cancel)
            .await
            .map_err(|error| Broken { attempted: not_opened(trip, &error), error })?;
        luggage.approach = Approach::Again { supersedes: session.nonce() };
        let done = self.converse(&mut session, luggage).await;
        if session.close().await == Left::Something {
            let text = "not everything could be removed from the box: look for agent-* in its ~/.cache/hfdown, and for \
                        ~/.no_auto_tmux";
            events.send(Event::Warning { text: text.to_owned() }).await;
        }
        done
    }

    async fn converse(
        &self,
        session: &mut Session,
        luggage: &mut Luggage,
    ) -> Result<(Arc<Plan>, Execution), Broken> {
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
        let execution = match intent {
            Intent::DryRun => Execution::default(),
            // Also when there is nothing to fetch: the agent records what it has just proved.
            Intent::Execute => session
                .execute(&plan, sources, events, &mut luggage.carried)
                .await
                .map_err(attempting(format!("cannot fetch {} to {}", listing.repo, trip.destination)))?,
        };
        Ok((whole, execution))
    }
}

/// How long to wait before the attempt of this number, from 1.
fn pause(attempt: u32) -> Duration {
    PAUSE.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound() {
        let millis = [1, 2, 3, 7, 100].map(|attempt| pause(attempt).as_millis());
        assert_eq!(millis, [500, 1000, 2000, 30_000, 30_000]);
    }
}
