//! A transfer that goes on without this machine: everything that it needs is handed over, then it is left.

use std::num::NonZeroU32;
use std::pin::pin;

use futures_util::{StreamExt, stream};
use hfdown_protocol::{Digest, Failure, FailureKind, Order, limits};

use super::answer_ways::AnswerWays;
use super::answers::AskedSource;
use super::error::SessionError;
use super::session::{Heard, Session, unexpected};
use super::sources::Sources;
use crate::plan::{Plan, Planned};
use crate::routes::LARGEST_PLAIN;
use crate::text::units::bytes;

/// Files whose sources are got at once.
const AT_ONCE: usize = 16;

/// What the agent is told for the time without a controller.
#[derive(Debug, Clone)]
pub struct DetachOptions {
    /// What is fetched, in words.
    pub title: String,
    /// For how many seconds it may wait for new addresses.
    pub idle_timeout: NonZeroU32,
}

impl Session {
    /// Has a plan begun by an agent that needs no controller from then on. Addresses that only this machine can get are
    /// given in advance.
    pub(super) async fn begin_detached(
        &mut self,
        plan: &Plan,
        sources: &Sources,
        options: &DetachOptions,
    ) -> Result<(), SessionError> {
        let sources = match weight(plan) {
            fits if fits <= limits::HANDED_OVER as u64 => sources.clone(),
            weight if sources.needs_this_machine() => return Err(too_heavy(weight)),
            // It asks for public files by itself.
            _ => sources.found_there(),
        };
        let sources = sources.in_advance();
        self.order(plan, &sources).await?;
        if sources.are_on_request() || !plan.routes.is_plain() {
            self.hand_over(plan, &sources).await?;
        }
        self.say(Order::Begin).await?;
        let DetachOptions { title, idle_timeout } = options.clone();
        let (skipped, refusals) = (plan.skipped(), FailureKind::distinct(plan.refusals()));
        self.say(Order::Detach { title, idle_timeout, skipped, refusals }).await
    }

    /// Gives every file's source before it is wanted. The agent has nothing to say meanwhile but that it is alive.
    ///
    /// The Hub may refuse a file for good, and the agent is told so. What may pass has been waited for already, for as
    /// long as the Hub asked to; a box without a controller would wait for it in vain, so it is not left, unless it can find a
    /// public file by itself.
    async fn hand_over(&mut self, plan: &Plan, sources: &Sources) -> Result<(), SessionError> {
        // Everything is to be there before the last word.
        let ways = AnswerWays { orders: self.orders(), bytes: self.orders() };
        let mut answers = pin!(stream::iter(answers(plan, sources, &ways)).buffer_unordered(AT_ONCE));
        loop {
            tokio::select! {
                answered = answers.next() => match answered {
                    None => return Ok(()),
                    Some(Ok(())) => {}
                    Some(Err((planned, failure))) if may_pass(failure.kind) => {
                        if let Some(order) = sources.found_by_the_box(planned.id, &planned.listed().path) {
                            self.say(order).await?;
                            continue;
                        }
                        let failure = sources.in_full(planned.id, failure);
                        return Err(SessionError::Unsourced { path: planned.path.to_string(), failure });
                    }
                    Some(Err((planned, failure))) => {
                        self.say(Order::SourceUnavailable { file: planned.id, failure }).await?;
                    }
                },
                heard = self.hear() => match heard? {
                    Heard::Cancelled => return Err(SessionError::Cancelled),
                    Heard::Report(report) => return Err(unexpected(&report)),
                },
            }
        }
    }
}

/// The source of each file, or why it has none.
fn answers<'a>(
    plan: &'a Plan,
    sources: &'a Sources,
    ways: &'a AnswerWays,
) -> impl Iterator<Item = impl Future<Output = Result<(), (Planned<'a>, Failure)>> + Send> {
    plan.to_fetch().map(move |planned| {
        let (sources, ways) = (sources.clone(), ways.clone());
        async move {
            if let Some(hash) = plan.routes.xet(planned.id).and_then(|_| plan.routes.hash(planned.id)) {
                let given = sources.give_terms_in_advance(planned.id, (hash, planned.size), &ways).await;
                if planned.size > LARGEST_PLAIN {
                    return given.map_err(|failure| (planned, failure));
                }
                // Where they come to nothing, it is found where it is public, and given as any other where it is not.
                if !sources.needs_this_machine() {
                    return Ok(());
                }
            } else if !sources.are_on_request() {
                return Ok(());
            }
            let asked = AskedSource { id: planned.id, file: planned.listed(), had: None };
            sources.give(asked, &ways).await.map(drop).map_err(|failure| (planned, failure))
        }
    })
}

/// Whether a question may be answered otherwise later: then an agent asks it again.
fn may_pass(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::RateLimited | FailureKind::Unreachable | FailureKind::Nonsense)
}

/// What sources but terms weigh that are handed over, in bytes: small files are handed over whole, and wait in the agent's memory.
pub(super) fn weight(plan: &Plan) -> u64 {
    let is_whole = |digest: &Digest| matches!(digest, Digest::GitSha1(_));
    let files = plan.to_fetch().filter(|planned| is_whole(&planned.digest));
    let weight = files.map(|planned| planned.size).fold(0, u64::saturating_add);
    // Addresses weigh something as well.
    weight.saturating_add(2048 * plan.to_fetch().count() as u64)
}

fn too_heavy(weight: u64) -> SessionError {
    let detail = format!(
        "this repository is not public, and its small files and addresses are {}: a box that is left alone keeps at most {} in \
         memory; sync without --detach",
        bytes(weight),
        bytes(limits::HANDED_OVER as u64)
    );
    SessionError::Agent(Failure::new(FailureKind::Protocol, detail))
}
