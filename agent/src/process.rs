//! The agent as a program: `hfdown-agent serve NONCE`, a controller on standard input and output. A digest behind the nonce
//! is what its own file must have, where nothing else on the box could tell.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hfdown_protocol::{
    Digest, Failure, FailureKind, Mode, Order, Report, VERSION, greet, inbox, limits, outbox,
};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, stdin, stdout};

use crate::conversation::CloseReason;
use crate::environment::Environment;
use crate::hasher::Hasher;
use crate::http::{EnvironmentOwner, Proxies};
use crate::os_error::in_words;
use crate::predecessor::AgentIdentity;
use crate::program::{self, StartError};
use crate::serve::serve;

/// Rented boxes show 384 CPUs and allow 1,024 processes: two threads move bytes, a few touch the disk and hash.
/// Standard input and output are served by the latter as well, so they must not all be busy with a slow disk.
const WORKERS: usize = 2;
const BLOCKING: usize = 16;

/// Usage, by sysexits.h.
const EX_USAGE: u8 = 64;
/// Its own file is not what it should be. By sysexits.h.
const EX_DATAERR: u8 = 65;
/// The link was lost; what is on disk can be resumed. By sysexits.h.
const EX_TEMPFAIL: u8 = 75;
/// A defect. By sysexits.h.
const EX_SOFTWARE: u8 = 70;
/// The runtime could not be started. By sysexits.h.
const EX_OSERR: u8 = 71;

/// Runs the agent on the process's standard streams. It reads no file and no variable but `SSL_CERT_FILE` and the proxy
/// variables.
pub fn main() -> ExitCode {
    program::report_defects(|defect| {
        say(&format!("hfdown-agent: {defect}"));
        std::process::exit(EX_SOFTWARE.into());
    });
    if let Err(error) = program::begin() {
        return cannot_start(&error);
    }
    // Words that are no text are none of a controller's.
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // By these words a later agent of the same run knows an earlier one.
    let identity = match words[..] {
        [_, nonce, of, ..] => {
            nonce.parse().and_then(|nonce| Ok(AgentIdentity { nonce, run: of.parse()? })).ok()
        }
        _ => None,
    };
    match (&words[..], identity) {
        (["serve", _, _, digest], Some(_)) if !is_ours(digest) => {
            // The controller sees that no greeting came.
            say("this agent's file is damaged");
            ExitCode::from(EX_DATAERR)
        }
        (["serve", _, _] | ["serve", _, _, _], Some(identity)) => run(converse(identity)),
        #[cfg(unix)]
        ([crate::detached::HOST, _, _], Some(identity)) => run(host(identity)),
        (["end", _, _], Some(identity)) => run(end(identity)),
        (["--version"], None) => ended(&std::io::Write::write_all(
            &mut std::io::stdout(),
            format!("hfdown-agent {VERSION}\n").as_bytes(),
        )),
        _ => {
            let usage =
                b"usage: hfdown-agent serve NONCE RUN [SHA256]\n\nStarted by hfdown on a box; it is not for people.\n";
            // When standard error is gone as well there is no way to say it.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), usage);
            ExitCode::from(EX_USAGE)
        }
    }
}

/// Whether this program's own file has the digest that its controller expects. Damage that leaves it able to find that
/// out is found; where a shell can look first, it has.
fn is_ours(digest: &str) -> bool {
    // What it is not allowed to see, as where there is no `/proc`, is no damage.
    let Ok(own) = std::env::current_exe().and_then(std::fs::read) else { return true };
    Digest::sha256(digest).is_ok_and(|expected| {
        let mut hasher = Hasher::like(expected, own.len() as u64);
        hasher.update(&own);
        hasher.finish() == expected
    })
}

/// Says something to whom the channel's standard error goes.
fn say(text: &str) {
    // When it is gone there is no other way to say it.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
}

fn cannot_start(error: &StartError) -> ExitCode {
    say(&format!("the agent cannot start: {}", in_words(&error.to_string())));
    ExitCode::from(EX_OSERR)
}

fn ended(result: &std::io::Result<()>) -> ExitCode {
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(EX_OSERR) }
}

fn run(conversation: impl Future<Output = std::io::Result<CloseReason>>) -> ExitCode {
    let runtime = match program::runtime(WORKERS, BLOCKING) {
        Ok(runtime) => runtime,
        Err(error) => return cannot_start(&error),
    };
    let reason = runtime.block_on(conversation);
    // A thread may still sit in a read of standard input, which nothing can interrupt.
    runtime.shutdown_background();
    match reason {
        Ok(CloseReason::Bye | CloseReason::Fatal) => ExitCode::SUCCESS,
        Ok(CloseReason::LinkLost | CloseReason::Silence) => ExitCode::from(EX_TEMPFAIL),
        Err(_) => ExitCode::from(EX_OSERR),
    }
}

/// Greets, and does as the first order says: serves the controller itself, starts a host for it, or finds the one that
/// is there.
async fn converse(identity: AgentIdentity) -> std::io::Result<CloseReason> {
    let mut stdout = stdout();
    greet(&mut stdout, identity.nonce).await?;
    let mut orders = inbox::<_, Order>(stdin(), &[]);
    let patience = Duration::from_secs(limits::SILENCE_SECONDS);
    let hello = match tokio::time::timeout(patience, orders.next()).await {
        Err(_) => return Ok(CloseReason::Silence),
        Ok(None) => return Ok(CloseReason::LinkLost),
        Ok(Some(Err(error))) => return refuse(stdout, FailureKind::Protocol, error).await,
        Ok(Some(Ok(hello))) => hello,
    };
    let rest = orders.read_buffer().to_vec();
    let stdin = orders.into_inner();
    match &hello {
        #[cfg(unix)]
        Order::Hello { mode: Mode::Detached, .. } => {
            Ok(crate::detached::start(identity, hello, &rest, stdin, stdout).await)
        }
        #[cfg(unix)]
        Order::Hello { mode: Mode::Joining { root } | Mode::Inquiring { root }, .. } => {
            let root = root.clone();
            let joining = crate::detached::join(&root, hello, &rest, stdin, stdout);
            // Earlier relays of this run stand between it and nothing any more.
            let ending = async {
                let _ = identity.end_predecessors().await;
                std::future::pending().await
            };
            tokio::select! {
                reason = joining => Ok(reason),
                never = ending => never,
            }
        }
        #[cfg(not(unix))]
        Order::Hello { mode: Mode::Detached | Mode::Joining { .. } | Mode::Inquiring { .. }, .. } => {
            refuse(stdout, FailureKind::Disk, "this system has no transfers that outlive their link").await
        }
        _ => {
            let mut heard = Vec::new();
            outbox(&mut heard).send(hello).await.map_err(std::io::Error::other)?;
            heard.extend(rest);
            match environment(identity) {
                Ok(environment) => {
                    Ok(serve(std::io::Cursor::new(heard).chain(stdin), stdout, environment).await)
                }
                Err(error) => refuse(stdout, FailureKind::Disk, error).await,
            }
        }
    }
}

/// Ends what a run has left of itself, for a controller that goes and gets no answer. What could not be ended is said on
/// standard error.
async fn end(identity: AgentIdentity) -> std::io::Result<CloseReason> {
    let left = identity.end_predecessors().await;
    if left.is_empty() {
        return Ok(CloseReason::Bye);
    }
    let pids: Vec<_> = left.iter().map(u32::to_string).collect();
    tokio::io::stderr().write_all(format!("process {}\n", pids.join(", ")).as_bytes()).await?;
    Ok(CloseReason::LinkLost)
}

/// Hosts the conversation whose first controller is at this process's standard input, and outlives the agent that
/// started it.
#[cfg(unix)]
async fn host(identity: AgentIdentity) -> std::io::Result<CloseReason> {
    use std::os::fd::AsFd;
    // Without a session of its own it would hear the signals of the one it was started in. It has one if this fails.
    let _ = rustix::process::setsid();
    let first = std::os::unix::net::UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    first.set_nonblocking(true)?;
    // The one handle on it from here on: when it is closed, the relay at the other end is to see that.
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    let first = tokio::net::UnixStream::from_std(first)?;
    match environment(identity) {
        Ok(environment) => {
            Ok(crate::detached::host(first, crate::detached::own_folder()?, environment).await)
        }
        Err(error) => refuse(first, FailureKind::Disk, error).await,
    }
}

fn environment(identity: AgentIdentity) -> Result<Environment, crate::http::SetupError> {
    let extra_roots = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let environment = Environment::new(extra_roots.as_deref(), Proxies::of_process(EnvironmentOwner::Box))?
        .with_identity(Some(identity));
    #[cfg(unix)]
    let environment = environment.with_private(crate::detached::own_folder().ok());
    Ok(environment)
}

async fn refuse<W: AsyncWrite + Unpin>(
    mut writer: W,
    kind: FailureKind,
    why: impl std::fmt::Display,
) -> std::io::Result<CloseReason> {
    let failure = Failure::new(kind, why);
    let _ = outbox(&mut writer).send(Report::Fatal { failure }).await;
    writer.flush().await?;
    Ok(CloseReason::Fatal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_was_damaged_finds_that_out() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let digest = |bytes: &[u8]| {
            let mut hasher = Hasher::like(Digest::Sha256([0; 32]), 0);
            hasher.update(bytes);
            hasher.finish().to_string()
        };
        assert!(is_ours(&digest(&own)));
        assert!(!is_ours(&digest(&own[1..])));
        assert!(!is_ours("no digest"));
    }
}
