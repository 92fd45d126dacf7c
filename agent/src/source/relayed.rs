//! Bytes that only the controller may read, as it passes them on: the same request and the same answer as over a
//! connection of this machine's own, in a stream of the conversation.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use hfdown_protocol::{FileId, Report, StreamEvent, StreamHead, StreamId, StreamRequest, limits};
use reqwest::StatusCode;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    RETRY_AFTER,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

use super::chunk::{Chunk, Extent};
use super::head::Expected;
use super::network::Network;
use super::pending::Unasked;
use crate::fault::FetchFault;

/// So much of a window is taken out of it before the controller is told: half, so that the other half is on its way
/// meanwhile.
const TOLD: usize = limits::WINDOW / 2;

/// Streams at once, however many connections there are: all go over one link, and what each has on its way is held in
/// memory on both sides. With 64 of them a process had 187 MB resident, with 8 it has 59.
const TURNS: usize = 8;

/// The streams of one conversation.
#[derive(Debug)]
pub(crate) struct Streams {
    open: Mutex<OpenStreams>,
    turns: Arc<Semaphore>,
}

impl Default for Streams {
    fn default() -> Self {
        Self { open: Mutex::default(), turns: Arc::new(Semaphore::new(TURNS)) }
    }
}

#[derive(Debug, Default)]
struct OpenStreams {
    /// How many there have been.
    numbered: u32,
    incoming: HashMap<StreamId, Arc<Incoming>>,
    /// Those that the controller has not been told of that they are closed.
    closed: Vec<StreamId>,
}

/// What has come of a stream and has not been taken.
#[derive(Debug, Default)]
struct Incoming {
    waiting: Mutex<Untaken>,
    arrived: Notify,
}

#[derive(Debug)]
struct Untaken {
    head: Option<StreamHead>,
    bytes: BytesMut,
    /// How many more the controller may send.
    room: usize,
    end: Option<Result<(), FetchFault>>,
}

impl Default for Untaken {
    fn default() -> Self {
        Self { head: None, bytes: BytesMut::new(), room: limits::WINDOW, end: None }
    }
}

impl Streams {
    /// Hands over what the controller says of a stream. One that is closed already is of no interest.
    pub(crate) fn hand_over(&self, stream: StreamId, event: StreamEvent) -> Result<(), Unasked> {
        let incoming = {
            let open = self.lock();
            match open.incoming.get(&stream) {
                Some(incoming) => Arc::clone(incoming),
                None if stream.0 < open.numbered => return Ok(()),
                None => return Err(Unasked),
            }
        };
        incoming.take(event)?;
        incoming.arrived.notify_one();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, OpenStreams> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Incoming {
    fn take(&self, event: StreamEvent) -> Result<(), Unasked> {
        let mut waiting = self.lock();
        if waiting.end.is_some() {
            return Err(Unasked);
        }
        match event {
            StreamEvent::Head(head) if waiting.head.is_none() => waiting.head = Some(head),
            StreamEvent::Bytes { bytes } if waiting.head.is_some() && bytes.len() <= waiting.room => {
                waiting.room -= bytes.len();
                waiting.bytes.extend_from_slice(&bytes);
            }
            StreamEvent::End if waiting.head.is_some() => waiting.end = Some(Ok(())),
            StreamEvent::Failed { failure } => {
                waiting.end = Some(Err(FetchFault::SourceUnavailable(failure)));
            }
            StreamEvent::Head(_) | StreamEvent::Bytes { .. } | StreamEvent::End => return Err(Unasked),
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Untaken> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of an answer that the controller passes on. The stream is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct RelayedStream {
    stream: StreamId,
    host: String,
    position: u64,
    incoming: Arc<Incoming>,
    /// Bytes that were taken since the controller was last told.
    taken: usize,
    streams: Arc<Streams>,
    reports: mpsc::Sender<Report>,
    _turn: OwnedSemaphorePermit,
}

/// Asks for an extent of a file of `size` bytes, by way of the controller.
pub(super) async fn ask(
    network: &Network,
    file: FileId,
    host: &str,
    extent: &Extent,
    size: u64,
) -> Result<RelayedStream, FetchFault> {
    network.cooldowns.check(host)?;
    let (range, position) = match extent {
        Extent::Whole => (None, 0),
        Extent::Range(range) => (Some(range.clone()), range.start),
    };
    let stream = open(network, file, host, range, position).await?;
    let waits = network.waiting.enter();
    let head = tokio::time::timeout(network.stall, stream.head()).await;
    drop(waits);
    let head = match head {
        Err(_) => return Err(FetchFault::Stalled { host: host.to_owned(), after: network.stall }),
        Ok(head) => head?,
    };
    let status = StatusCode::from_u16(head.status).map_err(|_| FetchFault::Nonsense {
        host: host.to_owned(),
        what: format!("answered {}", head.status),
    })?;
    let expected = Expected { host, extent, total: Some(size), has_query: false, is_page: true };
    let checked = expected.check(status, &headers(&head));
    checked.inspect_err(|fault| network.cooldowns.heed(fault))?;
    Ok(stream)
}

async fn open(
    network: &Network,
    file: FileId,
    host: &str,
    range: Option<Range<u64>>,
    position: u64,
) -> Result<RelayedStream, FetchFault> {
    // These fail only when the conversation is over, and then the fault is not read.
    let gone = |_| over(host);
    let turn = Arc::clone(&network.streams.turns).acquire_owned().await.map_err(|_| over(host))?;
    let closed = std::mem::take(&mut network.streams.lock().closed);
    for stream in closed {
        let request = StreamRequest::Close;
        network.reports.send(Report::Stream { stream, request }).await.map_err(gone)?;
    }
    // With room for it, so that streams are opened in the order of their numbers.
    let room = network.reports.reserve().await.map_err(|_| over(host))?;
    let incoming = Arc::new(Incoming::default());
    let mut open = network.streams.lock();
    let stream = StreamId(open.numbered);
    open.numbered += 1;
    open.incoming.insert(stream, Arc::clone(&incoming));
    room.send(Report::Stream { stream, request: StreamRequest::Open { file, range } });
    drop(open);
    Ok(RelayedStream {
        stream,
        host: host.to_owned(),
        position,
        incoming,
        taken: 0,
        streams: Arc::clone(&network.streams),
        reports: network.reports.clone(),
        _turn: turn,
    })
}

fn over(host: &str) -> FetchFault {
    FetchFault::Broken { host: host.to_owned(), why: "the conversation ended".to_owned() }
}

/// The headers of an answer, as far as they were passed on.
fn headers(head: &StreamHead) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut add = |name: HeaderName, value: Option<&str>| {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    };
    add(CONTENT_LENGTH, head.length.map(|length| length.to_string()).as_deref());
    add(CONTENT_RANGE, head.range.as_deref());
    add(CONTENT_ENCODING, head.encoding.as_deref());
    add(CONTENT_TYPE, head.media_type.as_deref());
    add(RETRY_AFTER, head.wait_seconds.map(|wait| wait.to_string()).as_deref());
    headers
}

impl RelayedStream {
    /// How the answer begins. Cancel-safe: it stays until the next one is asked for.
    async fn head(&self) -> Result<StreamHead, FetchFault> {
        loop {
            {
                let waiting = self.incoming.lock();
                if let Some(head) = &waiting.head {
                    return Ok(head.clone());
                }
                if let Some(Err(fault)) = &waiting.end {
                    return Err(fault.clone());
                }
            }
            self.incoming.arrived.notified().await;
        }
    }

    /// Cancel-safe: nothing is taken before the last wait.
    pub(super) async fn next(&mut self) -> Result<Option<Chunk>, FetchFault> {
        if self.taken >= TOLD {
            let room = self.reports.reserve().await.map_err(|_| over(&self.host))?;
            self.incoming.lock().room += self.taken;
            let bytes = u32::try_from(self.taken).unwrap_or(u32::MAX);
            let request = StreamRequest::Window { bytes };
            room.send(Report::Stream { stream: self.stream, request });
            self.taken = 0;
        }
        loop {
            if let Poll::Ready(next) = self.take()? {
                return Ok(next);
            }
            self.incoming.arrived.notified().await;
        }
    }

    /// What has come; none at the end.
    fn take(&mut self) -> Result<Poll<Option<Chunk>>, FetchFault> {
        let bytes: Bytes = {
            let mut waiting = self.incoming.lock();
            if waiting.bytes.is_empty() {
                return match &waiting.end {
                    None => Ok(Poll::Pending),
                    Some(Ok(())) => Ok(Poll::Ready(None)),
                    Some(Err(fault)) => Err(fault.clone()),
                };
            }
            waiting.bytes.split().freeze()
        };
        let (offset, wire) = (self.position, bytes.len() as u64);
        self.position += wire;
        self.taken += bytes.len();
        Ok(Poll::Ready(Some(Chunk { offset, bytes, wire })))
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }
}

impl Drop for RelayedStream {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        open.incoming.remove(&self.stream);
        if self.incoming.lock().end.is_some() {
            return;
        }
        let close = Report::Stream { stream: self.stream, request: StreamRequest::Close };
        // Where there is no room, the next one that is opened says it.
        if self.reports.try_send(close).is_err() {
            open.closed.push(self.stream);
        }
    }
}

#[cfg(test)]
#[path = "relayed_tests.rs"]
mod tests;
