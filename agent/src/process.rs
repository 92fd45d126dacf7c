//! The agent as a program: `hfdown-agent serve NONCE`, a controller on standard input and output.

use std::path::PathBuf;
use std::process::ExitCode;

use hfdown_protocol::{Failure, FailureKind, Nonce, Report, VERSION, greet, outbox};
use tokio::io::{AsyncWriteExt, stdin, stdout};

use crate::serve::{Farewell, serve};
use crate::surroundings::Surroundings;

/// Rented boxes show 384 CPUs and allow 1,024 processes: two threads move bytes, a few touch the disk and hash. Standard
/// input and output are served by the latter as well, so they must not all be busy with a slow disk.
const WORKERS: usize = 2;
const BLOCKING: usize = 16;

/// Usage, by sysexits.h.
const EX_USAGE: u8 = 64;
/// The link was lost; what is on disk can be resumed. By sysexits.h.
const EX_TEMPFAIL: u8 = 75;
/// The runtime could not be started. By sysexits.h.
const EX_OSERR: u8 = 71;

/// Runs the agent on the process's standard streams. It reads no file and no variable but `SSL_CERT_FILE` and the proxy
/// variables.
pub fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (verb, nonce, rest) = (words.next(), words.next(), words.next());
    match (verb.as_deref(), nonce.map(|nonce| nonce.parse()), rest) {
        (Some("serve"), Some(Ok(nonce)), None) => run(nonce),
        (Some("--version"), None, None) => ended(&std::io::Write::write_all(
            &mut std::io::stdout(),
            format!("hfdown-agent {VERSION}\n").as_bytes(),
        )),
        _ => {
            let usage =
                b"usage: hfdown-agent serve NONCE\n\nStarted by hfdown on a box; it is not for people.\n";
            // When standard error is gone as well there is nobody to tell.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), usage);
            ExitCode::from(EX_USAGE)
        }
    }
}

fn ended(result: &std::io::Result<()>) -> ExitCode {
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(EX_OSERR) }
}

fn run(nonce: Nonce) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING)
        .enable_all()
        .build();
    let Ok(runtime) = runtime else { return ExitCode::from(EX_OSERR) };
    let farewell = runtime.block_on(converse(nonce));
    // A thread may still sit in a read of standard input, which nothing can interrupt.
    runtime.shutdown_background();
    match farewell {
        Ok(Farewell::Bye | Farewell::Fatal) => ExitCode::SUCCESS,
        Ok(Farewell::LinkLost | Farewell::Silence) => ExitCode::from(EX_TEMPFAIL),
        Err(_) => ExitCode::from(EX_OSERR),
    }
}

async fn converse(nonce: Nonce) -> std::io::Result<Farewell> {
    let mut stdout = stdout();
    greet(&mut stdout, nonce).await?;
    let extra_roots = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    match Surroundings::new(extra_roots.as_deref()) {
        Ok(surroundings) => Ok(serve(stdin(), stdout, surroundings).await),
        Err(error) => {
            let failure = Failure::new(FailureKind::Disk, error);
            let mut out = outbox(&mut stdout);
            let _ = futures_util::SinkExt::send(&mut out, Report::Fatal { failure }).await;
            stdout.flush().await?;
            Ok(Farewell::Fatal)
        }
    }
}
