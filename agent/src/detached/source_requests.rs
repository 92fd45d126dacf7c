//! The sources that a transfer has asked for, and those that were given before they are asked for.

use std::collections::{BTreeMap, HashMap};

use hfdown_protocol::{AskedFor, Failure, FailureKind, FileId, Order, handed_over_weight, limits};

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
        let given = self.forget_given(file);
        let wants_terms = *asked != AskedFor::Plain;
        let (answers, others): (Vec<_>, Vec<_>) =
            given.into_iter().partition(|answer| is_in_terms(answer) == wants_terms);
        // Where terms come to nothing, something else is asked for; after that they are not.
        if wants_terms && !others.is_empty() {
            self.given_bytes += others.iter().map(weight).sum::<usize>();
            self.given.insert(file, others);
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
        Order::XorbRanges { ranges, .. } => handed_over_weight(ranges, &[]),
        Order::Terms { terms, .. } => handed_over_weight(&[], terms),
        _ => 0,
    }
}

fn is_in_terms(answer: &Order) -> bool {
    matches!(answer, Order::XorbRanges { .. } | Order::Terms { .. })
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::{Address, HubNetwork};

    use super::*;

    const FILE: FileId = FileId(7);

    fn given() -> (SourceRequests, Order, Order) {
        let address = Address::new("https://cdn.example/file").unwrap();
        let plain = Order::Source { file: FILE, address, hub: HubNetwork::Public };
        let terms = Order::Terms { file: FILE, terms: Vec::new(), is_last: true };
        let mut requests = SourceRequests::default();
        for order in [&terms, &plain] {
            assert!(matches!(requests.answer(FILE, order.clone(), 10), Ok(None)));
        }
        (requests, terms, plain)
    }

    #[test]
    fn terms_that_were_given_come_first_and_an_address_where_they_come_to_nothing() {
        let in_terms = AskedFor::Terms { missing: std::iter::once(0..10).collect() };
        let (mut requests, terms, plain) = given();
        assert_eq!(requests.ask(FILE, &in_terms), [terms]);
        assert_eq!(requests.ask(FILE, &in_terms), [], "they have gone stale");
        assert!(requests.is_open(FILE));
        assert_eq!(requests.ask(FILE, &AskedFor::Plain), [plain]);
        assert_eq!((requests.given.len(), requests.given_bytes), (0, 0));
        // A file that does not come by its terms needs them no more.
        let (mut requests, _, plain) = given();
        assert_eq!(requests.ask(FILE, &AskedFor::Plain), [plain]);
        assert_eq!((requests.ask(FILE, &in_terms), requests.given_bytes), (Vec::new(), 0));
    }
}
