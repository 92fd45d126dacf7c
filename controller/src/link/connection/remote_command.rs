//! One command on the box: its three streams, and how it ended.
//!
//! A channel that is not read would stop the whole connection, keepalives included. So a task of its own reads each
//! channel to its end: output goes to a bounded queue and is thrown away once its reader is gone, errors go to a ring.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use russh::ChannelMsg;
use russh::client::Msg;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::command_echo::without_command;
use crate::link::command_exit::CommandExit;

/// How much of a command's standard error is kept, in bytes: the last part, as that holds the reason.
const ERRORS_KEPT: usize = 32 * 1024;

/// Blocks of output that wait to be read. Each has at most 64 KiB, and russh itself holds some more.
const BLOCKS_WAITING: usize = 16;

/// A command has ended, and the channel has not: something that it left in the background holds it. What is printed before
/// its end comes within this time, as a server sends it together with the exit status.
const QUIET: Duration = Duration::from_secs(3);
/// What is left in the background may print, but not for longer than this.
const LINGER: Duration = Duration::from_secs(5);

/// How long what was told to end may take.
const PARTING: Duration = Duration::from_secs(2);

/// A running command.
pub(in crate::link) struct RemoteCommand {
    pub(in crate::link) reader: ChannelReader,
    pub(in crate::link) writer: ChannelWriter,
    pub(in crate::link) status: CommandStatus,
    sender: Arc<russh::ChannelWriteHalf<Msg>>,
}

/// What is known of a command's end. Shared with the task that reads its channel.
#[derive(Clone)]
pub(in crate::link) struct CommandStatus {
    /// What was asked for; nothing where it is no command.
    command: Arc<str>,
    facts: Arc<Mutex<CommandFacts>>,
    /// Woken at each request that the server agrees to.
    agreed: Arc<Notify>,
    /// Cancelled when it is known how the command ended, or that it will not be.
    exited: CancellationToken,
    /// Cancelled when the channel has ended, or when nothing of the command's own can come over it any more.
    ended: CancellationToken,
    _task: Arc<AbortOnDrop>,
}

#[derive(Debug, Default)]
struct CommandFacts {
    errors: VecDeque<u8>,
    exit: Option<CommandExit>,
    /// How often the server has agreed to what was asked for on the channel.
    granted: u32,
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
    /// Takes over a channel on which this command was asked for.
    pub(in crate::link) fn new(channel: russh::Channel<Msg>, command: &str) -> Self {
        let (half, sender) = channel.split();
        let sender = Arc::new(sender);
        let facts = Arc::new(Mutex::new(CommandFacts::default()));
        let agreed = Arc::new(Notify::new());
        let (exited, ended) = (CancellationToken::new(), CancellationToken::new());
        let (blocks, reader) = mpsc::channel(BLOCKS_WAITING);
        let drain = Drain {
            half,
            sender: Arc::clone(&sender),
            blocks,
            facts: Arc::clone(&facts),
            agreed: Arc::clone(&agreed),
            exited: exited.clone(),
            ended: ended.clone(),
        };
        let task = tokio::spawn(drain.run());
        let writer = ChannelWriter {
            inner: Box::pin(sender.make_writer()),
            ended: Box::pin(ended.clone().cancelled_owned()),
        };
        let command = command.into();
        let status =
            CommandStatus { command, facts, agreed, exited, ended, _task: Arc::new(AbortOnDrop(task)) };
        Self { reader: ChannelReader { blocks: reader, rest: Bytes::new() }, writer, status, sender }
    }

    /// Ends its input and waits for its end, at most for a moment; then the channel is closed whatever runs there. Some
    /// servers allow one channel at a time, so it should really be gone.
    pub(in crate::link) async fn hang_up(mut self) {
        // It may have ended by itself.
        _ = self.writer.shutdown().await;
        _ = timeout(PARTING, self.status.exited()).await;
        // Where it is closed already this changes nothing.
        _ = timeout(PARTING, self.sender.close()).await;
    }
}

/// What reads a channel until it is closed, or the connection is gone, or the command has ended and what it left in the
/// background holds the channel.
struct Drain {
    half: russh::ChannelReadHalf,
    sender: Arc<russh::ChannelWriteHalf<Msg>>,
    blocks: mpsc::Sender<Bytes>,
    facts: Arc<Mutex<CommandFacts>>,
    agreed: Arc<Notify>,
    exited: CancellationToken,
    ended: CancellationToken,
}

impl Drain {
    async fn run(mut self) {
        // On every way out, also that of an abort, the writer must be woken.
        let _ends = (self.exited.clone().drop_guard(), self.ended.clone().drop_guard());
        let mut until = None;
        while let Some(message) = self.next(until).await {
            match message {
                // It is thrown away once the reader is gone.
                ChannelMsg::Data { data } => _ = self.blocks.send(data).await,
                ChannelMsg::ExtendedData { data, .. } => self.facts().keep(&data),
                ChannelMsg::ExitStatus { exit_status } => {
                    self.facts().exit = Some(CommandExit::Status(exit_status));
                    until = until.or(Some(Instant::now() + LINGER));
                    self.exited.cancel();
                }
                ChannelMsg::ExitSignal { signal_name, .. } => {
                    self.facts().exit = Some(CommandExit::of_signal(&signal_name));
                    until = until.or(Some(Instant::now() + LINGER));
                    self.exited.cancel();
                }
                ChannelMsg::Success => {
                    self.facts().granted += 1;
                    self.agreed.notify_waiters();
                }
                ChannelMsg::Failure => {
                    self.facts().refused = true;
                    return;
                }
                ChannelMsg::Close => {
                    self.facts().closed = true;
                    return;
                }
                _ => {}
            }
        }
    }

    /// The next message; none at the end. A command that has ended is listened to until it is quiet, at most `until` then.
    async fn next(&mut self, until: Option<Instant>) -> Option<ChannelMsg> {
        let Some(until) = until else { return self.half.wait().await };
        let quiet = until.min(Instant::now() + QUIET);
        if let Ok(message) = timeout_at(quiet, self.half.wait()).await {
            return message;
        }
        self.facts().closed = true;
        // The server must not count it any more: some allow one channel at a time.
        _ = timeout(PARTING, self.sender.close()).await;
        None
    }

    fn facts(&self) -> MutexGuard<'_, CommandFacts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn facts(&self) -> MutexGuard<'_, CommandFacts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is known how the command ended, or that it will not be.
    pub(in crate::link) async fn exited(&self) {
        self.exited.cancelled().await;
    }

    /// Waits until all of the command's output has come.
    pub(in crate::link) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// The last part of standard error, without the command.
    pub(in crate::link) fn errors(&self) -> Vec<u8> {
        let errors = self.facts().errors.iter().copied().collect::<Vec<_>>();
        self.without_command(&errors)
    }

    /// What was printed, without the command where it is quoted.
    pub(in crate::link) fn without_command(&self, printed: &[u8]) -> Vec<u8> {
        without_command(printed, self.command.as_bytes())
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

    /// How many of the requests on the channel the server has agreed to.
    pub(in crate::link) fn granted(&self) -> u32 {
        self.facts().granted
    }

    /// Waits until it has agreed to so many. False where it does not.
    pub(in crate::link) async fn has_granted(&self, requests: u32) -> bool {
        loop {
            let agreed = self.agreed.notified();
            if self.granted() >= requests {
                return true;
            }
            tokio::select! {
                () = agreed => {}
                () = self.ended.cancelled() => return self.granted() >= requests,
            }
        }
    }

    /// The server would not run the command.
    pub(in crate::link) fn refused(&self) -> bool {
        self.facts().refused
    }

    /// The command ended, as its exit or the channel's end shows; otherwise it runs, or the connection broke.
    pub(in crate::link) fn closed(&self) -> bool {
        let facts = self.facts();
        facts.closed || facts.exit.is_some()
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
    inner: Pin<Box<dyn AsyncWrite + Send + Sync>>,
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
