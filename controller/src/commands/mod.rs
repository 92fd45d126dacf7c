//! The verbs. Each turns what was typed into a trip and goes down the same road.

mod again;
mod attach;
mod course;
mod download;
mod file;
mod forget_host;
mod info;
mod road;
mod rsync_sync;
mod rsync_to_vast;
mod there;
mod trip;

use std::process::ExitCode;

use hfdown_protocol::Traces;
use tokio_util::sync::CancellationToken;

use crate::cli::{Arguments, Command, OutputArguments, begin_log};
use crate::display::{Display, Drawn, Events};
use crate::failure::{self, Exit, Problem};
use crate::interrupt;
use crate::output::Output;

/// Two threads move bytes and talk; the agent's hashing and disk work has its own.
const WORKERS: usize = 2;
/// Disk work and hashing of an agent in this process.
const BLOCKING: usize = 16;

/// What every command is given.
pub(crate) struct Context {
    /// Where what happens is told.
    pub(crate) display: Display,
    /// Set when the person wants to stop.
    pub(crate) cancel: CancellationToken,
}

impl Context {
    fn events(&self, name: Option<&str>) -> Events {
        self.display.events(name)
    }
}

/// Runs the program: reads what was typed, does it, says what came of it.
pub fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help goes to standard output, complaints to standard error; a pipe that nobody reads is no reason to
            // fail.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let output = Output::for_process(output(&arguments.command));
    begin_log(&output);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            return report(output, Err(Problem::new(Exit::Failed, "cannot start").because(error))).into();
        }
    };
    let cancel = CancellationToken::new();
    let display = Display::begin(output);
    let context = Context { display, cancel: cancel.clone() };
    let outcome = runtime.block_on(async {
        tokio::spawn(interrupt::watch(cancel, context.events(None)));
        run(&arguments.command, &context).await
    });
    // What is still running has been told to stop, and what is on disk can be resumed.
    runtime.shutdown_background();
    match context.display.end() {
        Some(Drawn { output, incomplete: None }) => report(output, outcome).into(),
        Some(Drawn { output, incomplete: Some(error) }) => {
            // What went wrong before comes first: it has the better reason.
            report(output, outcome.and_then(|exit| failure::unwritten(exit, &error))).into()
        }
        None => Exit::Failed.into(),
    }
}

async fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    match command {
        Command::Info { source, .. } => info::run(source, context).await,
        Command::Download { source, folder, transfer } => {
            download::run(source, folder.as_deref(), transfer, context).await
        }
        Command::File { source, name, destination, transfer } => {
            file::run(source, name, destination.as_deref(), transfer, context).await
        }
        Command::RsyncSync { source, folder, sync, transfer } => {
            rsync_sync::run(source, folder, sync, transfer, context).await
        }
        Command::ForgetHost { host, .. } => forget_host::run(host, context).await,
        Command::RsyncToVast { source, there, detach, no_trace, idle_timeout, sync, transfer } => {
            let idle_timeout = detach.then_some(*idle_timeout);
            let traces = if *no_trace { Traces::Remove } else { Traces::Keep };
            let wish = rsync_to_vast::Wish { source, there, sync, transfer, traces, idle_timeout };
            rsync_to_vast::run(wish, context).await
        }
        Command::Attach { there, token, .. } => {
            attach::run(attach::Wish::Attach { token: token.as_deref() }, there, context).await
        }
        Command::Stop { there, .. } => attach::run(attach::Wish::Stop, there, context).await,
    }
}

fn output(command: &Command) -> &OutputArguments {
    match command {
        Command::Info { output, .. }
        | Command::Attach { output, .. }
        | Command::Stop { output, .. }
        | Command::ForgetHost { output, .. } => output,
        Command::Download { transfer, .. }
        | Command::File { transfer, .. }
        | Command::RsyncSync { transfer, .. }
        | Command::RsyncToVast { transfer, .. } => &transfer.output,
    }
}

fn report(mut output: Output, outcome: Result<Exit, Problem>) -> Exit {
    match outcome {
        Ok(exit) => exit,
        Err(problem) => {
            // When nobody reads it, the exit code says it.
            let _ = output.problem(&problem);
            problem.exit
        }
    }
}
