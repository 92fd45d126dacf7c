//! The agent from outside: a stream to a controller, and how a conversation over it ends.

use std::time::Duration;

use futures_util::SinkExt;
use hfdown_protocol::{CodecError, Outbox, Report, outbox};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use crate::conversation::{CloseReason, Conversation};
use crate::environment::Environment;

/// Reports on their way out: a thousand small files may be placed while the link is slow.
const REPORTS: usize = 1024;
/// How long the last words may take to be read.
const PARTING: Duration = Duration::from_secs(5);

/// Talks to one controller until either side has had enough. Whatever happens, what is on disk stays resumable.
pub async fn serve<R, W>(reader: R, writer: W, environment: Environment) -> CloseReason
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (reports, outgoing) = mpsc::channel(REPORTS);
    let writing = write(outbox(writer), outgoing);
    let mut writing = std::pin::pin!(writing);
    let reason = {
        let listening = Conversation::new(environment, reports).listen(reader);
        tokio::select! {
            reason = listening => reason,
            // The pipe broke: the controller is gone.
            _ = &mut writing => return CloseReason::LinkLost,
        }
    };
    // The conversation and with it the last sender are gone: what was said is delivered, then the writer ends.
    match tokio::time::timeout(PARTING, writing).await {
        Ok(Ok(())) => reason,
        Ok(Err(_)) | Err(_) => CloseReason::LinkLost,
    }
}

/// Says reports as they come, and several at once where they come fast.
pub(crate) async fn write<W: AsyncWrite + Unpin>(
    mut out: Outbox<W, Report>,
    mut outgoing: mpsc::Receiver<Report>,
) -> Result<(), CodecError> {
    while let Some(report) = outgoing.recv().await {
        out.feed(report).await?;
        while let Ok(report) = outgoing.try_recv() {
            out.feed(report).await?;
        }
        out.flush().await?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "serve_xorbs_tests.rs"]
mod xorbs_tests;

#[cfg(test)]
#[cfg(unix)]
#[path = "serve_basis_tests.rs"]
mod basis_tests;
