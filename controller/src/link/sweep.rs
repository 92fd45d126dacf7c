//! What was put on a box is taken away again, for whoever wants to leave no traces there.

use std::time::Duration;

use tokio::time::timeout;

use super::channel::{Outcome, Running};
use super::connect::Connection;
use super::image::AgentImages;
use super::script;
use super::traces::{CacheFolder, Left, Placed};

/// How long a box may take to remove a file.
const PATIENCE: Duration = Duration::from_secs(10);

/// A command that removes what is left, while the agent runs.
pub(super) struct Sweeping {
    command: String,
    /// None where the server allows no second channel.
    outcome: Option<Outcome>,
}

impl Sweeping {
    /// Begins at once: whatever becomes of the link, it is done.
    pub(super) async fn begin(
        connection: &Connection,
        images: &AgentImages,
        cache: CacheFolder,
        placed: Option<Placed>,
    ) -> Self {
        let command = script::sweep(images, cache, placed);
        let outcome = connection.run(&command).await.ok().map(unheard);
        Self { command, outcome }
    }

    /// What is known of it, without a word more to the box.
    pub(super) fn so_far(&self) -> Left {
        match &self.outcome {
            Some(outcome) if outcome.exit_status() == Some(0) => Left::Nothing,
            _ => Left::Something,
        }
    }

    /// Waits for it. What could not be done beside the agent is tried again now.
    pub(super) async fn end(self, connection: &Connection) -> Left {
        let Self { command, outcome } = self;
        match outcome {
            Some(outcome) if left(&outcome).await == Left::Nothing => Left::Nothing,
            _ => run(connection, &command).await,
        }
    }
}

/// The same where no agent came up: as far as it goes, since why it did not is told anyway.
pub(super) async fn sweep_up(connection: &Connection, images: &AgentImages, placed: Option<Placed>) -> Left {
    run(connection, &script::sweep(images, CacheFolder::WasThere, placed)).await
}

async fn run(connection: &Connection, command: &str) -> Left {
    match timeout(PATIENCE, connection.run(command)).await {
        Ok(Ok(running)) => left(&unheard(running)).await,
        _ => Left::Something,
    }
}

/// What it prints is a shell's noise. The reader goes, since one that nobody reads would hold up the connection.
fn unheard(running: Running) -> Outcome {
    running.outcome
}

async fn left(outcome: &Outcome) -> Left {
    let ended = timeout(PATIENCE, outcome.ended()).await.is_ok();
    if ended && outcome.exit_status() == Some(0) { Left::Nothing } else { Left::Something }
}
