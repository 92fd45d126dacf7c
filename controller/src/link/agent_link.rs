//! An agent on a box, ready to talk.

use std::time::Duration;

use hfdown_protocol::Nonce;
use tokio::time::timeout;

use super::channel::{ChannelReader, ChannelWriter, Exit, Outcome, Running};
use super::connect::Connection;
use super::host_key::HostKeySeen;
use super::platform::Platform;
use super::sweep::Sweeping;
use super::traces::{CacheFolder, Left, Placed};
use crate::output::sanitize::sanitize_lines;

/// How much of an agent's last words is quoted, in lines and in characters.
const LAST_WORDS: (usize, usize) = (8, 600);

/// A link to an agent that has greeted. Frames go both ways from here.
pub struct AgentLink {
    /// What the agent says. Frames that came with the greeting are in [`Self::already_read`].
    pub reader: ChannelReader,
    /// What the agent is told.
    pub writer: ChannelWriter,
    /// The first bytes of the conversation.
    pub already_read: Vec<u8>,
    /// Whether the agent was there.
    pub origin: AgentOrigin,
    /// What had to be placed before the box's login shell ran a command.
    pub placed: Option<Placed>,
    /// What kind of machine it runs on.
    pub platform: Platform,
    /// How the host's key came to be believed.
    pub host_key: HostKeySeen,
    /// Holds the connection. Once it is dropped, reads end, writes fail, and the agent sees the end of its input.
    pub tether: Tether,
}

/// Where the agent came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentOrigin {
    /// It was on the box.
    Warm,
    /// It was uploaded.
    Uploaded {
        /// Its size.
        bytes: u64,
    },
}

/// What keeps a link up.
pub struct Tether {
    connection: Box<Connection>,
    outcome: Outcome,
    nonce: Nonce,
    sweeping: Option<Sweeping>,
}

/// How the agent ended, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// How it ended. `None` while it runs, and when the connection broke first.
    pub exit: Option<Exit>,
    /// Whether the channel was closed by the box; if not, the agent runs on or the connection broke.
    pub closed: bool,
    /// The last lines it wrote to standard error, sanitised.
    pub last_words: String,
    /// What is left on the box of what was to be removed.
    pub left: Left,
}

/// A command that greeted, before it becomes a link.
pub(super) struct Launched {
    pub(super) running: Running,
    pub(super) nonce: Nonce,
    pub(super) already_read: Vec<u8>,
    pub(super) origin: AgentOrigin,
    pub(super) platform: Platform,
    pub(super) cache: CacheFolder,
}

impl AgentLink {
    pub(super) fn new(
        connection: Connection,
        launched: Launched,
        placed: Option<Placed>,
        sweeping: Option<Sweeping>,
    ) -> Self {
        let Launched { running, nonce, already_read, origin, platform, .. } = launched;
        let Running { reader, writer, outcome, .. } = running;
        let host_key = connection.host_key.clone();
        let tether = Tether { connection: Box::new(connection), outcome, nonce, sweeping };
        Self { reader, writer, already_read, origin, placed, platform, host_key, tether }
    }
}

impl Tether {
    /// What the agent's process can be known by on the box.
    pub fn nonce(&self) -> Nonce {
        self.nonce
    }

    /// How the agent ended, or that it has not. After the reader's end this is complete.
    pub fn ending(&self) -> Ending {
        let (lines, longest) = LAST_WORDS;
        let errors = self.outcome.errors();
        let shown: Vec<&[u8]> = errors.trim_ascii().rsplit(|byte| *byte == b'\n').take(lines).collect();
        let shown: Vec<&[u8]> = shown.into_iter().rev().collect();
        let last_words = sanitize_lines(shown.join(&b'\n'), lines, longest);
        let left = Left::Nothing;
        Ending { exit: self.outcome.exit(), closed: self.outcome.closed(), last_words, left }
    }

    /// Waits for the agent to end, at most this long, then closes the connection. The writer should have been shut down
    /// or dropped, or the agent told to go.
    pub async fn close(self, patience: Duration) -> Ending {
        // Whether it ended is in what is returned.
        _ = timeout(patience, self.outcome.ended()).await;
        let mut ending = self.ending();
        if let Some(sweeping) = self.sweeping {
            // Over a link that broke nothing more can be done; whoever makes a new one sweeps again.
            ending.left =
                if ending.closed { sweeping.end(&self.connection).await } else { sweeping.so_far() };
        }
        self.connection.close().await;
        ending
    }
}
