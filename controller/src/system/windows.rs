//! Windows.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use russh::keys::agent::client::AgentClient;

use super::SshAgent;

/// The variable that names the user's own folder.
pub(crate) const HOME: &str = "USERPROFILE";

/// Returns at the next Ctrl-C; `false` when it can't be heard.
pub(crate) async fn asked_to_stop() -> bool {
    tokio::signal::ctrl_c().await.is_ok()
}

/// What is made in a user's own folder is theirs alone as it is.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// The ssh-agent that listens there.
pub(crate) async fn connect_ssh_agent(pipe: &Path) -> Result<SshAgent, russh::keys::Error> {
    Ok(AgentClient::connect_named_pipe(pipe).await?.dynamic())
}

/// Splits a command line: quotes are those of other shells, and `\` separates folders.
pub(crate) fn split_words(text: &str) -> Result<Vec<String>, shell_words::ParseError> {
    shell_words::split(&super::with_literal_backslashes(text))
}

/// Where the system's own ssh-agent listens, which sets no variable.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is none")]
pub(crate) fn usual_ssh_agent() -> Option<PathBuf> {
    Some(PathBuf::from(r"\\.\pipe\openssh-ssh-agent"))
}

/// The terminal. The prompt for a passphrase puts it back.
pub(crate) struct Terminal;

impl Terminal {
    /// Nothing that has to be remembered.
    pub(crate) fn remember() -> Self {
        Self
    }
}
