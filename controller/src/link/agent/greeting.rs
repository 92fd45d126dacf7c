//! Waiting for a started command to greet as an agent, and what it was where no greeting came.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hfdown_protocol::{GreetingError, Nonce, await_greeting};
use tokio::io::{AsyncRead, ReadBuf};

use super::script;
use super::shell_answer::{ShellAnswer, ShellOutcome};
use super::traces::CacheFolder;
use crate::link::command_exit::CommandExit;
use crate::link::connection::{ClientConnection, RemoteCommand};
use crate::link::error::{AutoTmux, LinkError};
use crate::link::platform::Platform;

/// Why no greeting came, and what the command printed instead.
pub(super) struct NoGreeting {
    pub(super) said: Vec<u8>,
    cause: NoGreetingCause,
}

enum NoGreetingCause {
    Ended,
    TooNoisy,
    TooLate(Duration),
}

/// Waits for the greeting. Returns the bytes after it, and what the script said about the machine and its folder.
pub(super) async fn greeted(
    running: &mut RemoteCommand,
    nonce: Nonce,
    limit: Duration,
) -> Result<(Vec<u8>, Platform, CacheFolder), NoGreeting> {
    let mut recording = RecordingReader::new(&mut running.reader, script::MISSING, nonce);
    let greeting = await_greeting(&mut recording, nonce, limit).await;
    let (heard, has_seen) = (recording.heard, recording.has_seen);
    let (said, cause) = match greeting {
        Ok(already_read) => {
            let marked = marked(&heard, script::LAUNCHING, nonce).unwrap_or_default();
            let field = |at: usize| marked.get(at).map_or("", String::as_str);
            let cache =
                if field(2) == script::MADE_CACHE { CacheFolder::Created } else { CacheFolder::Existed };
            return Ok((already_read, Platform::new(field(0), field(1)), cache));
        }
        Err(GreetingError::Ended(said)) => (said, NoGreetingCause::Ended),
        Err(GreetingError::TooNoisy(said)) => (said, NoGreetingCause::TooNoisy),
        Err(GreetingError::TooLate(said)) => (said, NoGreetingCause::TooLate(limit)),
        // The reader of a channel only ever ends.
        Err(GreetingError::Link(_)) => (heard, NoGreetingCause::Ended),
    };
    if matches!(cause, NoGreetingCause::Ended) && !has_seen {
        running.status.ended().await;
    }
    Err(NoGreeting { said, cause })
}

/// Waits until the script takes its input. A start-up file that reads has had what it wanted by then, or waits in vain:
/// it can't take the beginning of what is sent. Returns all that was read, in which a line says so;
/// what came right behind that line is part of it.
pub(super) async fn takes_input(
    running: &mut RemoteCommand,
    nonce: Nonce,
    limit: Duration,
) -> Result<Vec<u8>, NoGreeting> {
    let mut recording = RecordingReader::new(&mut running.reader, script::READY, nonce);
    // No agent greets before it has come; what ends the search is the mark.
    let (said, cause) = match await_greeting(&mut recording, nonce, limit).await {
        Err(GreetingError::Ended(said)) if recording.has_seen => return Ok(said),
        Ok(said) | Err(GreetingError::Ended(said)) => (said, NoGreetingCause::Ended),
        Err(GreetingError::TooNoisy(said)) => (said, NoGreetingCause::TooNoisy),
        Err(GreetingError::TooLate(said)) => (said, NoGreetingCause::TooLate(limit)),
        Err(GreetingError::Link(_)) => (Vec::new(), NoGreetingCause::Ended),
    };
    if matches!(cause, NoGreetingCause::Ended) {
        running.status.ended().await;
    }
    Err(NoGreeting { said, cause })
}

impl NoGreeting {
    /// The machine, if there is an agent that ended instead of greeting, and was not killed from outside.
    pub(super) fn damaged_agent(&self, running: &RemoteCommand, nonce: Nonce) -> Option<Platform> {
        let signal = running.status.exit().as_ref().and_then(CommandExit::signal);
        if signal.is_some_and(|signal| signal.is_kill()) {
            return None;
        }
        match marked(&self.said, script::LAUNCHING, nonce).as_deref() {
            Some([system, machine, ..])
                if matches!(self.cause, NoGreetingCause::Ended) && running.status.closed() =>
            {
                Some(Platform::new(system, machine))
            }
            _ => None,
        }
    }

    /// The same where nothing else is tried: a shell that has run a command before, and does not now.
    pub(super) fn into_link_error(
        self,
        connection: &ClientConnection,
        running: &RemoteCommand,
        nonce: Nonce,
    ) -> LinkError {
        match self.into_answer(connection, running, nonce) {
            Ok(answer) => answer.ignored(connection, AutoTmux::RuledOut),
            Err(error) => *error,
        }
    }

    /// The error for an agent that did not come up; or else what the shell did that was to start it.
    pub(super) fn into_answer(
        self,
        connection: &ClientConnection,
        running: &RemoteCommand,
        nonce: Nonce,
    ) -> Result<ShellAnswer, Box<LinkError>> {
        let address = connection.address().to_owned();
        let status = &running.status;
        let answer = |outcome| ShellAnswer {
            printed: status.without_command(&without_marks(&self.said, nonce)),
            errors: status.errors(),
            exit: status.exit(),
            outcome,
        };
        let was_launched = marked(&self.said, script::LAUNCHING, nonce).is_some();
        Ok(match self.cause {
            NoGreetingCause::Ended if status.refused() => answer(ShellOutcome::Refused),
            NoGreetingCause::Ended if !status.closed() => {
                let detail = answer(ShellOutcome::Ended).said();
                return Err(Box::new(LinkError::Lost { address, detail }));
            }
            NoGreetingCause::Ended | NoGreetingCause::TooLate(_) if was_launched => {
                let said = answer(ShellOutcome::Ended).said();
                return Err(Box::new(LinkError::AgentSilent { address, exit: status.exit(), said }));
            }
            NoGreetingCause::TooLate(after) if status.granted() == 0 => {
                answer(ShellOutcome::Unanswered(after))
            }
            NoGreetingCause::TooLate(after) => answer(ShellOutcome::Waits(after)),
            NoGreetingCause::Ended => answer(ShellOutcome::Ended),
            NoGreetingCause::TooNoisy => answer(ShellOutcome::Noisy),
        })
    }
}

/// The fields of a line `MARK nonce|field|field|`, wherever it stands in the noise.
pub(super) fn marked(said: &[u8], mark: &str, nonce: Nonce) -> Option<Vec<String>> {
    let start = format!("{mark} {nonce}|");
    let line = said.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(start.as_bytes()))?;
    Some(String::from_utf8_lossy(line).split('|').map(str::to_owned).collect())
}

/// What was said, but for our own lines.
fn without_marks(said: &[u8], nonce: Nonce) -> Vec<u8> {
    let nonce = nonce.to_string().into_bytes();
    let is_ours = |line: &&[u8]| {
        line.starts_with(script::MARK.as_bytes()) && line.windows(nonce.len()).any(|window| window == nonce)
    };
    let lines: Vec<&[u8]> = said.split(|byte| *byte == b'\n').filter(|line| !is_ours(line)).collect();
    lines.join(&b'\n')
}

/// Records what is read through it: `await_greeting` gives the noise back only when no greeting came. It ends at a line
/// after which there is nothing to wait for: what a start-up file left in the background may hold the channel for ever.
struct RecordingReader<'a, R> {
    inner: &'a mut R,
    heard: Vec<u8>,
    last: Vec<u8>,
    has_seen: bool,
}

impl<'a, R> RecordingReader<'a, R> {
    /// `mark` begins the last line.
    fn new(inner: &'a mut R, mark: &str, nonce: Nonce) -> Self {
        let last = format!("\n{mark} {nonce}|").into_bytes();
        Self { inner, heard: Vec::new(), last, has_seen: false }
    }

    /// Whether the last line is there, whole.
    fn sees_last(&self) -> bool {
        let start = self.heard.windows(self.last.len()).position(|window| window == self.last);
        let line = start.and_then(|start| self.heard.get(start + 1..));
        line.is_some_and(|line| line.contains(&b'\n'))
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for RecordingReader<'_, R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.has_seen {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut *self.inner).poll_read(context, buffer);
        self.heard.extend_from_slice(&buffer.filled()[before..]);
        self.has_seen = self.sees_last();
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_its_own_mark_in_any_noise() {
        let nonce = Nonce(7);
        let said =
            format!("Welcome\r\nHFDOWN-MISSING 00|x|y|\n\n{} {nonce}|Linux|riscv64|\nbye", script::MISSING);
        assert_eq!(marked(said.as_bytes(), script::MISSING, nonce).unwrap()[..2], ["Linux", "riscv64"]);
        assert_eq!(marked(said.as_bytes(), script::MISSING, Nonce(8)), None);
        assert_eq!(marked(said.as_bytes(), script::FAILED, nonce), None);
        assert_eq!(without_marks(said.as_bytes(), nonce), b"Welcome\r\nHFDOWN-MISSING 00|x|y|\n\nbye");
        let echo = format!("Unknown command: exec printf {nonce}");
        assert_eq!(without_marks(echo.as_bytes(), nonce), echo.as_bytes());
    }
}
