//! Where the controller's answers to `NeedSource` meet the workers that wait for them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use hfdown_protocol::{Address, Failure, FileId};
use tokio::sync::oneshot;

/// The answers that are being waited for.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    waiting: Mutex<HashMap<FileId, Waiting>>,
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Fetch it from there.
    Address(Address),
    /// These are its bytes.
    Bytes(Bytes),
    /// It can't be had.
    SourceUnavailable(Failure),
}

#[derive(Debug)]
struct Waiting {
    size: u64,
    received: BytesMut,
    answer: oneshot::Sender<Answer>,
}

/// An answer that was not asked for, or bytes beyond a file's size: the controller broke the protocol.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unasked;

impl Answers {
    /// Announces that an answer for a file of `size` bytes will be waited for. A file has one waiter at a time.
    pub(crate) fn expect(&self, file: FileId, size: u64) -> oneshot::Receiver<Answer> {
        let (answer, receiver) = oneshot::channel();
        self.waiting().insert(file, Waiting { size, received: BytesMut::new(), answer });
        receiver
    }

    /// Hands over an answer.
    pub(crate) fn give(&self, file: FileId, answer: Answer) -> Result<(), Unasked> {
        let waiting = self.waiting().remove(&file).ok_or(Unasked)?;
        // A waiter that was cancelled needs no answer.
        let _ = waiting.answer.send(answer);
        Ok(())
    }

    /// Hands over some bytes of an answer, which is complete at the file's size.
    pub(crate) fn give_bytes(&self, file: FileId, bytes: &[u8]) -> Result<(), Unasked> {
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
        complete.map_or(Ok(()), |bytes| self.give(file, Answer::Bytes(bytes)))
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
        let answers = Answers::default();
        let mut receiver = answers.expect(FileId(1), 3);
        answers.give_bytes(FileId(1), b"ab").unwrap();
        assert!(receiver.try_recv().is_err());
        answers.give_bytes(FileId(1), b"c").unwrap();
        assert!(matches!(receiver.try_recv(), Ok(Answer::Bytes(bytes)) if bytes == "abc"));
        assert_eq!(answers.give_bytes(FileId(1), b"d"), Err(Unasked));
        let _receiver = answers.expect(FileId(2), 1);
        assert_eq!(answers.give_bytes(FileId(2), b"ab"), Err(Unasked));
    }
}
