//! Between a controller at the end of a channel and the host of a transfer, an agent with a session of its own.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::SinkExt;
use hfdown_protocol::{Conclusion, Failure, FailureKind, Order, Report, VERSION, outbox};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use super::control_files::{ControlFiles, own_folder};
use super::transfer_record::{TransferRecord, now};
use crate::conversation::CloseReason;
use crate::predecessor::AgentIdentity;

/// The verb by which this program is told to host a conversation whose first controller is at its standard input.
pub(crate) const HOST: &str = "host";

/// How long an agent may take for its first word. One that runs says it at once.
const ANSWER: Duration = Duration::from_secs(10);

/// Starts an agent with a session of its own and stands between it and these streams. `hello` is what was heard
/// already, and `rest` what was read behind it.
pub(crate) async fn start<R, W>(
    identity: AgentIdentity,
    hello: Order,
    rest: &[u8],
    reader: R,
    mut writer: W,
) -> CloseReason
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    match spawn(identity) {
        Ok(stream) => match relay(stream, hello, rest, reader, &mut writer).await {
            Ok((reason, _)) => reason,
            Err(Unanswered) => say(&mut writer, [Report::Fatal { failure: unanswered(None) }]).await,
        },
        Err(error) => {
            let detail = format_args!("cannot start an agent with a session of its own: {error}");
            say(&mut writer, [Report::Fatal { failure: Failure::new(FailureKind::Disk, detail) }]).await
        }
    }
}

/// Joins the transfer that was detached to this folder, or reports how it ended.
pub(crate) async fn join<R, W>(root: &str, hello: Order, rest: &[u8], reader: R, mut writer: W) -> CloseReason
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let files = match own_folder().and_then(|folder| ControlFiles::for_destination(folder, root)) {
        Ok(files) => files,
        Err(error) => {
            let failure = Failure::new(FailureKind::Disk, format_args!("cannot look for it: {error}"));
            return say(&mut writer, [Report::Fatal { failure }]).await;
        }
    };
    match files.connect().await {
        Ok(stream) => {
            let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
            match relay(stream, hello, rest, reader, &mut writer).await {
                // Nothing is heard from one that was about to end: then its record says how.
                Ok((CloseReason::Bye, 0)) => {}
                Ok((reason, _)) => return reason,
                Err(Unanswered) => {
                    return say(&mut writer, [Report::Fatal { failure: unanswered(pid) }]).await;
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            return say(&mut writer, [Report::Fatal { failure: unanswered(None) }]).await;
        }
        // Nothing listens there.
        Err(_) => {}
    }
    let machine = crate::machine::describe();
    let hello = Report::Hello { version: VERSION.to_owned(), machine };
    let nothing = || {
        let detail = format_args!("no transfer to {root} was detached there");
        Report::Fatal { failure: Failure::new(FailureKind::NotFound, detail) }
    };
    let answer = files.read_record().map_or_else(|| vec![nothing()], ended);
    say(&mut writer, [hello].into_iter().chain(answer)).await
}

fn ended(record: TransferRecord) -> Vec<Report> {
    let TransferRecord { mut status, began, ended, conclusion, warnings } = record;
    let since = ended.unwrap_or_else(now);
    status.age = now().saturating_sub(began);
    let conclusion = if ended.is_some() { conclusion } else { Conclusion::Vanished };
    let ended = Report::Ended { status: Box::new(status), conclusion, ago: now().saturating_sub(since) };
    warnings.into_iter().map(|warning| Report::Warning { warning }).chain([ended]).collect()
}

/// The same program, in the same working directory, with nothing of this channel: sshd waits for every process that
/// holds its pipes.
fn spawn(identity: AgentIdentity) -> io::Result<UnixStream> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Command::new(std::env::current_exe()?)
        .args([HOST, &identity.nonce.to_string(), &identity.run.to_string()])
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    UnixStream::from_std(ours)
}

/// Also returns how many bytes were heard from the agent.
async fn relay<R, W>(
    mut stream: UnixStream,
    hello: Order,
    rest: &[u8],
    mut reader: R,
    writer: &mut W,
) -> Result<(CloseReason, u64), Unanswered>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut first = outbox(&mut stream);
    if first.send(hello).await.is_err() || stream.write_all(rest).await.is_err() {
        return Ok((CloseReason::Bye, 0));
    }
    let (mut from, mut to) = stream.split();
    let answering = async {
        if tokio::time::timeout(ANSWER, from.readable()).await.is_err() {
            return Err(Unanswered);
        }
        let heard = tokio::io::copy(&mut from, writer).await;
        Ok(writer.flush().await.and(heard))
    };
    tokio::select! {
        // The agent at the other end sees that the link is gone, and knows what to do.
        _ = tokio::io::copy(&mut reader, &mut to) => Ok((CloseReason::LinkLost, 0)),
        copied = answering => match copied? {
            Ok(heard) => Ok((CloseReason::Bye, heard)),
            Err(_) => Ok((CloseReason::LinkLost, 0)),
        }
    }
}

/// The agent at the other end is there and says nothing.
struct Unanswered;

fn unanswered(pid: Option<i32>) -> Failure {
    let pid = pid.map_or_else(String::new, |pid| format!(", process {pid},"));
    Failure::new(
        FailureKind::Held,
        format_args!("the agent of this transfer{pid} is there and does not answer: it may be stopped"),
    )
}

async fn say<W: AsyncWrite + Unpin>(
    writer: &mut W,
    reports: impl IntoIterator<Item = Report>,
) -> CloseReason {
    let mut out = outbox(writer);
    for report in reports {
        if out.send(report).await.is_err() {
            return CloseReason::LinkLost;
        }
    }
    CloseReason::Fatal
}
