//! The verbs. Each turns what was typed into a `SyncRequest` (what is wanted) and a `Target` (where), which take the
//! same path, in `sync.rs`.

mod attach;
mod attempts;
mod cache;
mod download;
mod file;
mod fleet;
mod forget_host;
mod info;
mod listing;
mod misplaced;
mod remedies;
mod renewal;
mod request;
mod rsync_sync;
mod rsync_to_vast;
mod status;
mod summary;
mod sync;
mod target_sync;
mod verify;
mod verify_offline;

use std::io::Write as _;
use std::process::ExitCode;

use hfdown_agent::program;
use hfdown_protocol::Traces;
use tokio_util::sync::CancellationToken;

use self::fleet::{FleetOptions, OfflineVerification};
use self::request::{Targets, Through};
use crate::cli::{
    Arguments, BoxAccess, BoxArguments, Command, FleetArguments, OutputArguments, StatusArguments,
    TypedPlaces, begin_log,
};
use crate::display::{Display, Drawn, Events};
use crate::failure::{AttachVerb, Exit, Problem};
use crate::interrupt;
use crate::output::{Output, OutputEnvironment};
use crate::report::Recorder;

/// Two threads move bytes and talk; the agent's hashing and disk work has its own.
const WORKERS: usize = 2;
/// Disk work and hashing of an agent in this process.
const BLOCKING: usize = 16;
/// What to do about a system that grants too little to begin with.
const LIMITS: &str = "raise the limits of this shell or container: `ulimit -u` and `pids.max` (threads), `ulimit -n` (files), `ulimit -v` (memory)";

/// What every command is given.
pub(crate) struct Context {
    /// Where what happens is told.
    pub(crate) display: Display,
    /// Set when the user wants to stop.
    pub(crate) cancel: CancellationToken,
}

impl Context {
    fn events(&self, name: Option<&str>) -> Events {
        self.display.events(name)
    }
}

/// Runs the program: reads what was typed, does it, and reports how it ended.
pub fn main() -> ExitCode {
    program::report_defects(|defect| {
        // Where standard error is gone, the exit code says it.
        let _ = writeln!(std::io::stderr(), "hfdown: {defect}");
    });
    std::panic::catch_unwind(carry_out).unwrap_or(Exit::Failed).into()
}

fn carry_out() -> Exit {
    let begun = program::begin();
    let arguments = match Arguments::read(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help goes to standard output, complaints to standard error; a pipe without a reader is no
            // reason to fail.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let environment = OutputEnvironment::of_process();
    let output = Output::for_process(output(&arguments.command), &environment);
    begin_log(&output, &environment);
    let paths = fleet(&arguments.command).map_or(&[][..], |fleet| &fleet.report);
    // Before anything is begun that could not be reported.
    let output = match Recorder::new(paths) {
        Ok(recorder) => output.recorded(recorder),
        Err(problem) => return report(output, Err(problem)),
    };
    let cannot_start = |why: String| Problem::new(Exit::Failed, "cannot start").because(why).hint(LIMITS);
    let runtime = match begun.and_then(|()| program::runtime(WORKERS, BLOCKING)) {
        Ok(runtime) => runtime,
        Err(error) => return report(output, Err(cannot_start(error.to_string()))),
    };
    let cancel = CancellationToken::new();
    let display = match Display::begin(output) {
        Ok(display) => display,
        Err((output, error)) => return report(output, Err(cannot_start(error.to_string()))),
    };
    let context = Context { display, cancel: cancel.clone() };
    interrupt::begin(&cancel, &context.display.weak_events(), runtime.handle());
    let outcome = runtime.block_on(run(&arguments.command, &context));
    // What is still running has been told to stop, and what is on disk can be resumed.
    runtime.shutdown_background();
    match context.display.end() {
        Some(Drawn { output, incomplete: None }) => report(output, outcome),
        Some(Drawn { output, incomplete: Some(error) }) => {
            // What went wrong before comes first: it has the better reason.
            report(output, outcome.and_then(|exit| error.after(exit)))
        }
        None => Exit::Failed,
    }
}

/// Carries out what was typed.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    let one = |(request, target)| (request, Targets::One(Box::new(target)));
    let (request, targets) = match command {
        Command::Download { source, folder, cache, selection, transfer } => {
            one(download::request(source, folder.as_deref(), cache, selection, transfer, context)?)
        }
        Command::File { source, name, destination, transfer } => {
            let words = [name.as_deref(), destination.as_deref()];
            one(file::request(source, words, transfer, context).await?)
        }
        Command::RsyncSync { source, folder, cache, selection, sync, transfer } => {
            let typed = rsync_sync::FolderSync { source, cache, selection, sync, transfer };
            one(rsync_sync::request(&typed, folder.as_deref(), context)?)
        }
        Command::RsyncToVast {
            source,
            there,
            detach,
            no_trace,
            through_controller,
            idle_timeout,
            selection,
            sync,
            transfer,
        } => {
            let detach = detach.then_some(*idle_timeout);
            let traces = if *no_trace { Traces::Remove } else { Traces::Keep };
            let through = if *through_controller { Through::Controller } else { Through::Nothing };
            let typed =
                rsync_to_vast::BoxSync { source, there, selection, sync, transfer, traces, through, detach };
            rsync_to_vast::request(typed, context).await?
        }
        Command::Verify { source, place, cache, selection, verify, login, fleet, limits, .. } => {
            let typed =
                verify::TypedVerification { source, place, cache, selection, verify, login, fleet, limits };
            let (request, targets) = verify::request(typed, context).await?;
            if verify.offline {
                let work = OfflineVerification { request };
                return fleet::run(work, targets, options(command), context).await;
            }
            (request, targets)
        }
        Command::Info { source, selection, .. } => return info::run(source, selection, context).await,
        Command::Cache { verb } => return cache::run(verb, context).await,
        Command::ForgetHost { host, .. } => return forget_host::run(host, context).await,
        Command::Status(typed) => return status::run(typed, options(command), context).await,
        Command::Attach { there, token, .. } => {
            let targets = attached(there, context).await?;
            let verb = AttachVerb::Attach;
            return attach::run(verb, token.as_deref(), targets, options(command), context).await;
        }
        Command::Stop { there, .. } => {
            let targets = attached(there, context).await?;
            return attach::run(AttachVerb::Stop, None, targets, options(command), context).await;
        }
    };
    sync::sync(request, targets, options(command), context).await
}

/// Where transfers were detached.
async fn attached(there: &BoxArguments, context: &Context) -> Result<Targets, Problem> {
    let places = TypedPlaces { words: &there.places, is_cache: false, fleet: &there.fleet };
    Targets::on_boxes(places, &BoxAccess::new(&there.login, Traces::Keep)?, None, context).await
}

/// How a command goes about many boxes.
fn options(command: &Command) -> FleetOptions {
    fleet(command).unwrap_or(&FleetArguments::default()).into()
}

fn output(command: &Command) -> &OutputArguments {
    match command {
        Command::Info { output, .. }
        | Command::Verify { output, .. }
        | Command::Attach { output, .. }
        | Command::Stop { output, .. }
        | Command::ForgetHost { output, .. }
        | Command::Status(StatusArguments { output, .. }) => output,
        Command::Cache { verb } => verb.output(),
        Command::Download { transfer, .. }
        | Command::File { transfer, .. }
        | Command::RsyncSync { transfer, .. }
        | Command::RsyncToVast { transfer, .. } => &transfer.output,
    }
}

/// The options of a command that many boxes may have.
fn fleet(command: &Command) -> Option<&FleetArguments> {
    match command {
        Command::RsyncToVast { there, .. } => Some(&there.fleet),
        Command::Attach { there, .. } | Command::Stop { there, .. } => Some(&there.fleet),
        Command::Verify { fleet, .. } | Command::Status(StatusArguments { fleet, .. }) => Some(fleet),
        _ => None,
    }
}

fn report(mut output: Output, outcome: Result<Exit, Problem>) -> Exit {
    let written = output.write_reports(&outcome);
    let mut exit = Exit::Done;
    // What went wrong first has the better reason.
    for result in [outcome, written.map(|()| Exit::Done)] {
        let ended = result.unwrap_or_else(|problem| {
            // Where standard error is gone, the exit code says it.
            let _ = output.problem(&problem);
            problem.exit
        });
        exit = if exit == Exit::Done { ended } else { exit };
    }
    exit
}
