//! Past an automatic tmux: some boxes' start-up files take every session over, so that no command runs.
//!
//! Vast's `.bashrc` puts each login into tmux, unless there is a file `~/.no_auto_tmux`. That file is made by SFTP, which
//! needs no shell, or by typing a command into a terminal.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::sftp::{FileCreation, SftpClient, SftpError};
use crate::link::connection::{ChannelRequest, ClientConnection, RemoteCommand};
use crate::link::error::LinkError;

/// The file that tells Vast's start-up files to leave a session alone.
const NO_AUTO_TMUX: &str = ".no_auto_tmux";

/// How long SFTP may take for its four requests.
const SFTP_TIMEOUT: Duration = Duration::from_secs(15);

/// What is typed into a terminal. In a tmux, a program that reads its keys may be in front, so a new window is opened
/// first (`^B c`), and closed by `exit`. A shell without tmux takes these two keys for editing, and `^U` takes them back.
const TYPED: &[u8] = b"\x02c\x15touch ~/.no_auto_tmux; exit\n";
/// Leaves a tmux that was there before (`^B d`).
const DETACH: &[u8] = b"\x02d";

/// A terminal that has printed nothing for so long waits for input.
const QUIET: Duration = Duration::from_millis(700);
/// How much of what it prints is kept, in bytes.
const PRINTED: usize = 16 * 1024;
/// How long a terminal may print before and after something is typed.
const PRINTING: Duration = Duration::from_secs(6);

/// Makes the file, if there is none.
pub(super) async fn opt_out_by_sftp(connection: &ClientConnection) -> Result<FileCreation, SftpError> {
    within(SFTP_TIMEOUT, async {
        let mut running = connection.start(ChannelRequest::Sftp).await.map_err(|_| SftpError::Ended)?;
        let made = match SftpClient::begin(&mut running.reader, &mut running.writer).await {
            Ok(mut sftp) => sftp.make(NO_AUTO_TMUX).await,
            Err(error) => Err(error),
        };
        running.hang_up().await;
        made
    })
    .await
}

/// Removes the file again.
pub(super) async fn opt_in_by_sftp(connection: &ClientConnection) -> Result<(), SftpError> {
    within(SFTP_TIMEOUT, async {
        let mut running = connection.start(ChannelRequest::Sftp).await.map_err(|_| SftpError::Ended)?;
        let removed = match SftpClient::begin(&mut running.reader, &mut running.writer).await {
            Ok(mut sftp) => sftp.remove(NO_AUTO_TMUX).await,
            Err(error) => Err(error),
        };
        running.hang_up().await;
        removed
    })
    .await
}

async fn within<T>(
    limit: Duration,
    conversation: impl Future<Output = Result<T, SftpError>>,
) -> Result<T, SftpError> {
    timeout(limit, conversation).await.unwrap_or(Err(SftpError::Ended))
}

/// Types a command that makes the file. Whether the shell ran it is seen by starting the agent again.
pub(super) async fn opt_out_by_terminal(connection: &ClientConnection) -> Result<(), LinkError> {
    let mut running = connection.start(ChannelRequest::Terminal).await?;
    for typed in [TYPED, DETACH] {
        until_quiet(&mut running).await;
        if running.writer.write_all(typed).await.is_err() {
            break;
        }
    }
    until_quiet(&mut running).await;
    running.hang_up().await;
    Ok(())
}

/// What a terminal prints until it prints nothing more, or has ended.
pub(super) async fn until_quiet(running: &mut RemoteCommand) -> Vec<u8> {
    let mut printed = Vec::new();
    let mut block = [0; 4096];
    let reading = async {
        while let Ok(Ok(read @ 1..)) = timeout(QUIET, running.reader.read(&mut block)).await {
            let room = PRINTED.saturating_sub(printed.len());
            printed.extend(block.iter().take(read.min(room)));
        }
    };
    // A terminal that prints without end is typed into all the same.
    _ = timeout(PRINTING, reading).await;
    printed
}
