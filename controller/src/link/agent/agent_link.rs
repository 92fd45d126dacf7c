//! An agent on a box, ready to talk.

use std::time::Duration;

use tokio::time::timeout;

use super::dismissal::{Dismissal, dismiss};
use super::sweep::Sweep;
use super::traces::{CacheFolder, Leftovers, TmuxOptOut};
use crate::link::command_exit::CommandExit;
use crate::link::connection::{ChannelReader, ChannelWriter, ClientConnection, CommandStatus, RemoteCommand};
use crate::link::host_key::HostKeyTrust;
use crate::link::platform::Platform;
use crate::text::sanitize_lines;

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
    pub tmux_opt_out: Option<TmuxOptOut>,
    /// What kind of machine it runs on.
    pub platform: Platform,
    /// Why the host's key is trusted.
    pub host_key: HostKeyTrust,
    /// The same of every host on the way as well, by its address, the box last.
    pub trust: Vec<(String, HostKeyTrust)>,
    /// Holds the connection. Once it is dropped, reads end, writes fail, and the agent sees the end of its input.
    pub guard: LinkGuard,
}

/// Where the agent came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentOrigin {
    /// It was on the box.
    Cached,
    /// It was uploaded.
    Uploaded {
        /// How much went over the link for it, compressed where the box unpacks.
        bytes: u64,
        /// What was wrong with the one that was there.
        replaces: Option<BadAgent>,
    },
}

/// Why an agent that was on a box is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadAgent {
    /// It is no program of this user alone: a folder, a link, another user's, or one that others may write to.
    NotOurs,
    /// Its bytes are not those that were put there.
    Damaged,
}

/// What keeps a link up.
pub struct LinkGuard {
    connection: Box<ClientConnection>,
    status: CommandStatus,
    /// What ends an agent that does not answer.
    dismissal: String,
    sweep: Option<Sweep>,
}

/// What becomes of an agent that does not go when it is told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SlowAgent {
    LeftAlone,
    Ended,
}

/// How the agent ended, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentExit {
    /// How it ended. `None` while it runs, and when the connection broke first.
    pub exit: Option<CommandExit>,
    /// Whether the channel was closed by the box; if not, the agent runs on or the connection broke.
    pub closed: bool,
    /// The last lines it wrote to standard error, sanitised.
    pub last_words: String,
    /// What is left on the box of what was to be removed.
    pub leftovers: Leftovers,
    /// What became of one that was to go and did not answer.
    pub dismissal: Dismissal,
}

/// An agent that has greeted, before it becomes a link.
pub(in crate::link) struct Launched {
    pub(super) running: RemoteCommand,
    pub(super) already_read: Vec<u8>,
    pub(super) origin: AgentOrigin,
    pub(super) platform: Platform,
    pub(in crate::link) cache: CacheFolder,
}

impl AgentLink {
    pub(in crate::link) fn new(
        connection: ClientConnection,
        launched: Launched,
        dismissal: String,
        tmux_opt_out: Option<TmuxOptOut>,
        sweep: Option<Sweep>,
    ) -> Self {
        let Launched { running, already_read, origin, platform, .. } = launched;
        let RemoteCommand { reader, writer, status, .. } = running;
        let (host_key, trust) = (connection.host_key.clone(), connection.trust());
        let guard = LinkGuard { connection: Box::new(connection), status, dismissal, sweep };
        Self { reader, writer, already_read, origin, tmux_opt_out, platform, host_key, trust, guard }
    }
}

impl LinkGuard {
    /// Where the agent is: `host:port`.
    pub fn address(&self) -> &str {
        self.connection.address()
    }

    /// How the agent ended, or that it has not. After the reader's end this is complete.
    pub fn agent_exit(&self) -> AgentExit {
        let (lines, longest) = LAST_WORDS;
        let errors = self.status.errors();
        let shown: Vec<&[u8]> = errors.trim_ascii().rsplit(|byte| *byte == b'\n').take(lines).collect();
        let shown: Vec<&[u8]> = shown.into_iter().rev().collect();
        let last_words = sanitize_lines(shown.join(&b'\n'), lines, longest);
        let leftovers = Leftovers::Nothing;
        AgentExit {
            exit: self.status.exit(),
            closed: self.status.closed(),
            last_words,
            leftovers,
            dismissal: Dismissal::Gone,
        }
    }

    /// Waits for the agent to end, at most this long, then closes the connection. The writer should have been shut down
    /// or dropped, or the agent told to go. One that does not go in time sees the end of its input, and a later agent of
    /// the same run ends it.
    pub async fn close(self, limit: Duration) -> AgentExit {
        self.part(limit, SlowAgent::LeftAlone).await
    }

    /// The same where no other agent of this run will come: one that does not go in time is ended.
    pub async fn close_for_good(self, limit: Duration) -> AgentExit {
        self.part(limit, SlowAgent::Ended).await
    }

    async fn part(self, limit: Duration, slow: SlowAgent) -> AgentExit {
        // Whether it ended is in what is returned. What it has left in the background may hold the channel for ever.
        _ = timeout(limit, self.status.exited()).await;
        let mut agent_exit = self.agent_exit();
        if slow == SlowAgent::Ended && !agent_exit.closed {
            agent_exit.dismissal = dismiss(&self.connection, &self.dismissal).await;
        }
        if let Some(sweep) = self.sweep {
            // Over a link that broke nothing more can be done; the next link sweeps again.
            agent_exit.leftovers =
                if agent_exit.closed { sweep.end(&self.connection).await } else { sweep.so_far() };
        }
        self.connection.close().await;
        agent_exit
    }
}
