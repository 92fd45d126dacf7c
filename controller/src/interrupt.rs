//! Ctrl-C: once to stop in good order, twice to stop now.

use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

use crate::display::WeakEvents;
use crate::failure::Exit;
use crate::system::asked_to_stop;

/// How long the second Ctrl-C waits for bars to be taken off the screen. A frozen terminal must not hold it up.
const TIDYING: Duration = Duration::from_millis(200);
/// How long stopping in good order may take: what an agent has in its hands (5 s), its farewell (10 s), and the end of one
/// that does not answer (7 s) or the sweep of a box (12 s) fit in. What is not done by then waits for a disk or a box that
/// does not answer.
const GRACE: Duration = Duration::from_secs(30);

/// Cancels the token at the first Ctrl-C (or `SIGTERM`), and ends the process at the second or when the first was not
/// enough. A box's agent sees its input end and stops by itself.
///
/// It watches on a thread of its own: those of the runtime may all be held up by a disk.
pub(crate) fn begin(cancel: &CancellationToken, events: &WeakEvents, runtime: &Handle) {
    let watching = || watch(cancel.clone(), events.clone());
    let own = Builder::new_current_thread().enable_all().build();
    let begun = own.and_then(|own| {
        let watching = watching();
        std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || own.block_on(watching))
    });
    if begun.is_err() {
        // Where there is no thread to be had, it shares theirs.
        runtime.spawn(watching());
    }
}

async fn watch(cancel: CancellationToken, events: WeakEvents) {
    if !asked_to_stop().await {
        return;
    }
    cancel.cancel();
    tokio::select! {
        is_asked = asked_to_stop() => if !is_asked { return },
        () = tokio::time::sleep(GRACE) => {}
    }
    let _nothing_is_drawn_behind_it = tokio::time::timeout(TIDYING, events.pause()).await;
    std::process::exit(Exit::Cancelled.code().into());
}
