//! hfdown in a program of one's own: what can be typed can be called.

use std::io;

use tokio_util::sync::CancellationToken;

use crate::cli::Arguments;
use crate::commands::{self, Context};
use crate::display::Display;
use crate::event::Event;
use crate::failure::{Exit, Problem};

/// What to do about a system that grants no thread.
const THREADS: &str =
    "raise the limit of threads of this process: `ulimit -u`, or `pids.max` of its container";

/// Carries out a command, and tells `told` what happens meanwhile: the events that bars, lines and `--json` are drawn from.
/// With an event comes the name of its box, if it is one's.
///
/// Nothing is printed, and the process is not ended. The environment (`HF_TOKEN`, `HF_ENDPOINT`, `~/.ssh/config` …) is read as
/// the program reads it, once, before anything is done; options say the same without it. Where a box asks for a passphrase
/// and the process has a terminal, the user is asked there, unless the SSH command says `-o BatchMode=yes`.
///
/// `told` is called by a thread of its own. One that takes long holds nothing up but its own later calls, until thousands wait.
/// Cancelling lets what runs come to its end: what has arrived is kept, and the same command goes on from there.
///
/// # Errors
/// What the program would print: what was attempted, why it failed, and what to do next. Of files or boxes that failed while
/// others did not, events tell; then the result is [`Exit::Partial`].
///
/// # Panics
/// Outside of a tokio runtime that has time and I/O.
pub async fn run(
    arguments: &Arguments,
    cancel: &CancellationToken,
    told: impl FnMut(Option<&str>, &Event) + Send + 'static,
) -> Result<Exit, Problem> {
    let display = Display::telling(told).map_err(|error| cannot_start(&error))?;
    let context = Context { display, cancel: cancel.clone() };
    let ended = commands::run(&arguments.command, &context).await;
    // The last events are told before the result is.
    let all_told = tokio::task::spawn_blocking(move || context.display.end()).await;
    drop(all_told);
    ended
}

fn cannot_start(error: &io::Error) -> Problem {
    Problem::new(Exit::Failed, "cannot start").because(error).hint(THREADS)
}
