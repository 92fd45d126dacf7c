//! Starting an agent on a box: the cached one, or one that is uploaded first.
//!
//! Where the login shell runs no command, what it printed may say why ([`super::shell_answer`]). If it does not, an automatic
//! tmux may have taken the session over: it is told to leave this
//! user's sessions alone ([`super::tmux`]), and the agent is started once more. A box whose shell runs commands notices
//! nothing of this.

use super::agent_link::Launched;
use super::image::AgentImages;
use super::install::install;
use super::launch::{LaunchOutcome, launch};
use super::sftp::FileCreation;
use super::shell_answer::ShellAnswer;
use super::tmux;
use super::traces::TmuxOptOut;
use crate::link::connection::ClientConnection;
use crate::link::error::{AutoTmux, LinkError};
use crate::link::settings::LinkSettings;

/// An agent that runs, or what the login shell did instead.
enum Start {
    Started(Launched),
    ShellIgnored(ShellAnswer),
}

/// Starts the agent. A file that had to be placed for that is noted in `tmux_opt_out`, also if starting then fails.
pub(in crate::link) async fn start_agent(
    connection: &ClientConnection,
    settings: &LinkSettings,
    images: &AgentImages,
    tmux_opt_out: &mut Option<TmuxOptOut>,
) -> Result<Launched, LinkError> {
    let start = async || -> Result<Start, LinkError> {
        Ok(match launch(connection, settings, images).await? {
            LaunchOutcome::Greeted(launched) => Start::Started(launched),
            LaunchOutcome::Missing(platform, replaces) => {
                Start::Started(install(connection, settings, images, platform, replaces).await?)
            }
            LaunchOutcome::ShellIgnored(answer) => Start::ShellIgnored(answer),
        })
    };
    let ignored = match start().await? {
        Start::Started(launched) => return Ok(launched),
        Start::ShellIgnored(answer) => answer,
    };
    if let Some(error) = ignored.verdict(connection).await {
        return Err(error);
    }
    match tmux::opt_out_by_sftp(connection).await {
        Ok(FileCreation::Created) => {
            *tmux_opt_out = Some(TmuxOptOut::BySftp);
            return match start().await? {
                Start::Started(launched) => Ok(launched),
                Start::ShellIgnored(answer) => {
                    // The file was no help, so it does not stay.
                    if tmux::opt_in_by_sftp(connection).await.is_ok() {
                        *tmux_opt_out = None;
                    }
                    Err(answer.ignored(connection, AutoTmux::RuledOut))
                }
            };
        }
        Ok(FileCreation::Existed) => return Err(ignored.ignored(connection, AutoTmux::RuledOut)),
        Err(error) => tracing::debug!(%error, "no SFTP there"),
    }
    // Nothing is typed into what may be anything else.
    if !ignored.is_multiplexer() || tmux::opt_out_by_terminal(connection).await.is_err() {
        return Err(ignored.ignored(connection, AutoTmux::Possible));
    }
    let started = start().await;
    // A shell that runs commands now, whatever their result, has read what was typed.
    let is_typed = match &started {
        Ok(Start::Started(_)) => true,
        Ok(Start::ShellIgnored(_)) => false,
        Err(error) => !error.is_of_the_moment(),
    };
    if is_typed {
        *tmux_opt_out = Some(TmuxOptOut::ByTerminal);
    }
    match started? {
        Start::Started(launched) => Ok(launched),
        Start::ShellIgnored(answer) => Err(answer.ignored(connection, AutoTmux::Possible)),
    }
}
