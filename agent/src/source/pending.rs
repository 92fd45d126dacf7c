//! Where the controller's answers to `NeedSource` meet the connections that wait for them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use hfdown_protocol::{Address, Failure, FileId, HubNetwork, Order, Term, XorbRange, limits};
use tokio::sync::oneshot;

/// The sources that were asked for and have not come.
#[derive(Debug, Default)]
pub(crate) struct PendingSources {
    waiting: Mutex<HashMap<FileId, Waiting>>,
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) enum SourceAnswer {
    /// Fetch it from there, as a Hub in such a network says.
    Address(Address, HubNetwork),
    /// These are its bytes.
    Bytes(Bytes),
    /// They are in these bytes of xorbs.
    Terms(Vec<XorbRange>, Vec<Term>, HubNetwork),
    /// The controller passes its bytes on, from this host.
    Relayed(String),
    /// It can't be had.
    SourceUnavailable(Failure),
}

#[derive(Debug)]
struct Waiting {
    size: u64,
    received: BytesMut,
    ranges: Vec<XorbRange>,
    terms: Vec<Term>,
    hub: HubNetwork,
    answer: oneshot::Sender<SourceAnswer>,
}

/// An answer that was not asked for, bytes beyond a file's size, or more terms than may be: the controller broke the
/// protocol.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unasked;

impl PendingSources {
    /// Announces that an answer for a file of `size` bytes will be waited for. A file has one waiter at a time.
    pub(crate) fn expect(&self, file: FileId, size: u64) -> oneshot::Receiver<SourceAnswer> {
        let (answer, receiver) = oneshot::channel();
        let bytes = BytesMut::new();
        self.waiting().insert(
            file,
            Waiting {
                size,
                received: bytes,
                ranges: Vec::new(),
                terms: Vec::new(),
                hub: HubNetwork::Public,
                answer,
            },
        );
        receiver
    }

    /// Hands over what an order has of an answer. Other orders are none.
    pub(crate) fn answer(&self, order: Order) -> Result<(), Unasked> {
        match order {
            Order::Source { file, address, hub } => self.give(file, SourceAnswer::Address(address, hub)),
            Order::SourceUnavailable { file, failure } => {
                self.give(file, SourceAnswer::SourceUnavailable(failure))
            }
            Order::Inline { file, bytes } => self.give_bytes(file, &bytes),
            Order::Relayed { file, host } => self.give(file, SourceAnswer::Relayed(host)),
            Order::XorbRanges { file, ranges, hub } => self.give_xorb_ranges(file, ranges, hub),
            Order::Terms { file, terms, is_last } => self.give_terms(file, terms, is_last),
            _ => Err(Unasked),
        }
    }

    /// Hands over an answer.
    pub(crate) fn give(&self, file: FileId, answer: SourceAnswer) -> Result<(), Unasked> {
        let waiting = self.waiting().remove(&file).ok_or(Unasked)?;
        // A waiter that was cancelled needs no answer.
        let _ = waiting.answer.send(answer);
        Ok(())
    }

    /// Hands over some bytes of an answer, which is complete at the file's size.
    fn give_bytes(&self, file: FileId, bytes: &[u8]) -> Result<(), Unasked> {
        let complete = {
            let mut all = self.waiting();
            let waiting = all.get_mut(&file).ok_or(Unasked)?;
            waiting.received.extend_from_slice(bytes);
            let received = waiting.received.len() as u64;
            if received > waiting.size {
                return Err(Unasked);
            }
            (received == waiting.size).then(|| waiting.received.split().freeze())
        };
        complete.map_or(Ok(()), |bytes| self.give(file, SourceAnswer::Bytes(bytes)))
    }

    /// Hands over some of the xorb ranges of an answer.
    fn give_xorb_ranges(&self, file: FileId, ranges: Vec<XorbRange>, hub: HubNetwork) -> Result<(), Unasked> {
        let mut all = self.waiting();
        let waiting = all.get_mut(&file).ok_or(Unasked)?;
        waiting.ranges.extend(ranges);
        waiting.hub = hub;
        if waiting.ranges.len() > limits::XORB_RANGES { Err(Unasked) } else { Ok(()) }
    }

    /// Hands over some of its terms, after which it may be complete.
    fn give_terms(&self, file: FileId, terms: Vec<Term>, is_last: bool) -> Result<(), Unasked> {
        let complete = {
            let mut all = self.waiting();
            let waiting = all.get_mut(&file).ok_or(Unasked)?;
            waiting.terms.extend(terms);
            if waiting.terms.len() > limits::TERMS {
                return Err(Unasked);
            }
            is_last.then(|| {
                let (ranges, terms) =
                    (std::mem::take(&mut waiting.ranges), std::mem::take(&mut waiting.terms));
                SourceAnswer::Terms(ranges, terms, waiting.hub)
            })
        };
        complete.map_or(Ok(()), |answer| self.give(file, answer))
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<FileId, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_add_up_to_the_size_and_no_further() {
        let pending = PendingSources::default();
        let mut receiver = pending.expect(FileId(1), 3);
        pending.give_bytes(FileId(1), b"ab").unwrap();
        assert!(receiver.try_recv().is_err());
        pending.give_bytes(FileId(1), b"c").unwrap();
        assert!(matches!(receiver.try_recv(), Ok(SourceAnswer::Bytes(bytes)) if bytes == "abc"));
        assert_eq!(pending.give_bytes(FileId(1), b"d"), Err(Unasked));
        let _receiver = pending.expect(FileId(2), 1);
        assert_eq!(pending.give_bytes(FileId(2), b"ab"), Err(Unasked));
    }
}
