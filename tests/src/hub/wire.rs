//! A connection, with two things that an HTTP server keeps to itself: when its bytes have reached the socket, and
//! whether it ends with a reset.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// What the handlers of a connection's requests know of it.
#[derive(Debug)]
pub(super) struct ConnectionState {
    /// Shared by the requests on it.
    pub(super) number: u64,
    flushed: Notify,
    reset: AtomicBool,
}

impl ConnectionState {
    pub(super) fn new(number: u64) -> Arc<Self> {
        Arc::new(Self { number, flushed: Notify::new(), reset: AtomicBool::new(false) })
    }

    /// Waits until all that was handed to the HTTP server so far has reached the socket.
    ///
    /// For bodies: the server flushes when a body has nothing more to give at the moment, so the flush that this waits
    /// for comes after the bytes that were given before.
    pub(super) async fn flushed(&self) {
        self.flushed.notified().await;
    }

    /// Lets the connection end with a TCP reset.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }
}

/// The stream beneath the HTTP server.
#[derive(Debug)]
pub(super) struct ServedStream {
    stream: TcpStream,
    line: Arc<ConnectionState>,
}

impl ServedStream {
    pub(super) fn new(stream: TcpStream, line: Arc<ConnectionState>) -> Self {
        Self { stream, line }
    }
}

impl Drop for ServedStream {
    fn drop(&mut self) {
        if self.line.reset.load(Ordering::Relaxed) {
            // To close without lingering is how the socket interface spells a reset.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for ServedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for ServedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.line.flushed.notify_waiters();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
