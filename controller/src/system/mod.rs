//! What differs between operating systems, and nothing else: a file for each kind, with the same functions.

use russh::keys::agent::client::{AgentClient, AgentStream};

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{HOME, Terminal, asked_to_stop, connect_ssh_agent, private, usual_ssh_agent};
#[cfg(windows)]
pub(crate) use windows::{HOME, Terminal, asked_to_stop, connect_ssh_agent, private, usual_ssh_agent};

/// An ssh-agent, however it is reached.
pub(crate) type SshAgent = AgentClient<Box<dyn AgentStream + Send + Unpin>>;
