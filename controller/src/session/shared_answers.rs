//! What the Hub has answered about the files of one commit, for all targets of a run: a file is asked about once, however
//! many boxes lack it, and so is the address that takes the place of one which has aged.
//!
//! Targets that want the same answer wait for one question. What is kept is bounded, and the oldest goes first: boxes of
//! a fleet get to a file at about the same time, and one that comes late costs one question more.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hfdown_protocol::{Address, RepoPath};
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;

use crate::hub::{HubError, lifetime};

/// Questions to the Hub at once, whatever agents ask for.
const QUESTIONS: usize = 16;
/// Bytes of answers that are kept: 20,000 addresses, or the small files of a few repositories.
const KEPT: usize = 32 << 20;
/// What is kept of an answer beside its own bytes, about.
const OVERHEAD: usize = 400;
/// For how long an address is given away that does not say how long it is good. The Hub's are for an hour.
const USUAL: Duration = Duration::from_secs(10 * 60);
/// For how long a refusal that does not pass by itself is believed, so that a fleet without access asks once a minute.
const REFUSED: Duration = Duration::from_secs(60);

/// Where the bytes of a file are, as the Hub says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HubAnswer {
    /// At an address that it has signed for a while.
    Address(Address),
    /// Here: the file is small, and was read.
    Bytes(Bytes),
    /// With the Hub, which sends them itself to those that it lets read.
    SelfServed,
}

/// Which answer about a file it is: a later one has a higher number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AnswerNumber(u64);

/// What the Hub has answered, and what has been told of it.
#[derive(Debug)]
pub struct SharedAnswers {
    questions: Semaphore,
    kept: Mutex<KeptAnswers>,
    numbers: AtomicU64,
    wants_token: AtomicBool,
    /// Whether those who show no token are refused what is listed as public, once that has been asked.
    pub(super) refuses_strangers: OnceCell<bool>,
    refusal_told: AtomicBool,
    withheld_told: AtomicBool,
}

type AnswerSlot = Arc<tokio::sync::Mutex<Option<NotedAnswer>>>;

/// What the last question about a file came to.
#[derive(Debug)]
enum NotedAnswer {
    /// This, which is given away up to then, where it ages.
    Answer(HubAnswer, AnswerNumber, Option<Instant>),
    /// The question was refused, and that was then.
    Refused(Arc<HubError>, Instant),
}

/// The answers by file.
#[derive(Debug, Default)]
struct KeptAnswers {
    by_file: HashMap<RepoPath, KeptAnswer>,
    /// The files in the order in which they were first asked about.
    order: VecDeque<RepoPath>,
    weight: usize,
}

#[derive(Debug)]
struct KeptAnswer {
    slot: AnswerSlot,
    weight: usize,
}

impl Default for SharedAnswers {
    fn default() -> Self {
        Self {
            questions: Semaphore::new(QUESTIONS),
            kept: Mutex::default(),
            numbers: AtomicU64::new(0),
            wants_token: AtomicBool::new(false),
            refuses_strangers: OnceCell::new(),
            refusal_told: AtomicBool::new(false),
            withheld_told: AtomicBool::new(false),
        }
    }
}

impl SharedAnswers {
    /// What the Hub says of a file: what it has said, or else what it answers now. `had` is the answer that has turned out
    /// to be of no use any more: a later one is wanted.
    pub(super) async fn answer<F>(
        &self,
        path: &RepoPath,
        had: Option<AnswerNumber>,
        ask: impl FnOnce() -> F,
    ) -> Result<(HubAnswer, AnswerNumber), Arc<HubError>>
    where
        F: Future<Output = Result<HubAnswer, HubError>>,
    {
        let began = Instant::now();
        let slot = self.slot(path);
        // An asker that goes away lets go of it, and the next one asks.
        let mut noted = slot.lock().await;
        match &*noted {
            Some(NotedAnswer::Answer(answer, number, until)) => {
                let is_good = until.is_none_or(|until| Instant::now() < until);
                let is_later = had.is_none_or(|had| *number > had) || matches!(answer, HubAnswer::Bytes(_));
                if is_good && is_later {
                    return Ok((answer.clone(), *number));
                }
            }
            Some(NotedAnswer::Refused(error, at)) => {
                let is_lasting = !error.is_worth_another_try() && at.elapsed() < REFUSED;
                if *at > began || is_lasting {
                    return Err(Arc::clone(error));
                }
            }
            None => {}
        }
        // Never closed, so its turn comes.
        let turn = self.questions.acquire().await;
        let asked = Instant::now();
        let answered = ask().await;
        drop(turn);
        match answered {
            Ok(answer) => {
                let number = AnswerNumber(self.numbers.fetch_add(1, Ordering::Relaxed));
                self.weigh(path, weight(&answer));
                let until = good_for(&answer).map(|good| asked + good);
                *noted = Some(NotedAnswer::Answer(answer.clone(), number, until));
                Ok((answer, number))
            }
            Err(error) => {
                let error = Arc::new(error);
                *noted = Some(NotedAnswer::Refused(Arc::clone(&error), Instant::now()));
                Err(error)
            }
        }
    }

    /// The Hub wants a token for what it says is public.
    pub(super) fn wants_token(&self) {
        self.wants_token.store(true, Ordering::Relaxed);
    }

    /// Whether that is known.
    pub(super) fn is_token_wanted(&self) -> bool {
        self.wants_token.load(Ordering::Relaxed)
    }

    /// Whether what can be done about a refusal is still to be told. It is told once, whatever the number of targets.
    pub(super) fn is_refusal_to_be_told(&self) -> bool {
        !self.refusal_told.swap(true, Ordering::Relaxed)
    }

    /// The same of files that boxes did not get.
    pub(super) fn is_withholding_to_be_told(&self) -> bool {
        !self.withheld_told.swap(true, Ordering::Relaxed)
    }

    fn slot(&self, path: &RepoPath) -> AnswerSlot {
        let mut kept = self.kept();
        if let Some(known) = kept.by_file.get(path) {
            return Arc::clone(&known.slot);
        }
        let (slot, weight) = (AnswerSlot::default(), OVERHEAD + 2 * path.as_str().len());
        kept.by_file.insert(path.clone(), KeptAnswer { slot: Arc::clone(&slot), weight });
        kept.order.push_back(path.clone());
        kept.weight += weight;
        kept.let_go();
        slot
    }

    /// An answer about a file has come that weighs so much.
    fn weigh(&self, path: &RepoPath, bytes: usize) {
        let mut kept = self.kept();
        let Some(known) = kept.by_file.get_mut(path) else { return };
        let weight = OVERHEAD + 2 * path.as_str().len() + bytes;
        let before = std::mem::replace(&mut known.weight, weight);
        kept.weight = kept.weight - before + weight;
        kept.let_go();
    }

    fn kept(&self) -> MutexGuard<'_, KeptAnswers> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeptAnswers {
    /// Lets go of the oldest answers, as far as there are too many. The last one stays.
    fn let_go(&mut self) {
        while self.weight > KEPT && self.order.len() > 1 {
            let oldest = self.order.pop_front().and_then(|path| self.by_file.remove(&path));
            self.weight -= oldest.map_or(0, |oldest| oldest.weight);
        }
    }
}

fn weight(answer: &HubAnswer) -> usize {
    match answer {
        HubAnswer::Address(address) => address.expose().as_str().len(),
        HubAnswer::Bytes(bytes) => bytes.len(),
        HubAnswer::SelfServed => 0,
    }
}

/// For how long an answer is given away; for good where none is said. An address is renewed in the middle of its life: a
/// target that is given it has at least the other half to ask for what it needs.
fn good_for(answer: &HubAnswer) -> Option<Duration> {
    match answer {
        HubAnswer::Address(address) => {
            Some(lifetime(address, SystemTime::now()).map_or(USUAL, |lifetime| lifetime / 2))
        }
        // Its digest was proved.
        HubAnswer::Bytes(_) => None,
        HubAnswer::SelfServed => Some(USUAL),
    }
}

#[cfg(test)]
#[path = "shared_answers_tests.rs"]
mod tests;
