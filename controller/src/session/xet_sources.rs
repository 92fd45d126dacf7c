//! What the Hub's Xet store says of the files of one commit, for all targets of a run: how much travels for a file before
//! it is fetched, and its terms when an agent asks for them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, stream};
use hfdown_protocol::{Failure, FailureKind, FileId, Order, XetHash, batches};
use tokio::time::{Instant, timeout_at};

use super::answer_ways::AnswerWays;
use super::hub_words::kind;
use crate::hub::{Hub, Listing, RepoInfo, XetError, XetReconstruction, XetStore, lifetime};
use crate::plan::{Plan, Planned};
use crate::routes::{LARGEST_PLAIN, Routes, SMALLEST, XetPolicy, XetRoute};

/// Files of which the store is asked before the first byte, the largest first: what is behind them is small beside them,
/// and comes as plain ranges.
const MOST_FILES: usize = 1000;
/// For how long all of that may take. What is not known then comes as plain ranges.
const PATIENCE: Duration = Duration::from_secs(10);
/// Questions at once.
const AT_ONCE: usize = 8;
/// Xorb ranges that are kept from one question to the next, with their addresses of some 700 bytes each. What is not kept
/// is asked for again when it is wanted.
const MOST_KEPT: usize = 8 * 1024;
/// For how long addresses are given away that do not say how long they are good.
const USUAL: Duration = Duration::from_secs(10 * 60);

/// The store, and what it has said.
#[derive(Debug)]
pub struct XetSources {
    store: XetStore,
    pub(super) policy: XetPolicy,
    patience: Duration,
    known: Mutex<HashMap<XetHash, Arc<KnownFile>>>,
}

/// What is known of one file. Those that want to know more of it wait for one question.
#[derive(Debug, Default)]
struct KnownFile {
    wire: Mutex<KnownWire>,
    whole: tokio::sync::Mutex<Option<KeptTerms>>,
}

/// How many bytes travel for a file.
#[derive(Debug, Default)]
enum KnownWire {
    #[default]
    NotAsked,
    Bytes(u64),
    /// The store was of no use.
    Nothing(XetError),
}

/// All of a file's terms, while their addresses are good.
#[derive(Debug, Clone)]
struct KeptTerms {
    reconstruction: Arc<XetReconstruction>,
    asked: Instant,
    until: Instant,
}

impl XetSources {
    /// The store of a repository.
    pub fn new(hub: Arc<Hub>, info: Arc<RepoInfo>, policy: XetPolicy) -> Self {
        Self { store: XetStore::new(hub, info), policy, patience: PATIENCE, known: Mutex::default() }
    }

    /// Finds out which files of a plan come from the store. Says also why it was of no use, once for all of them.
    pub async fn routes(&self, plan: &Plan, listing: &Listing) -> (Routes, Option<Failure>) {
        let mut routes = names(plan, listing);
        if self.policy == XetPolicy::Never {
            let off = "it is turned off (`--xet never`, or HF_HUB_DISABLE_XET)";
            routes.note_trouble(Failure::new(FailureKind::NotAllowed, off));
            return (routes, None);
        }
        let mut files: Vec<_> = plan
            .to_fetch()
            .filter(|planned| planned.size > SMALLEST)
            .filter_map(|planned| Some((planned.size, planned.id, routes.hash(planned.id)?)))
            .collect();
        files.sort_unstable_by_key(|(size, id, _)| (std::cmp::Reverse(*size), *id));
        files.truncate(MOST_FILES);
        let deadline = Instant::now() + self.patience;
        let asked = files.into_iter().map(|(size, id, hash)| async move {
            let wire = timeout_at(deadline, self.wire(hash, size)).await;
            (size, id, wire)
        });
        let mut answers = stream::iter(asked).buffer_unordered(AT_ONCE);
        let mut trouble = None;
        while let Some((size, id, wire)) = answers.next().await {
            match wire {
                Ok(Ok(wire)) if self.policy.takes(size, wire) => routes.take(id, XetRoute { wire }),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    // The others would wait for the same.
                    let is_over = error.is_of_the_store();
                    if is_over || size > LARGEST_PLAIN {
                        routes.note_trouble(failure(&error));
                    }
                    trouble = trouble.or_else(|| Some(failure(&error)));
                    if is_over {
                        break;
                    }
                }
                Err(_) => {
                    let detail = format!("its answers take longer than {} s", self.patience.as_secs());
                    let late = Failure::new(FailureKind::Unreachable, detail);
                    routes.note_trouble(late.clone());
                    trouble = trouble.or(Some(late));
                    break;
                }
            }
        }
        drop(answers);
        // Who wants all of them from there is told where there are some that are not.
        let is_named = |planned: &Planned<'_>| routes.hash(planned.id).is_some();
        if self.policy == XetPolicy::Always
            && trouble.is_none()
            && plan.to_fetch().any(|planned| planned.size > SMALLEST && !is_named(&planned))
        {
            let detail = "the Hub does not say that its Xet store has them";
            trouble = Some(Failure::new(FailureKind::NotFound, detail));
        }
        (routes, trouble)
    }

    /// How many bytes travel for a file.
    async fn wire(&self, hash: XetHash, size: u64) -> Result<u64, XetError> {
        let file = self.file(hash);
        match &*file.noted() {
            KnownWire::NotAsked => {}
            KnownWire::Bytes(wire) => return Ok(*wire),
            KnownWire::Nothing(error) => return Err(error.clone()),
        }
        let whole = self.whole(&file, (hash, size), None).await;
        let wire = whole.map(|reconstruction| reconstruction.wire());
        *file.noted() = match &wire {
            Ok(wire) => KnownWire::Bytes(*wire),
            Err(error) => KnownWire::Nothing(error.clone()),
        };
        wire
    }

    /// All of a file's terms. Where some were given at a time and have turned out to be of no use, later ones.
    async fn whole(
        &self,
        file: &KnownFile,
        (hash, size): (XetHash, u64),
        given: Option<Instant>,
    ) -> Result<Arc<XetReconstruction>, XetError> {
        let mut kept = file.whole.lock().await;
        let is_good =
            |kept: &&KeptTerms| Instant::now() < kept.until && given.is_none_or(|given| kept.asked > given);
        if let Some(kept) = kept.as_ref().filter(is_good) {
            return Ok(Arc::clone(&kept.reconstruction));
        }
        let asked = Instant::now();
        let reconstruction = Arc::new(self.store.reconstruct(hash, 0..size, size).await?);
        let until = asked + good_for(&reconstruction);
        *kept = None;
        if self.kept() + reconstruction.ranges.len() <= MOST_KEPT {
            *kept = Some(KeptTerms { reconstruction: Arc::clone(&reconstruction), asked, until });
        }
        Ok(reconstruction)
    }

    /// All of a file's terms, if the store has them.
    pub(super) async fn described(&self, hash: XetHash, size: u64) -> Option<Arc<XetReconstruction>> {
        let file = self.file(hash);
        if matches!(*file.noted(), KnownWire::Nothing(_)) {
            return None;
        }
        self.whole(&file, (hash, size), None).await.ok()
    }

    fn file(&self, hash: XetHash) -> Arc<KnownFile> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(hash).or_default())
    }

    /// How many xorb ranges are kept. Files that are asked about at this moment have none.
    fn kept(&self) -> usize {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = known.values().filter_map(|file| {
            file.whole
                .try_lock()
                .ok()
                .and_then(|kept| kept.as_ref().map(|kept| kept.reconstruction.ranges.len()))
        });
        kept.sum()
    }

    /// Gives an agent the terms of what it lacks of a file. The last time that it was given some is said as well.
    pub(super) async fn give(
        &self,
        id: FileId,
        (hash, size): (XetHash, u64),
        (missing, given): (&[Range<u64>], Option<Instant>),
        ways: &AnswerWays,
    ) -> Result<(), Failure> {
        let of_no_use = |error: XetError| failure(&error);
        let is_whole = matches!(missing, [all] if *all == (0..size));
        let reconstruction = if is_whole {
            let file = self.file(hash);
            self.whole(&file, (hash, size), given).await.map_err(of_no_use)?
        } else {
            Arc::new(self.parts(hash, size, missing).await.map_err(of_no_use)?)
        };
        let XetReconstruction { ranges, terms, .. } = Arc::unwrap_or_clone(reconstruction);
        let hub = self.store.network();
        let ranges = batches(ranges).map(|ranges| Order::XorbRanges { file: id, ranges, hub });
        let mut terms = batches(terms).peekable();
        let terms = std::iter::from_fn(|| {
            let batch = terms.next()?;
            Some(Order::Terms { file: id, terms: batch, is_last: terms.peek().is_none() })
        });
        for order in ranges.chain(terms) {
            // The conversation is over, and so is the need for an answer.
            if ways.bytes.send(order).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The terms of some ranges of a file.
    async fn parts(
        &self,
        hash: XetHash,
        size: u64,
        missing: &[Range<u64>],
    ) -> Result<XetReconstruction, XetError> {
        // An answer without terms would be none.
        if missing.is_empty() {
            return Err(XetError::Asked);
        }
        let mut before = 0;
        for range in missing {
            if range.start < before || range.end <= range.start || range.end > size {
                return Err(XetError::Asked);
            }
            before = range.end;
        }
        let asked = missing.iter().cloned().map(|range| self.store.reconstruct(hash, range, size));
        let mut answers = stream::iter(asked).buffered(AT_ONCE);
        let mut parts = XetReconstruction::default();
        while let Some(answer) = answers.next().await {
            parts.append(answer?).map_err(XetError::of)?;
        }
        Ok(parts)
    }
}

impl KnownFile {
    fn noted(&self) -> MutexGuard<'_, KnownWire> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the store was of no use, in the protocol's words.
fn failure(error: &XetError) -> Failure {
    let kind = match error {
        XetError::Hub(error) => kind(error),
        XetError::Grant | XetError::Asked | XetError::Reconstruction { .. } => FailureKind::Nonsense,
        XetError::Private | XetError::Unencrypted => FailureKind::NotAllowed,
        XetError::Unreached { .. } => FailureKind::Unreachable,
        XetError::Refused { status, .. } => match status {
            401 | 403 => FailureKind::NotAllowed,
            404 => FailureKind::NotFound,
            429 => FailureKind::RateLimited,
            500.. => FailureKind::Unreachable,
            _ => FailureKind::Nonsense,
        },
    };
    Failure::new(kind, error)
}

/// What the store calls the files that are to be fetched. Both are in the order of the listing.
fn names(plan: &Plan, listing: &Listing) -> Routes {
    let mut routes = Routes::default();
    let mut rows = (0..).zip(listing.files.iter());
    for planned in plan.to_fetch() {
        let listed = planned.listed_as.map_or(planned.path.as_str(), |path| path.as_str());
        let Some((row, _)) = rows.find(|(_, file)| file.path.as_str() == listed) else { break };
        if let Some(hash) = listing.details.xet_hash(row) {
            routes.name(planned.id, hash);
        }
    }
    routes
}

/// For how long its addresses are given away: half of the shortest life, so that an agent has the other half.
fn good_for(reconstruction: &XetReconstruction) -> Duration {
    let now = SystemTime::now();
    let lives = reconstruction.ranges.iter().map(|range| lifetime(&range.address, now).unwrap_or(2 * USUAL));
    lives.min().unwrap_or_default() / 2
}

#[cfg(test)]
#[path = "xet_sources_tests.rs"]
mod tests;
