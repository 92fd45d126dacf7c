//! An agent that does not answer any more is not left on the box: one that was stopped would sit there for ever.

use std::time::Duration;

use hfdown_protocol::Nonce;
use tokio::time::timeout;

use super::image::AgentImages;
use super::script;
use crate::link::connection::{ClientConnection, RemoteCommand};
use crate::link::settings::LinkSettings;
use crate::text::sanitize;

/// How long the box may take to start a command. The link may be what is silent.
const START: Duration = Duration::from_secs(5);
/// How long it may take to end the agent: more than that command gives itself.
const END: Duration = Duration::from_secs(15);
/// The most characters that are quoted of what the box says is left.
const LONGEST: usize = 100;

/// What became of an agent that was to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dismissal {
    /// It is gone, or was let go.
    Gone,
    /// It is still there, as far as is known. Which process, if the box says so; sanitised.
    Left(String),
}

/// The command that ends whatever this run has started on a box.
pub(in crate::link) fn dismissal(settings: &LinkSettings, images: &AgentImages) -> String {
    script::dismiss(Nonce(rand::random()), settings.run, images)
}

/// Runs the command that ends whatever this run has started on the box.
pub(super) async fn dismiss(connection: &ClientConnection, command: &str) -> Dismissal {
    let started = timeout(START, connection.run(command)).await;
    // The reader is dropped, since an unread one would hold up the connection.
    let Ok(Ok(RemoteCommand { status, .. })) = started else { return Dismissal::Left(String::new()) };
    let has_ended = timeout(END, status.exited()).await.is_ok();
    if has_ended && status.exit_status() == Some(0) {
        return Dismissal::Gone;
    }
    // Its last words may follow its end.
    _ = timeout(END, status.ended()).await;
    let errors = status.errors();
    let last = errors.trim_ascii().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    Dismissal::Left(if last.starts_with(b"process ") { sanitize(last, LONGEST) } else { String::new() })
}
