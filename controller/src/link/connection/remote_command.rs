//! One command on the box: its three streams, and how it ended.
//!
//! A channel that is not read would stop the whole connection, keepalives included. So a task of its own reads each
//! channel to its end: output goes to a bounded queue and is thrown away once its reader is gone, errors go to a ring.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use russh::ChannelMsg;
use russh::client::Msg;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::link::command_exit::CommandExit;

/// How much of a command's standard error is kept, in bytes: the last part, as that holds the reason.
const ERRORS_KEPT: usize = 32 * 1024;

/// Blocks of output that wait to be read. Each has at most 64 KiB, and russh itself holds some more.
const BLOCKS_WAITING: usize = 16;

/// How long what was told to end may take.
const PARTING: Duration = Duration::from_secs(2);

/// A running command.
pub(in crate::link) struct RemoteCommand {
    pub(in crate::link) reader: ChannelReader,
    pub(in crate::link) writer: ChannelWriter,
    pub(in crate::link) status: CommandStatus,
    sender: russh::ChannelWriteHalf<Msg>,
}

/// What is known of a command's end. Shared with the task that reads its channel.
#[derive(Clone)]
pub(in crate::link) struct CommandStatus {
    facts: Arc<Mutex<CommandFacts>>,
    /// Cancelled when the channel has ended.
    ended: CancellationToken,
    _task: Arc<AbortOnDrop>,
}

#[derive(Debug, Default)]
struct CommandFacts {
    errors: VecDeque<u8>,
    exit: Option<CommandExit>,
    refused: bool,
    closed: bool,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl RemoteCommand {
    /// Takes over a channel on which a command was asked for.
    pub(in crate::link) fn new(channel: russh::Channel<Msg>) -> Self {
        let (half, sender) = channel.split();
        let facts = Arc::new(Mutex::new(CommandFacts::default()));
        let ended = CancellationToken::new();
        let (blocks, reader) = mpsc::channel(BLOCKS_WAITING);
        let task = tokio::spawn(drain(half, blocks, Arc::clone(&facts), ended.clone()));
        let writer = ChannelWriter {
            inner: Box::pin(sender.make_writer()),
            ended: Box::pin(ended.clone().cancelled_owned()),
        };
        let status = CommandStatus { facts, ended, _task: Arc::new(AbortOnDrop(task)) };
        Self { reader: ChannelReader { blocks: reader, rest: Bytes::new() }, writer, status, sender }
    }

    /// Ends its input and waits for its end, at most for a moment; then the channel is closed whatever runs there. Some
    /// servers allow one channel at a time, so it should really be gone.
    pub(in crate::link) async fn hang_up(mut self) {
        // It may have ended by itself.
        _ = self.writer.shutdown().await;
        if timeout(PARTING, self.status.ended()).await.is_err() {
            _ = self.sender.close().await;
        }
    }
}

/// Reads a channel until it is closed, or the connection is gone.
async fn drain(
    mut half: russh::ChannelReadHalf,
    blocks: mpsc::Sender<Bytes>,
    facts: Arc<Mutex<CommandFacts>>,
    ended: CancellationToken,
) {
    // On every way out, also that of an abort, the writer must be woken.
    let _ended = ended.drop_guard();
    let facts = || facts.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some(message) = half.wait().await {
        match message {
            // It is thrown away once the reader is gone.
            ChannelMsg::Data { data } => _ = blocks.send(data).await,
            ChannelMsg::ExtendedData { data, .. } => facts().keep(&data),
            ChannelMsg::ExitStatus { exit_status } => facts().exit = Some(CommandExit::Status(exit_status)),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                facts().exit = Some(CommandExit::of_signal(&signal_name));
            }
            ChannelMsg::Failure => {
                facts().refused = true;
                return;
            }
            ChannelMsg::Close => {
                facts().closed = true;
                return;
            }
            _ => {}
        }
    }
}

impl CommandFacts {
    fn keep(&mut self, data: &[u8]) {
        self.errors.extend(data);
        let excess = self.errors.len().saturating_sub(ERRORS_KEPT);
        self.errors.drain(..excess);
    }
}

impl CommandStatus {
    fn facts(&self) -> std::sync::MutexGuard<'_, CommandFacts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the channel has ended.
    pub(in crate::link) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// The last part of standard error, as it came.
    pub(in crate::link) fn errors(&self) -> Vec<u8> {
        self.facts().errors.iter().copied().collect()
    }

    pub(in crate::link) fn exit(&self) -> Option<CommandExit> {
        self.facts().exit.clone()
    }

    pub(in crate::link) fn exit_status(&self) -> Option<u32> {
        match self.facts().exit {
            Some(CommandExit::Status(status)) => Some(status),
            _ => None,
        }
    }

    /// The server would not run the command.
    pub(in crate::link) fn refused(&self) -> bool {
        self.facts().refused
    }

    /// The channel ended as channels do; otherwise the connection broke.
    pub(in crate::link) fn closed(&self) -> bool {
        self.facts().closed
    }
}

/// A command's standard output.
pub struct ChannelReader {
    blocks: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl AsyncRead for ChannelReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(self.blocks.poll_recv(context)) {
                Some(block) => self.rest = block,
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = buffer.remaining().min(self.rest.len());
        buffer.put_slice(&self.rest.split_to(length));
        Poll::Ready(Ok(()))
    }
}

/// A command's standard input. russh's own writer waits for ever for a window that a dead connection will not open.
pub struct ChannelWriter {
    inner: Pin<Box<dyn AsyncWrite + Send>>,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl ChannelWriter {
    fn poll_alive(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.ended.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::BrokenPipe.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncWrite for ChannelWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_alive(context)?;
        // russh calls an empty write an error.
        if buffer.is_empty() { Poll::Ready(Ok(0)) } else { self.inner.as_mut().poll_write(context, buffer) }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_alive(context)?;
        self.inner.as_mut().poll_flush(context)
    }

    /// The command sees the end of its input.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_alive(context)?;
        self.inner.as_mut().poll_shutdown(context)
    }
}
