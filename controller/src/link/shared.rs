//! What the links to all targets of a run share: connections to the gateways that they go through, their turns to log in, and
//! the agents that one target finds where another has brought them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hfdown_protocol::Traces;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::agent::Sweep;
use super::connection::{ClientConnection, Gateways};
use super::error::LinkError;
use super::settings::LinkSettings;
use super::ssh_command::SshTarget;
use super::turns::{QueueTime, Turns};

/// How long one target may take to remove its agent before the next one brings another.
const SWEEPING: Duration = Duration::from_secs(10);

/// What links share. Clones are the same.
#[derive(Clone, Default)]
pub struct SharedLinks(Arc<SharedLinkState>);

#[derive(Default)]
struct SharedLinkState {
    gateways: Gateways,
    turns: Turns,
    /// What has become of the agents on boxes, by their logins.
    boxes: Mutex<HashMap<String, Arc<tokio::sync::Mutex<BoxAgent>>>>,
    /// Files in which no host key could be written, as far as that has been told.
    unwritten: Mutex<HashSet<PathBuf>>,
}

/// What has become of the agent of this run on a box.
#[derive(Default)]
enum BoxAgent {
    /// It is not known to be there.
    #[default]
    Unknown,
    /// It is where the next target finds it.
    Cached,
    /// It has been taken away, or this ends when it has been.
    Removed(Sweep),
}

/// The turn to start an agent on a box. It is over when this is dropped.
pub(super) struct AgentTurn(Option<OwnedMutexGuard<BoxAgent>>);

impl SharedLinks {
    /// Whether it is still to be told that no host key could be written into a file: once for all boxes.
    pub fn is_first_unwritten(&self, file: &Path) -> bool {
        self.0.unwritten.lock().unwrap_or_else(PoisonError::into_inner).insert(file.to_owned())
    }

    /// Connects to a box and logs in.
    pub(super) async fn open(
        &self,
        target: &SshTarget,
        settings: &LinkSettings,
    ) -> Result<ClientConnection, LinkError> {
        self.0.gateways.open(target, settings, &self.0.turns).await
    }

    /// Waits for the turn to start an agent where this connection leads: of several targets on a box the first brings it, and
    /// the others find it. Where none may stay, each takes away what it has brought before the next one comes.
    pub(super) async fn agent_turn(&self, connection: &ClientConnection, queued: &QueueTime) -> AgentTurn {
        let agent = self.agent_at(connection.login());
        queued
            .during(async {
                let agent = agent.lock_owned().await;
                match &*agent {
                    BoxAgent::Unknown => {}
                    BoxAgent::Cached => return AgentTurn(None),
                    // One that does not end is told by the target that began it.
                    BoxAgent::Removed(sweep) => _ = timeout(SWEEPING, sweep.ended()).await,
                }
                AgentTurn(Some(agent))
            })
            .await
    }
}

impl SharedLinks {
    fn agent_at(&self, login: String) -> Arc<tokio::sync::Mutex<BoxAgent>> {
        Arc::clone(self.0.boxes.lock().unwrap_or_else(PoisonError::into_inner).entry(login).or_default())
    }
}

impl fmt::Debug for SharedLinks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SharedLinks").finish_non_exhaustive()
    }
}

impl AgentTurn {
    /// The agent runs. What stays of it is for the next target.
    pub(super) fn started(mut self, traces: Traces, sweep: Option<&Sweep>) {
        if let Some(agent) = self.0.as_deref_mut() {
            *agent = match (traces, sweep) {
                (Traces::Keep, _) => BoxAgent::Cached,
                (Traces::Remove, Some(sweep)) => BoxAgent::Removed(sweep.clone()),
                (Traces::Remove, None) => BoxAgent::Unknown,
            };
        }
    }
}
