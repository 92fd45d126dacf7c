//! A transfer that goes on without this machine: everything that it needs is handed over, then it is left.

use std::num::NonZeroU32;

use hfdown_protocol::Order;
use tokio::task::JoinSet;

use super::answer::Sources;
use super::error::SessionError;
use super::execute::{Execution, Followed, Manner};
use super::link::Session;
use super::watch::{Carried, Watch};
use crate::display::Events;
use crate::hub::ListedFile;
use crate::plan::Plan;

/// What the agent is told for the time when nobody is there.
#[derive(Debug, Clone)]
pub struct Handover {
    /// What is fetched, in words.
    pub title: String,
    /// For how many seconds it may wait for new addresses.
    pub patience: NonZeroU32,
}

/// What became of a transfer that was to be left.
pub enum Handed {
    /// It goes on.
    On,
    /// It was over before anybody could leave.
    Over(Execution),
}

impl Session {
    /// Has a plan begun, and leaves as soon as it has. Addresses that only this machine can get are given in advance.
    pub async fn detach(
        &mut self,
        plan: &Plan,
        sources: &Sources,
        handover: &Handover,
        events: &Events,
        carried: &mut Carried,
    ) -> Result<Handed, SessionError> {
        let Handover { title, patience } = handover.clone();
        let watch = Watch::new(plan, carried);
        watch.count_unheard(carried);
        self.order(plan, sources).await?;
        self.hand_over(plan, sources).await?;
        self.say(Order::Begin).await?;
        self.say(Order::Detach { title, patience }).await?;
        match self.follow(watch, Some(sources), events, Manner::Leave, carried).await? {
            Followed::Finished(execution) => Ok(Handed::Over(execution)),
            Followed::Left => Ok(Handed::On),
        }
    }

    async fn hand_over(&mut self, plan: &Plan, sources: &Sources) -> Result<(), SessionError> {
        if !sources.are_on_request() {
            return Ok(());
        }
        let mut answers = JoinSet::new();
        for planned in plan.to_fetch() {
            let listed =
                ListedFile { path: planned.path.clone(), size: planned.size, digest: planned.digest };
            answers.spawn(sources.clone().answer(planned.id, listed, self.orders()));
        }
        self.unless_cancelled(async { while answers.join_next().await.is_some() {} }).await
    }
}
