//! What many boxes say alike is said once, and counted.

use std::collections::{BTreeSet, HashMap};

/// So many different messages are remembered. Boxes of a fleet have little to say that others do not; one that floods is
/// not listened to for ever.
const MOST: usize = 256;

/// Messages by what they say.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    messages: HashMap<String, SaidMessage>,
    /// How many were said, for the order of those that are remembered.
    said: usize,
    /// How many were not, because too many were.
    left_out: usize,
}

#[derive(Debug)]
struct SaidMessage {
    place: usize,
    text: String,
    /// The first box of it.
    first: usize,
    /// The others, by their places on the board.
    others: BTreeSet<usize>,
}

impl Repeated {
    /// Whether a message of this box is to be said now: it is the first of its kind.
    pub(super) fn is_new(&mut self, member: usize, text: &str) -> bool {
        let key = without_addresses(text);
        if let Some(known) = self.messages.get_mut(&key) {
            if member != known.first {
                known.others.insert(member);
            }
            return false;
        }
        if self.messages.len() >= MOST {
            self.left_out += 1;
            return false;
        }
        let (text, others) = (text.to_owned(), BTreeSet::new());
        self.messages.insert(key, SaidMessage { place: self.said, text, first: member, others });
        self.said += 1;
        true
    }

    /// What others said as well, in the order in which it was first said, and who they are.
    pub(super) fn others(&self) -> Vec<(&str, Vec<usize>)> {
        let mut repeated: Vec<_> =
            self.messages.values().filter(|message| !message.others.is_empty()).collect();
        repeated.sort_by_key(|message| message.place);
        repeated
            .into_iter()
            .map(|message| (message.text.as_str(), message.others.iter().copied().collect()))
            .collect()
    }

    /// How many messages were not said at all.
    pub(super) fn left_out(&self) -> usize {
        self.left_out
    }
}

/// A text in which no address of a box tells it from the same of another box, nor a wait.
fn without_addresses(text: &str) -> String {
    let is_address = |word: &str| {
        let word = word.trim_end_matches([',', '.', ';', ':', ')']);
        word.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let is_figure = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    // Other figures are what a message is about: three files are not five.
    let is_of_a_wait = |before: &str| ["for", "in", "(attempt", "attempt"].contains(&before);
    let mut before = "";
    let mut words = Vec::new();
    for word in text.split(' ') {
        let is_own = is_address(word) || is_figure(word) && is_of_a_wait(before);
        words.push(if is_own { "…" } else { word });
        before = word;
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_many_boxes_is_said_once_and_its_others_are_known() {
        let mut repeated = Repeated::default();
        assert!(repeated.is_new(0, "warning: the disk does not lock"));
        for member in [1, 2, 2, 0] {
            assert!(!repeated.is_new(member, "warning: the disk does not lock"));
        }
        assert!(repeated.is_new(0, "warning: 3 files could not be removed"));
        assert!(repeated.is_new(1, "warning: 512 files could not be removed"));
        assert!(repeated.is_new(1, "10.0.0.1:22 refused the connection; trying for 180 s"));
        assert!(!repeated.is_new(2, "10.0.0.2:2222 refused the connection; trying for 90 s"));
        assert_eq!(
            repeated.others(),
            [
                ("warning: the disk does not lock", vec![1, 2]),
                ("10.0.0.1:22 refused the connection; trying for 180 s", vec![2]),
            ]
        );
    }

    #[test]
    fn a_flood_is_not_remembered() {
        let mut repeated = Repeated::default();
        let said = (0..10_000).filter(|number| repeated.is_new(0, &format!("warning: x{number}"))).count();
        assert_eq!((said, repeated.left_out()), (MOST, 10_000 - MOST));
    }
}
