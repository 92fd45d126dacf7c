//! What was put on a box is taken away again, for users who want no traces there.

use std::time::Duration;

use tokio::time::timeout;

use super::image::AgentImages;
use super::script;
use super::traces::{CacheFolder, Leftovers, TmuxOptOut};
use crate::link::connection::{ClientConnection, CommandStatus, RemoteCommand};

/// How long a box may take to remove a file.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A command that removes what is left, while the agent runs.
#[derive(Clone)]
pub(in crate::link) struct Sweep {
    command: String,
    /// None where the server allows no second channel.
    status: Option<CommandStatus>,
}

impl Sweep {
    /// Begins at once: whatever becomes of the link, it is done.
    pub(in crate::link) async fn begin(
        connection: &ClientConnection,
        images: &AgentImages,
        cache: CacheFolder,
        tmux_opt_out: Option<TmuxOptOut>,
    ) -> Self {
        let command = script::sweep(images, cache, tmux_opt_out);
        let status = connection.run(&command).await.ok().map(unheard);
        Self { command, status }
    }

    /// Waits for its first try.
    pub(in crate::link) async fn ended(&self) {
        if let Some(status) = &self.status {
            status.exited().await;
        }
    }

    /// What is known of it, without a word more to the box.
    pub(super) fn so_far(&self) -> Leftovers {
        match &self.status {
            Some(status) if status.exit_status() == Some(0) => Leftovers::Nothing,
            _ => Leftovers::Something,
        }
    }

    /// Waits for it. What could not be done beside the agent is tried again now.
    pub(in crate::link) async fn end(self, connection: &ClientConnection) -> Leftovers {
        let Self { command, status } = self;
        match status {
            Some(status) if left(&status).await == Leftovers::Nothing => Leftovers::Nothing,
            _ => run(connection, &command).await,
        }
    }
}

/// The same where no agent came up: as far as it goes, since why it did not is told anyway.
pub(in crate::link) async fn sweep_up(
    connection: &ClientConnection,
    images: &AgentImages,
    tmux_opt_out: Option<TmuxOptOut>,
) -> Leftovers {
    run(connection, &script::sweep(images, CacheFolder::Existed, tmux_opt_out)).await
}

async fn run(connection: &ClientConnection, command: &str) -> Leftovers {
    match timeout(TIMEOUT, connection.run(command)).await {
        Ok(Ok(running)) => left(&unheard(running)).await,
        _ => Leftovers::Something,
    }
}

/// What it prints is a shell's noise. The reader is dropped, since an unread one would hold up the connection.
fn unheard(running: RemoteCommand) -> CommandStatus {
    running.status
}

async fn left(status: &CommandStatus) -> Leftovers {
    let ended = timeout(TIMEOUT, status.exited()).await.is_ok();
    if ended && status.exit_status() == Some(0) { Leftovers::Nothing } else { Leftovers::Something }
}
