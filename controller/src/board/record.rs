//! One box, as far as it is known.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::money::TrafficCost;
use crate::fleet::{BoxEnding, BoxOutcome, Price};
use crate::plan::{Intent, Plan};
use crate::problem::Exit;
use crate::tally::Tally;
use crate::verification::VerificationTotals;

/// What a box is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BoxState {
    /// Its turn has not come.
    Waiting,
    /// A link is made, and an agent started.
    Connecting,
    /// A link failed or broke, and is made anew: the attempt that is next, from 1.
    Retrying(u32),
    /// Another run holds the folder.
    Held,
    /// What is there is looked at.
    Checking,
    /// Files are fetched.
    Fetching,
    /// It goes on without this machine.
    Detached,
    /// It has come to a good end.
    Done,
    /// It was looked at, and is not as it should be.
    Incomplete,
    /// It has come to a bad end.
    Failed,
    /// It was stopped, or its turn never came.
    Stopped,
}

/// What a plan is about, in figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct PlanSize {
    /// Files to fetch.
    pub(crate) fetch: usize,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Bytes of those that are not there yet.
    pub(crate) missing: u64,
    /// Bytes that travel for these: fewer where they come compressed.
    pub(crate) wire: u64,
    /// Files that are there.
    pub(crate) keep: usize,
    /// Their bytes.
    pub(crate) keep_bytes: u64,
    /// Files to remove.
    pub(crate) remove: usize,
    /// Files that can't have their place.
    pub(crate) refuse: usize,
}

/// What is known of a box.
#[derive(Debug, Clone)]
pub(crate) struct BoxRecord {
    /// Its name; empty for this machine.
    pub(crate) name: Arc<str>,
    /// What its incoming traffic costs.
    pub(crate) price: Option<Price>,
    /// What it is doing.
    pub(crate) state: BoxState,
    /// When that began.
    pub(crate) since: Instant,
    /// Bytes that are checked, or on disk.
    pub(crate) done: u64,
    /// Of so many.
    pub(crate) total: u64,
    /// Bytes that came over the network, as far as progress was told: what is checked later takes nothing of it back.
    pub(super) fetched: u64,
    /// Whether some of that came before the run, to a transfer that was detached.
    pub(super) began_before: bool,
    /// Bytes per second.
    pub(crate) rate: u64,
    /// Time left at that rate.
    pub(crate) left: Option<Duration>,
    /// How often something was tried again: a link, a file, a question.
    pub(crate) retries: u32,
    /// Why, the last time; or what else there is to say of its state. A few words.
    pub(crate) note: String,
    /// Its plan.
    pub(crate) plan: Option<PlanSize>,
    /// What of it was verified.
    pub(crate) verification: Option<VerificationTotals>,
    /// What the run there has come to, where that was told.
    pub(crate) tally: Option<Tally>,
    /// What has become of it.
    pub(crate) outcome: Option<BoxOutcome>,
}

impl PlanSize {
    pub(super) fn of(plan: &Plan) -> Self {
        let bytes = plan.to_fetch().map(|file| file.size).sum();
        Self {
            fetch: plan.to_fetch().count(),
            bytes,
            missing: plan.missing_bytes(),
            wire: plan.wire_bytes(),
            keep: plan.kept().count(),
            keep_bytes: plan.kept_bytes(),
            remove: plan.to_remove().count(),
            refuse: plan.obstructed().count() + plan.refused.len(),
        }
    }

    /// Bytes of the files to fetch that an earlier run left behind.
    pub(crate) fn resumed(&self) -> u64 {
        self.bytes.saturating_sub(self.missing)
    }
}

impl BoxState {
    /// The state in a word, on a screen and for programs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Waiting | Self::Held => "waiting",
            Self::Connecting => "connecting",
            Self::Retrying(_) => "retrying",
            Self::Checking => "checking",
            Self::Fetching => "fetching",
            Self::Detached => "detached",
            Self::Done => "done",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }

    /// Whether nothing more is to come.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Detached | Self::Done | Self::Incomplete | Self::Failed | Self::Stopped)
    }

    pub(super) fn of_outcome(outcome: &BoxOutcome) -> Self {
        match &outcome.ending {
            BoxEnding::Detached { .. } | BoxEnding::Disconnected => Self::Detached,
            BoxEnding::Stopped | BoxEnding::NotBegun => Self::Stopped,
            BoxEnding::Failed(_) | BoxEnding::TimedOut(_) => Self::Failed,
            BoxEnding::Finished(_) | BoxEnding::Ended { .. } | BoxEnding::Status(_) => match outcome.exit {
                Exit::Done => Self::Done,
                Exit::Cancelled => Self::Stopped,
                _ if matches!(outcome.ending, BoxEnding::Status(_)) => Self::Incomplete,
                _ => Self::Failed,
            },
        }
    }
}

impl BoxRecord {
    pub(super) fn new(name: Arc<str>, price: Option<Price>, now: Instant) -> Self {
        Self {
            name,
            price,
            state: BoxState::Waiting,
            since: now,
            done: 0,
            total: 0,
            fetched: 0,
            began_before: false,
            rate: 0,
            left: None,
            retries: 0,
            note: String::new(),
            plan: None,
            verification: None,
            tally: None,
            outcome: None,
        }
    }

    /// The counts of its run: told, or as far as they can be told of one that did not come to its end.
    pub(crate) fn tally(&self) -> Tally {
        if let Some(BoxOutcome { ending: BoxEnding::Ended { status, .. }, .. }) = &self.outcome {
            return Tally::of_status(status);
        }
        if let Some(tally) = &self.tally {
            return tally.clone();
        }
        let Some(plan) = self.plan else { return Tally::default() };
        let count = |files: usize| u32::try_from(files).unwrap_or(u32::MAX);
        Tally {
            to_fetch: count(plan.fetch),
            kept: count(plan.keep),
            kept_bytes: plan.keep_bytes,
            refused: count(plan.refuse),
            fetched: self.fetched,
            ..Tally::default()
        }
    }

    /// Bytes that came over the network, as far as is known.
    pub(crate) fn fetched(&self) -> u64 {
        self.tally().fetched
    }

    /// Bytes that did not come over the network, because they were there: of whole files, and of parts.
    pub(crate) fn spared(&self) -> u64 {
        let (tally, resumed) = (self.tally(), self.plan.map_or(0, |plan| plan.resumed()));
        // To verify is not to fetch.
        if tally.intent == Intent::Verify { 0 } else { tally.kept_bytes.saturating_add(resumed) }
    }

    /// What that costs, and what was saved.
    pub(crate) fn cost(&self) -> Option<TrafficCost> {
        let price = self.price?;
        Some(TrafficCost { fetched: price.of(self.fetched()), spared: price.of(self.spared()) })
    }

    /// The price of what travels for what its plan missed.
    pub(crate) fn price_to_fetch(&self) -> Option<f64> {
        Some(self.price?.of(self.plan?.wire))
    }

    /// How a command for it alone would have ended.
    pub(crate) fn exit(&self) -> Exit {
        self.outcome.as_ref().map_or(Exit::Failed, |outcome| outcome.exit)
    }

    /// Whether it was stopped before its end, or its turn never came.
    pub(super) fn is_stopped(&self) -> bool {
        self.exit() == Exit::Cancelled
    }

    /// Whether it has to be seen: it is late, or trying again.
    pub(crate) fn is_retrying(&self) -> bool {
        matches!(self.state, BoxState::Retrying(_) | BoxState::Held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::ListedFile;
    use crate::plan::{Action, Reason};
    use crate::routes::XetRoute;

    #[test]
    fn what_travels_is_what_costs() {
        let (digest, size) = (hfdown_protocol::Digest::Sha256([0; 32]), 100_000_000_000);
        let path = hfdown_protocol::RepoPath::new("model.safetensors").unwrap();
        let fetch = Action::Fetch { reason: Reason::Missing, replaces: None, partial: 0 };
        let mut plan = Plan::of([(ListedFile { path, size, digest }, fetch)]);
        let price = Some(Price { dollars_per_tb: 20.0 });
        let mut record = BoxRecord::new("gpu1".into(), price, Instant::now());
        record.plan = Some(PlanSize::of(&plan));
        assert_eq!(record.price_to_fetch(), Some(2.0));
        plan.routes.take(hfdown_protocol::FileId(0), XetRoute { wire: 80_000_000_000 });
        record.plan = Some(PlanSize::of(&plan));
        assert_eq!(record.price_to_fetch(), Some(1.6));
    }
}
