//! The sources that a transfer has asked for, and those that were given before they are asked for.

use std::collections::{BTreeMap, HashMap};

use hfdown_protocol::{Failure, FailureKind, FileId, Order, limits};

/// Questions without an answer, and answers without a question.
#[derive(Debug, Default)]
pub(super) struct SourceRequests {
    /// Answers that came first, and their bytes.
    given: HashMap<FileId, Vec<Order>>,
    given_bytes: usize,
    /// Questions that have not been answered, and how many bytes of an answer have come.
    asked: BTreeMap<FileId, u64>,
}

/// More was handed over than may wait in memory.
#[derive(Debug)]
pub(super) struct TooMuch;

impl SourceRequests {
    /// A file's source is needed: what was given for it, or nothing, and then the question is open.
    pub(super) fn ask(&mut self, file: FileId) -> Vec<Order> {
        let answers = self.forget_given(file);
        if answers.is_empty() {
            self.asked.insert(file, 0);
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
        let Some(came) = self.asked.get_mut(&file) else {
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
            self.asked.iter().filter(|(_, came)| **came > 0).map(|(file, _)| *file).collect();
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
    pub(super) fn open(&self) -> impl Iterator<Item = FileId> {
        self.asked.keys().copied()
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
        _ => 0,
    }
}
