//! What a login shell did instead of starting an agent, and what to call that.
//!
//! Nothing is typed and nothing is placed to find that out: at most a terminal is asked for, read for a moment and closed.

use std::time::Duration;

use tokio::time::timeout;

use super::tmux;
use crate::link::command_exit::CommandExit;
use crate::link::connection::{ChannelRequest, ClientConnection, RemoteCommand};
use crate::link::error::{AutoTmux, LinkError};
use crate::link::shell_kind::{ShellKind, Waits};
use crate::text::sanitize_lines;

/// How much of what a shell printed is quoted in an error, in lines and in characters.
const QUOTED: (usize, usize) = (3, 300);

/// How long a server may take to show that it is there.
const ANSWER: Duration = Duration::from_secs(5);

/// How long a terminal may take to be there and to have printed what it prints at first.
const TERMINAL: Duration = Duration::from_secs(10);

/// How many requests lead to a login shell at a terminal: one for the terminal, one for the shell.
const TERMINAL_REQUESTS: u32 = 2;

/// What came instead of an agent.
pub(super) struct ShellAnswer {
    /// What was printed on standard output.
    pub(super) printed: Vec<u8>,
    /// The end of what was printed on standard error.
    pub(super) errors: Vec<u8>,
    /// How the command ended, where that is known.
    pub(super) exit: Option<CommandExit>,
    pub(super) outcome: ShellOutcome,
}

/// How the command went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShellOutcome {
    /// The server would not run it.
    Refused,
    /// The server did not say whether it runs it, within this time.
    Unanswered(Duration),
    /// It ended.
    Ended,
    /// It was still running after this time.
    Waits(Duration),
    /// It printed without end.
    Noisy,
}

impl ShellAnswer {
    /// What it is, where that is certain: then no way past it is looked for.
    pub(super) async fn verdict(&self, connection: &ClientConnection) -> Option<LinkError> {
        let address = || connection.address().to_owned();
        let printed = |kind| LinkError::NoShell { address: address(), kind, said: self.said() };
        match self.outcome {
            ShellOutcome::Unanswered(after) | ShellOutcome::Waits(after) if !is_alive(connection).await => {
                Some(LinkError::Timeout { address: address(), after })
            }
            ShellOutcome::Refused | ShellOutcome::Unanswered(_) => {
                let terminal = terminal_only(connection).await;
                Some(terminal.unwrap_or_else(|| LinkError::NoExec { address: address() }))
            }
            ShellOutcome::Waits(_) => match self.kind(Waits::Yes) {
                // A loop round tmux may be told to stop like tmux itself.
                Some(ShellKind::Multiplexer) => None,
                Some(kind) => Some(printed(kind)),
                None => Some(self.ignored(connection, AutoTmux::RuledOut)),
            },
            ShellOutcome::Ended => match self.kind(Waits::No) {
                Some(ShellKind::Multiplexer) => None,
                Some(kind) => Some(printed(kind)),
                // A channel that is closed without a word and without a status: no shell does that.
                None if self.exit.is_none() && self.said().is_empty() => terminal_only(connection).await,
                None => None,
            },
            ShellOutcome::Noisy => None,
        }
    }

    /// Whether it looks like tmux or screen, so that what is typed into a terminal gets to them or to a shell.
    pub(super) fn is_multiplexer(&self) -> bool {
        self.kind(Waits::No) == Some(ShellKind::Multiplexer)
    }

    /// The error where nothing more is known.
    pub(super) fn ignored(&self, connection: &ClientConnection, tmux: AutoTmux) -> LinkError {
        let (address, said) = (connection.address().to_owned(), self.said());
        match self.outcome {
            ShellOutcome::Noisy => LinkError::Noisy { address, said, tmux },
            ShellOutcome::Refused => LinkError::NoExec { address },
            ShellOutcome::Unanswered(after) => LinkError::Timeout { address, after },
            ShellOutcome::Waits(after) => {
                LinkError::Shell { address, exit: None, waited: Some(after), said, tmux }
            }
            ShellOutcome::Ended => {
                LinkError::Shell { address, exit: self.exit.clone(), waited: None, said, tmux }
            }
        }
    }

    fn kind(&self, waits: Waits) -> Option<ShellKind> {
        self.recognised(waits).map(|(kind, _)| kind)
    }

    /// The kind, and where it was printed.
    fn recognised(&self, waits: Waits) -> Option<(ShellKind, &[u8])> {
        let streams = [&self.printed, &self.errors];
        streams.into_iter().find_map(|stream| Some((ShellKind::of(stream, waits)?, stream.as_slice())))
    }

    /// The first lines of what it printed: of what tells most.
    pub(super) fn said(&self) -> String {
        let waits = if matches!(self.outcome, ShellOutcome::Waits(_)) { Waits::Yes } else { Waits::No };
        let is_blank = self.printed.trim_ascii().is_empty();
        let stream = match self.recognised(waits) {
            Some((_, stream)) => stream,
            None if is_blank => &self.errors,
            None => &self.printed,
        };
        let (lines, longest) = QUOTED;
        sanitize_lines(stream, lines, longest)
    }
}

/// Whether the server still answers: a shell that is silent is told from a link that is.
async fn is_alive(connection: &ClientConnection) -> bool {
    timeout(ANSWER, connection.ping()).await.is_ok_and(|answer| answer.is_ok())
}

/// What a server is that runs no command, if it opens a terminal. Nothing is typed into that.
async fn terminal_only(connection: &ClientConnection) -> Option<LinkError> {
    let mut running = timeout(ANSWER, connection.start(ChannelRequest::Terminal)).await.ok()?.ok()?;
    let printed = timeout(TERMINAL, opened(&mut running)).await.ok().flatten();
    running.hang_up().await;
    let (lines, longest) = QUOTED;
    let said = sanitize_lines(printed?, lines, longest);
    let address = connection.address().to_owned();
    Some(LinkError::NoShell { address, kind: ShellKind::TerminalOnly, said })
}

/// What a terminal prints until it is quiet, if it is one.
async fn opened(running: &mut RemoteCommand) -> Option<Vec<u8>> {
    if !running.status.has_granted(TERMINAL_REQUESTS).await {
        return None;
    }
    Some(tmux::until_quiet(running).await)
}
