//! Ctrl-C: once to stop in good order, twice to stop now.

use tokio_util::sync::CancellationToken;

use crate::failure::Exit;
use crate::system::asked_to_stop;

/// Cancels the token at the first Ctrl-C (or `SIGTERM`) and ends the process at the second. A box's agent sees its input
/// end and stops by itself.
pub(crate) async fn watch(cancel: CancellationToken) {
    if !asked_to_stop().await {
        return;
    }
    cancel.cancel();
    if asked_to_stop().await {
        std::process::exit(Exit::Cancelled.code().into());
    }
}
