//! A body on its way out: read piece by piece, slowed down, tampered with, or stopped.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use hyper::body::{Body as HttpBody, Frame};
use tokio::time::{Instant, sleep, sleep_until};

use super::content::{Content, ContentReader, PIECE};
use super::log::OpenRequest;
use super::stall::StallHandle;
use super::wire::ConnectionState;

/// What a body that trickles brings at a time, and how long it takes for it.
const DROP: (u64, Duration) = (10, Duration::from_millis(500));

/// What a body consists of, and what happens to it.
#[derive(Debug)]
pub(super) struct BodyPlan {
    pub(super) content: Content,
    pub(super) span: Range<u64>,
    /// Bytes that do not belong there, at the end.
    pub(super) surplus: u64,
    /// Offsets in the content of bytes that are turned round.
    pub(super) flipped: Vec<u64>,
    /// Where it stops, counted from the beginning of the body.
    pub(super) stops: Vec<(u64, Interruption)>,
    pub(super) bytes_per_second: Option<u64>,
    /// The offset in the content from which on it trickles.
    pub(super) trickles_from: Option<u64>,
}

/// How a body stops.
#[derive(Clone, Debug)]
pub(super) enum Interruption {
    Cut,
    Reset,
    Stall(StallHandle),
}

impl BodyPlan {
    pub(super) fn plain(content: Content, span: Range<u64>) -> Self {
        Self {
            content,
            span,
            surplus: 0,
            flipped: Vec::new(),
            stops: Vec::new(),
            bytes_per_second: None,
            trickles_from: None,
        }
    }

    /// How many bytes it will be.
    pub(super) fn length(&self) -> u64 {
        self.span.end - self.span.start + self.surplus
    }
}

/// The body as the HTTP server takes it.
pub(super) struct ResponseBody(Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>);

impl ResponseBody {
    pub(super) fn empty() -> Self {
        Self(Box::pin(stream::empty()))
    }

    pub(super) fn new(mut script: BodyPlan, line: Arc<ConnectionState>, entry: Arc<OpenRequest>) -> Self {
        script.stops.sort_by_key(|(at, _)| *at);
        script.stops.reverse();
        let flow = Flow { script, line, entry, reader: None, sent: 0, started: Instant::now() };
        Self(Box::pin(stream::try_unfold(flow, Flow::next)))
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.as_mut().poll_next(context).map_ok(Frame::data)
    }
}

struct Flow {
    script: BodyPlan,
    line: Arc<ConnectionState>,
    entry: Arc<OpenRequest>,
    reader: Option<ContentReader>,
    sent: u64,
    started: Instant,
}

impl Flow {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        self.stop().await?;
        let left = self.script.length() - self.sent;
        if left == 0 {
            return Ok(None);
        }
        let to_stop = self.script.stops.last().map_or(u64::MAX, |(at, _)| at - self.sent);
        let length = left.min(to_stop).min(self.pace().await).min(self.trickle().await);
        let piece = self.read(length)?;
        self.sent += piece.len() as u64;
        self.entry.sent(piece.len() as u64);
        Ok(Some((piece, self)))
    }

    async fn stop(&mut self) -> io::Result<()> {
        while let Some((_, stop)) = self.script.stops.pop_if(|(at, _)| *at == self.sent) {
            self.line.flushed().await;
            match stop {
                Interruption::Cut => return Err(io::ErrorKind::ConnectionAborted.into()),
                Interruption::Reset => {
                    self.line.reset();
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                Interruption::Stall(stall) => stall.hold().await,
            }
        }
        Ok(())
    }

    /// Waits until the next piece is due, and says how long it may be.
    async fn pace(&self) -> u64 {
        let Some(rate) = self.script.bytes_per_second else { return PIECE };
        sleep_until(self.started + Duration::from_secs_f64(self.sent as f64 / rate as f64)).await;
        // Fifty times a second is smooth to every eye that watches a progress bar.
        (rate / 50).clamp(1, PIECE)
    }

    /// The same of a body that trickles in the end.
    async fn trickle(&self) -> u64 {
        let Some(at) = self.script.trickles_from else { return PIECE };
        let (piece, pause) = DROP;
        match at.saturating_sub(self.script.span.start + self.sent) {
            0 => {
                sleep(pause).await;
                piece
            }
            before => before,
        }
    }

    /// Reads on the spot. The threads are the Hub's own, and what benchmarks serve is in the page cache: a thread pool
    /// would cost more than it saves.
    fn read(&mut self, length: u64) -> io::Result<Bytes> {
        let start = self.script.span.start + self.sent;
        let length = match self.script.span.end.saturating_sub(start) {
            0 => return Ok(vec![b'.'; usize::try_from(length).map_err(io::Error::other)?].into()),
            left => length.min(left),
        };
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(self.script.content.open()?),
        };
        let piece = reader.read(start, length)?;
        if !self.script.flipped.iter().any(|at| (start..start + length).contains(at)) {
            return Ok(piece);
        }
        let mut piece = piece.to_vec();
        for at in &self.script.flipped {
            let byte = at.checked_sub(start).and_then(|at| piece.get_mut(usize::try_from(at).ok()?));
            if let Some(byte) = byte {
                *byte ^= 0xff;
            }
        }
        Ok(piece.into())
    }
}
