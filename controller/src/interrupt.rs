//! Ctrl-C: once to stop in good order, twice to stop now.

use tokio_util::sync::CancellationToken;

use crate::failure::Exit;

/// Cancels the token at the first Ctrl-C (or `SIGTERM`) and ends the process at the second. A box's agent sees its input
/// end and stops by itself.
pub(crate) async fn watch(cancel: CancellationToken) {
    if !asked().await {
        return;
    }
    cancel.cancel();
    if asked().await {
        std::process::exit(Exit::Cancelled.code().into());
    }
}

#[cfg(unix)]
async fn asked() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return tokio::signal::ctrl_c().await.is_ok();
    };
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.is_ok(),
        seen = terminate.recv() => seen.is_some(),
    }
}

#[cfg(not(unix))]
async fn asked() -> bool {
    tokio::signal::ctrl_c().await.is_ok()
}
