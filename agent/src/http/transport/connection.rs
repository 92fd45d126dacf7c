//! One connection, and the large pieces in which it is read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{self, Connected};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio_rustls::client::TlsStream;

use super::sessions::PendingTickets;
use crate::http::tunnel::Wire;

/// What the kernel is asked for at a time: eight records of TLS. More leaves the processor's cache before it is decrypted.
const READ_AHEAD: usize = 128 << 10;

/// A connection below HTTP.
pub(super) struct Connection {
    stream: Stream,
    /// Whether it is a proxy that answers, which is asked for whole addresses.
    is_proxy: bool,
}

enum Stream {
    Plain(Box<dyn Wire>),
    Tls(Box<TlsStream<ReadAhead>>, Option<PendingTickets>),
}

/// Encrypted bytes, read ahead.
pub(super) type ReadAhead = BufReader<Box<dyn Wire>>;

/// A connection that is about to speak TLS.
pub(super) fn read_ahead(wire: Box<dyn Wire>) -> ReadAhead {
    BufReader::with_capacity(READ_AHEAD, wire)
}

impl Connection {
    /// One that is not encrypted.
    pub(super) fn plain(wire: Box<dyn Wire>, is_proxy: bool) -> Self {
        Self { stream: Stream::Plain(wire), is_proxy }
    }

    /// One that is.
    pub(super) fn encrypted(stream: TlsStream<ReadAhead>, tickets: PendingTickets) -> Self {
        Self { stream: Stream::Tls(Box::new(stream), Some(tickets)), is_proxy: false }
    }
}

impl connect::Connection for Connection {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.is_proxy)
    }
}

impl AsyncRead for Connection {
    /// Fills the buffer with what has arrived, record after record.
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (stream, tickets) = match &mut self.stream {
            Stream::Plain(wire) => return Pin::new(wire).poll_read(context, buffer),
            Stream::Tls(stream, tickets) => (stream, tickets),
        };
        let before = buffer.filled().len();
        while buffer.remaining() > 0 {
            let filled = buffer.filled().len();
            match Pin::new(&mut *stream).poll_read(context, buffer) {
                Poll::Ready(Ok(())) if buffer.filled().len() > filled => {}
                // Where something has come, the end and a fault are met again when more is read.
                end if filled == before => return end,
                _ => break,
            }
        }
        // Tickets come before the first bytes of an answer.
        *tickets = None;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(wire) => Pin::new(wire).poll_write(context, bytes),
            Stream::Tls(stream, _) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(wire) => Pin::new(wire).poll_flush(context),
            Stream::Tls(stream, _) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(wire) => Pin::new(wire).poll_shutdown(context),
            Stream::Tls(stream, _) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
