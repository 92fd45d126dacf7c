//! Waiting for a started command to greet as an agent, and what it was where no greeting came.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hfdown_protocol::{GreetingError, Nonce, await_greeting};
use tokio::io::{AsyncRead, ReadBuf};

use super::script;
use super::traces::CacheFolder;
use crate::link::command_exit::CommandExit;
use crate::link::connection::{ClientConnection, RemoteCommand};
use crate::link::error::{AutoTmux, LinkError};
use crate::link::platform::Platform;
use crate::text::sanitize_lines;

/// How much of what a shell printed is quoted in an error, in lines and in characters.
const QUOTED: (usize, usize) = (3, 300);

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
    let mut recording = RecordingReader { inner: &mut running.reader, heard: Vec::new() };
    let greeting = await_greeting(&mut recording, nonce, limit).await;
    let heard = recording.heard;
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

    /// The error for a shell or an agent that did not do what it was told.
    pub(super) fn into_error(
        self,
        connection: &ClientConnection,
        running: &RemoteCommand,
        nonce: Nonce,
    ) -> LinkError {
        let address = connection.address().to_owned();
        let status = &running.status;
        let (lines, longest) = QUOTED;
        let words = if self.said.trim_ascii().is_empty() {
            status.errors()
        } else {
            without_marks(&self.said, nonce)
        };
        let words = if words.trim_ascii().is_empty() { status.errors() } else { words };
        let said = sanitize_lines(words, lines, longest);
        let (exit, status_code) = (status.exit(), status.exit_status());
        let was_launched = marked(&self.said, script::LAUNCHING, nonce).is_some();
        match self.cause {
            NoGreetingCause::Ended if status.refused() => LinkError::NoExec { address },
            NoGreetingCause::Ended if !status.closed() => LinkError::Lost { address, detail: said },
            NoGreetingCause::Ended | NoGreetingCause::TooLate(_) if was_launched => {
                LinkError::AgentSilent { address, exit, said }
            }
            NoGreetingCause::TooLate(after) if said.is_empty() => LinkError::Timeout { address, after },
            NoGreetingCause::Ended | NoGreetingCause::TooLate(_) => {
                LinkError::Shell { address, exit: status_code, said, tmux: AutoTmux::Possible }
            }
            NoGreetingCause::TooNoisy => LinkError::Noisy { address, said, tmux: AutoTmux::Possible },
        }
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
    let is_ours = |line: &&[u8]| line.windows(nonce.len()).any(|window| window == nonce);
    let lines: Vec<&[u8]> = said.split(|byte| *byte == b'\n').filter(|line| !is_ours(line)).collect();
    lines.join(&b'\n')
}

/// Records what is read through it: `await_greeting` gives the noise back only when no greeting came.
struct RecordingReader<'a, R> {
    inner: &'a mut R,
    heard: Vec<u8>,
}

impl<R: AsyncRead + Unpin> AsyncRead for RecordingReader<'_, R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut *self.inner).poll_read(context, buffer);
        self.heard.extend_from_slice(&buffer.filled()[before..]);
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
    }
}
