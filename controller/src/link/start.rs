//! Past the login shell: the agent is started, and uploaded first where there is none.
//!
//! Some boxes' start-up files take every session over, so that no command runs: Vast's `.bashrc` puts whoever comes
//! into tmux, unless there is a file `~/.no_auto_tmux`. Where a shell ran nothing that file is placed, by SFTP, which
//! needs no shell, or by typing it into a terminal; then it is tried again. A box whose shell runs commands notices
//! nothing of this.

use std::time::Duration;

use hfdown_protocol::Nonce;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::agent_link::Launched;
use super::error::LinkError;
use super::image::AgentImages;
use super::install::install;
use super::launch::{LaunchOutcome, launch};
use super::remote_command::RemoteCommand;
use super::settings::LinkSettings;
use super::sftp::{FileCreation, SftpClient, SftpError};
use super::ssh_connection::{ChannelRequest, SshConnection};
use super::traces::TmuxOptOut;

/// The file that tells Vast's start-up files to leave a session alone.
const NO_TMUX: &str = ".no_auto_tmux";

/// How long SFTP may take for its four questions.
const SFTP_TIMEOUT: Duration = Duration::from_secs(15);

/// What is typed into a terminal. If tmux has it, its own shell need not be what is in front: whatever runs there must
/// not be typed into, so a window of our own is opened first, and closed by `exit`. A shell without tmux takes the
/// first two keys for editing, and `^U` takes them back.
const TYPED: &[u8] = b"\x02c\x15touch ~/.no_auto_tmux; exit\n";
/// Leaves a tmux that was there before.
const DETACH: &[u8] = b"\x02d";

/// A terminal that has said nothing for so long has nothing more to say.
const QUIET: Duration = Duration::from_millis(700);
/// How long a terminal is listened to before and after something is typed.
const LISTENING: Duration = Duration::from_secs(6);

/// Starts the agent. What had to be placed for that is noted in `placed`, also if it then fails.
pub(super) async fn start_agent(
    connection: &SshConnection,
    settings: &LinkSettings,
    images: &AgentImages,
    supersedes: Option<Nonce>,
    tmux_opt_out: &mut Option<TmuxOptOut>,
) -> Result<Launched, LinkError> {
    let attempt = async || -> Result<Result<Launched, LinkError>, LinkError> {
        Ok(match launch(connection, settings, images, supersedes).await? {
            LaunchOutcome::Greeted(launched) => Ok(launched),
            LaunchOutcome::Missing(platform) => Ok(install(connection, settings, images, platform).await?),
            LaunchOutcome::ShellIgnored(error) => Err(error),
        })
    };
    let deaf = match attempt().await? {
        Ok(launched) => return Ok(launched),
        Err(deaf) => deaf,
    };
    match timeout(SFTP_TIMEOUT, by_sftp(connection)).await.unwrap_or(Err(SftpError::Ended)) {
        Ok(FileCreation::Created) => {
            *tmux_opt_out = Some(TmuxOptOut::BySftp);
            let entered = attempt().await?;
            if entered.is_err() {
                // It was no help, so it does not stay.
                if let Ok(Ok(())) = timeout(SFTP_TIMEOUT, remove_by_sftp(connection)).await {
                    *tmux_opt_out = None;
                }
            }
            return entered.map_err(LinkError::in_spite_of_no_auto_tmux);
        }
        Ok(FileCreation::Existed) => return Err(deaf.in_spite_of_no_auto_tmux()),
        Err(error) => tracing::debug!(%error, "no SFTP there"),
    }
    if by_terminal(connection).await.is_err() {
        return Err(deaf);
    }
    let entered = attempt().await;
    // A shell that runs commands now, whatever comes of them, has heard what was typed.
    let is_heard = match &entered {
        Ok(Ok(_)) => true,
        Ok(Err(_)) => false,
        Err(error) => !error.is_of_the_moment(),
    };
    if is_heard {
        *tmux_opt_out = Some(TmuxOptOut::ByTerminal);
    }
    entered?
}

async fn by_sftp(connection: &SshConnection) -> Result<FileCreation, SftpError> {
    let mut running = connection.start(ChannelRequest::Sftp).await.map_err(|_| SftpError::Ended)?;
    let made = match SftpClient::begin(&mut running.reader, &mut running.writer).await {
        Ok(mut sftp) => sftp.make(NO_TMUX).await,
        Err(error) => Err(error),
    };
    running.hang_up().await;
    made
}

async fn remove_by_sftp(connection: &SshConnection) -> Result<(), SftpError> {
    let mut running = connection.start(ChannelRequest::Sftp).await.map_err(|_| SftpError::Ended)?;
    let removed = match SftpClient::begin(&mut running.reader, &mut running.writer).await {
        Ok(mut sftp) => sftp.remove(NO_TMUX).await,
        Err(error) => Err(error),
    };
    running.hang_up().await;
    removed
}

/// Whether it was heard is seen by trying again.
async fn by_terminal(connection: &SshConnection) -> Result<(), LinkError> {
    let mut running = connection.start(ChannelRequest::Terminal).await?;
    for typed in [TYPED, DETACH] {
        fall_quiet(&mut running).await;
        if running.writer.write_all(typed).await.is_err() {
            break;
        }
    }
    fall_quiet(&mut running).await;
    running.hang_up().await;
    Ok(())
}

/// Listens until a terminal has nothing more to say, or has ended.
async fn fall_quiet(running: &mut RemoteCommand) {
    let mut block = [0; 4096];
    let listening =
        async { while let Ok(Ok(1..)) = timeout(QUIET, running.reader.read(&mut block)).await {} };
    // What talks on without end is typed at all the same.
    _ = timeout(LISTENING, listening).await;
}
