//! Windows.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use russh::keys::agent::client::AgentClient;

use super::{FileOwner, SshAgent};

/// The variable that names the user's own folder.
pub(crate) const HOME: &str = "USERPROFILE";

/// The terminal that a process was started from: what is read, and what is written.
pub(crate) const TERMINAL: (&str, &str) = ("CONIN$", "CONOUT$");

/// Returns at the next Ctrl-C; `false` when it can't be heard.
pub(crate) async fn asked_to_stop() -> bool {
    tokio::signal::ctrl_c().await.is_ok()
}

/// What is made in a user's own folder is theirs alone as it is.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// The same of a folder.
pub(crate) fn private_folder(builder: &mut DirBuilder) -> &mut DirBuilder {
    builder
}

/// Whose a file is: a user's own folder holds only what is theirs.
pub(crate) fn ownership(_: &Metadata) -> FileOwner {
    FileOwner::Ours
}

/// How many names a file has, as far as the system tells without a question of its own.
pub(crate) fn names(_: &Metadata) -> u64 {
    1
}

/// It is closed as it is.
pub(crate) fn close_folder(_: &Path) {}

/// The same of a file.
pub(crate) fn close_file(_: &File, _: &Metadata) {}

/// The ssh-agent that listens there.
pub(crate) async fn connect_ssh_agent(pipe: &Path) -> Result<SshAgent, russh::keys::Error> {
    Ok(AgentClient::connect_named_pipe(pipe).await?.dynamic())
}

/// Splits a command line: quotes are those of other shells, and `\` separates folders.
pub(crate) fn split_words(text: &str) -> Result<Vec<String>, shell_words::ParseError> {
    shell_words::split(&super::with_literal_backslashes(text))
}

/// There is no limit to raise.
pub(crate) fn allow_descriptors(_: u64) {}

/// Whether this process has as many descriptors as it may (`WSAEMFILE`).
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    error.raw_os_error() == Some(10_024)
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
