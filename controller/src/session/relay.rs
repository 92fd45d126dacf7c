//! Bytes that only this machine may read, passed on to an agent: streams that it opens, as far as their windows go.
//!
//! An agent is sent what it has asked for of a file that it was told to ask for, and of each no more than a few times as
//! much as there is: one that asks without end ends the conversation.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hfdown_protocol::{FileId, Order, StreamEvent, StreamId, StreamRequest, limits};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use super::error::SessionError;
use super::monitor::TransferMonitor;
use super::sources::Sources;
use crate::hub::{ListedFile, RangeAnswer};

/// How often as much as a file has may be read of it: a server that ignores ranges and breaks off is asked for the whole
/// of it ten times, and one whose bytes are wrong once more.
const MOST_TIMES: u64 = 20;
/// What is granted of any file beside that.
const ALLOWANCE: u64 = 64 << 20;
/// What a stream counts for at least, in bytes: it is a question to the Hub with the token.
const QUESTION: u64 = 64 << 10;
/// For how many windows of streams that have just ended there may be, for each stream.
const STRAYS: u64 = 4;

/// The streams of one conversation.
pub(super) struct Relay {
    out: mpsc::Sender<Order>,
    open: HashMap<StreamId, OpenStream>,
    reading: JoinSet<StreamId>,
    read: HashMap<FileId, Arc<AtomicU64>>,
    opened: u64,
    last: Option<StreamId>,
    strays: u64,
}

/// One of them.
struct OpenStream {
    /// How many bytes may still be sent.
    window: Arc<Semaphore>,
    reading: AbortHandle,
}

/// What is read for one of them.
struct Reading {
    sources: Sources,
    id: FileId,
    file: ListedFile,
    range: Option<Range<u64>>,
    stream: StreamId,
    window: Arc<Semaphore>,
    /// Bytes of the file that were read in this conversation, by all its streams.
    read: Arc<AtomicU64>,
    out: mpsc::Sender<Order>,
}

impl Relay {
    /// No stream yet; what is read goes out there.
    pub(super) fn new(out: mpsc::Sender<Order>) -> Self {
        Self {
            out,
            open: HashMap::new(),
            reading: JoinSet::new(),
            read: HashMap::new(),
            opened: 0,
            last: None,
            strays: 0,
        }
    }

    /// Does what an agent asks for.
    pub(super) fn hear(
        &mut self,
        stream: StreamId,
        request: StreamRequest,
        sources: &Sources,
        monitor: &mut TransferMonitor<'_>,
    ) -> Result<(), SessionError> {
        while let Some(ended) = self.reading.try_join_next() {
            if let Ok(ended) = ended {
                self.open.remove(&ended);
            }
        }
        match (request, self.open.get(&stream)) {
            (StreamRequest::Open { file, range }, _) => {
                if self.last.is_some_and(|last| last >= stream) || self.open.len() >= limits::STREAMS {
                    return Err(SessionError::protocol("it opens streams without end"));
                }
                (self.last, self.opened) = (Some(stream), self.opened + 1);
                let unsettled = monitor.unsettled(file)?;
                // One that was opened just before the file was given up is of no interest.
                let Some(listed) = unsettled.map(|unsettled| unsettled.planned.listed()) else {
                    return Ok(());
                };
                self.read(stream, file, listed, range, sources)?;
            }
            (StreamRequest::Window { bytes }, Some(open)) => {
                let bytes = bytes as usize;
                if bytes == 0 || open.window.available_permits() + bytes > limits::WINDOW {
                    return Err(SessionError::protocol("it makes room for more than it has taken"));
                }
                open.window.add_permits(bytes);
            }
            (StreamRequest::Close, Some(open)) => {
                open.reading.abort();
                self.open.remove(&stream);
            }
            // It has just ended.
            (StreamRequest::Window { .. } | StreamRequest::Close, None) => {
                self.strays += 1;
                if self.strays > STRAYS * self.opened {
                    return Err(SessionError::protocol("it speaks of streams that there are not"));
                }
            }
        }
        Ok(())
    }

    fn read(
        &mut self,
        stream: StreamId,
        id: FileId,
        file: ListedFile,
        range: Option<Range<u64>>,
        sources: &Sources,
    ) -> Result<(), SessionError> {
        let is_within = range.as_ref().is_none_or(|range| range.start < range.end && range.end <= file.size);
        if !is_within || !sources.relays(id) {
            return Err(SessionError::protocol("it asks for bytes that it was not to ask for"));
        }
        let read = Arc::clone(self.read.entry(id).or_default());
        let most = file.size.saturating_mul(MOST_TIMES).saturating_add(ALLOWANCE);
        if read.fetch_add(QUESTION, Ordering::Relaxed) > most {
            return Err(SessionError::protocol("it reads one file without end"));
        }
        let window = Arc::new(Semaphore::new(limits::WINDOW));
        let reading = Reading {
            sources: sources.clone(),
            id,
            file,
            range,
            stream,
            window: Arc::clone(&window),
            read,
            out: self.out.clone(),
        };
        let reading = self.reading.spawn(async move {
            // Without room for it the conversation is over.
            let _ = reading.pass_on().await;
            stream
        });
        self.open.insert(stream, OpenStream { window, reading });
        Ok(())
    }
}

/// The conversation is over.
struct Over;

impl Reading {
    /// Reads what was asked for, and sends it as far as the window goes.
    async fn pass_on(self) -> Result<(), Over> {
        let ended = match self.sources.read_range(self.id, &self.file, self.range.as_ref()).await {
            Err(failure) => StreamEvent::Failed { failure },
            Ok(RangeAnswer::Elsewhere) => StreamEvent::Failed { failure: self.sources.moved() },
            Ok(RangeAnswer::Here(head, body)) => {
                self.say(StreamEvent::Head(head)).await?;
                let mut body = body;
                loop {
                    let next = match &mut body {
                        None => Ok(None),
                        Some(body) => body.next().await,
                    };
                    match next {
                        Ok(Some(bytes)) => self.send(bytes).await?,
                        Ok(None) => break StreamEvent::End,
                        Err(error) => {
                            break StreamEvent::Failed { failure: self.sources.refused(self.id, &error) };
                        }
                    }
                }
            }
        };
        self.say(ended).await
    }

    async fn send(&self, mut bytes: Bytes) -> Result<(), Over> {
        while !bytes.is_empty() {
            // As much as there is room for, once there is any. It is taken by this stream alone.
            self.window.acquire().await.map_err(|_| Over)?.forget();
            let room = 1 + self.window.available_permits();
            let next = bytes.split_to(room.min(bytes.len()).min(limits::INLINE));
            self.window.forget_permits(next.len() - 1);
            self.read.fetch_add(next.len() as u64, Ordering::Relaxed);
            self.say(StreamEvent::Bytes { bytes: next.to_vec() }).await?;
        }
        Ok(())
    }

    async fn say(&self, event: StreamEvent) -> Result<(), Over> {
        self.out.send(Order::Stream { stream: self.stream, event }).await.map_err(|_| Over)
    }
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
