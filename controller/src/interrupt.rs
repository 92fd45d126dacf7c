//! Ctrl-C: once to stop in good order, twice to stop now.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::display::Events;
use crate::failure::Exit;
use crate::system::asked_to_stop;

/// How long the second Ctrl-C waits for bars to be taken off the screen. A frozen terminal must not hold it up.
const TIDYING: Duration = Duration::from_millis(200);

/// Cancels the token at the first Ctrl-C (or `SIGTERM`) and ends the process at the second. A box's agent sees its
/// input end and stops by itself.
pub(crate) async fn watch(cancel: CancellationToken, events: Events) {
    if !asked_to_stop().await {
        return;
    }
    cancel.cancel();
    if asked_to_stop().await {
        let _nothing_is_drawn_behind_it = tokio::time::timeout(TIDYING, events.pause()).await;
        std::process::exit(Exit::Cancelled.code().into());
    }
}
