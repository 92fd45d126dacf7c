//! Linux, macOS and their relatives.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use russh::keys::agent::client::AgentClient;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};

use super::SshAgent;

/// The variable that names the user's own folder.
pub(crate) const HOME: &str = "HOME";

/// Returns at the next Ctrl-C or `SIGTERM`; `false` when neither can be heard.
pub(crate) async fn asked_to_stop() -> bool {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return tokio::signal::ctrl_c().await.is_ok();
    };
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.is_ok(),
        seen = terminate.recv() => seen.is_some(),
    }
}

/// A file that is made is for its owner alone.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// The ssh-agent that listens there.
pub(crate) async fn connect_ssh_agent(socket: &Path) -> Result<SshAgent, russh::keys::Error> {
    Ok(AgentClient::connect_uds(socket).await?.dynamic())
}

/// Splits a command line as the user's own shell does.
pub(crate) fn split_words(text: &str) -> Result<Vec<String>, shell_words::ParseError> {
    shell_words::split(text)
}

/// Where an ssh-agent listens that no variable names: nowhere.
pub(crate) fn usual_ssh_agent() -> Option<PathBuf> {
    None
}

/// A terminal, and how it was. A prompt for a passphrase puts it back afterwards, but can't when it is dropped:
/// it still reads.
pub(crate) struct Terminal(Option<(File, Termios)>);

impl Terminal {
    /// Looks at how it is; when this is dropped it will be so again.
    pub(crate) fn remember() -> Self {
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
        Self(terminal.ok().and_then(|terminal| {
            let state = tcgetattr(&terminal).ok()?;
            Some((terminal, state))
        }))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let Some((terminal, state)) = &mut self.0 else { return };
        let is_changed = tcgetattr(&*terminal).is_ok_and(|now| now.local_modes != state.local_modes);
        if is_changed {
            // A terminal that is gone needs nothing any more.
            let _ = tcsetattr(&*terminal, OptionalActions::Now, state);
            let _ = terminal.write_all(b"\n");
        }
    }
}
