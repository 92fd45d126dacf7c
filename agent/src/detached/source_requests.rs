//! The sources that a transfer has asked for, and those that were given before they are asked for.

use std::collections::{BTreeMap, HashMap};

use hfdown_protocol::{AskedFor, Failure, FailureKind, FileId, Order, Term, XorbRange, limits};

/// Questions without an answer, and answers without a question.
#[derive(Debug, Default)]
pub(super) struct SourceRequests {
    /// Answers that came first, and their bytes.
    given: HashMap<FileId, Vec<Order>>,
    given_bytes: usize,
    asked: BTreeMap<FileId, OpenQuestion>,
}

/// A question that has not been answered.
#[derive(Debug)]
struct OpenQuestion {
    asked: AskedFor,
    /// How many bytes of an answer have come, or frames of one in terms.
    came: u64,
}

/// More was handed over than may wait in memory.
#[derive(Debug)]
pub(super) struct TooMuch;

impl SourceRequests {
    /// A file's source is needed: what was given for it, or nothing, and then the question is open.
    pub(super) fn ask(&mut self, file: FileId, asked: &AskedFor) -> Vec<Order> {
        let mut answers = self.forget_given(file);
        // What was given in terms is of no use to those who ask for something else.
        if *asked == AskedFor::Plain && answers.iter().any(is_in_terms) {
            answers.clear();
        }
        if answers.is_empty() {
            self.asked.insert(file, OpenQuestion { asked: asked.clone(), came: 0 });
        }
        answers
    }

    /// An answer has come, for a file of this size. It is handed back if it was asked for, and kept otherwise.
    pub(super) fn answer(
        &mut self,
        file: FileId,
        answer: Order,
        size: u64,
    ) -> Result<Option<Order>, TooMuch> {
        let Some(OpenQuestion { came, .. }) = self.asked.get_mut(&file) else {
            if self.given_bytes + weight(&answer) > limits::HANDED_OVER {
                return Err(TooMuch);
            }
            self.given_bytes += weight(&answer);
            self.given.entry(file).or_default().push(answer);
            return Ok(None);
        };
        let is_whole = match &answer {
            Order::Inline { bytes, .. } => {
                *came += bytes.len() as u64;
                *came >= size
            }
            Order::XorbRanges { .. } | Order::Terms { is_last: false, .. } => {
                *came += 1;
                false
            }
            _ => true,
        };
        if is_whole {
            self.asked.remove(&file);
        }
        Ok(Some(answer))
    }

    /// The client has gone. Where it was in the middle of an answer, the beginning of that is none, and the next one
    /// begins anew: this says so.
    pub(super) fn interrupt(&mut self) -> Vec<Order> {
        let begun: Vec<FileId> =
            self.asked.iter().filter(|(_, question)| question.came > 0).map(|(file, _)| *file).collect();
        let unavailable = |file: FileId| {
            self.asked.remove(&file);
            let failure =
                Failure::new(FailureKind::Unreachable, "the controller went in the middle of an answer");
            Order::SourceUnavailable { file, failure }
        };
        begun.into_iter().map(unavailable).collect()
    }

    /// The file needs no source any more.
    pub(super) fn forget(&mut self, file: FileId) {
        self.asked.remove(&file);
        self.forget_given(file);
    }

    /// Whether there is a question without an answer.
    pub(super) fn is_open(&self, file: FileId) -> bool {
        self.asked.contains_key(&file)
    }

    /// The files whose question has no answer, in order.
    pub(super) fn open(&self) -> impl Iterator<Item = (FileId, AskedFor)> {
        self.asked.iter().map(|(file, question)| (*file, question.asked.clone()))
    }

    fn forget_given(&mut self, file: FileId) -> Vec<Order> {
        let answers = self.given.remove(&file).unwrap_or_default();
        self.given_bytes -= answers.iter().map(weight).sum::<usize>();
        answers
    }
}

/// What an answer weighs while it waits, in bytes.
fn weight(answer: &Order) -> usize {
    match answer {
        Order::Inline { bytes, .. } => bytes.len(),
        Order::Source { address, .. } => address.expose().as_str().len(),
        Order::XorbRanges { ranges, .. } => {
            ranges.iter().map(|range| range.address.expose().as_str().len() + size_of::<XorbRange>()).sum()
        }
        Order::Terms { terms, .. } => terms.len() * size_of::<Term>(),
        _ => 0,
    }
}

fn is_in_terms(answer: &Order) -> bool {
    matches!(answer, Order::XorbRanges { .. } | Order::Terms { .. })
}
