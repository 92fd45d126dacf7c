//! The first command: start the cached agent, or learn what kind of machine this is.

use hfdown_protocol::Nonce;

use super::agent_link::{AgentOrigin, BadAgent, Launched};
use super::greeting::{NoGreeting, greeted, marked};
use super::image::AgentImages;
use super::script;
use super::shell_answer::ShellAnswer;
use crate::link::connection::{ClientConnection, RemoteCommand};
use crate::link::error::LinkError;
use crate::link::platform::Platform;
use crate::link::settings::LinkSettings;

/// What the first command led to.
pub(super) enum LaunchOutcome {
    /// There was an agent, and it has greeted.
    Greeted(Launched),
    /// There is none for this machine, or one that must not be run.
    Missing(Platform, Option<BadAgent>),
    /// The login shell did not run the command, but did this.
    ShellIgnored(ShellAnswer),
}

/// Starts the cached agent.
pub(super) async fn launch(
    connection: &ClientConnection,
    settings: &LinkSettings,
    images: &AgentImages,
) -> Result<LaunchOutcome, LinkError> {
    let nonce = Nonce(rand::random());
    let mut running = connection.run(&script::launch(nonce, settings.run, images)).await?;
    match greeted(&mut running, nonce, settings.greeting_timeout).await {
        Ok((already_read, platform, cache)) => {
            let origin = AgentOrigin::Cached;
            Ok(LaunchOutcome::Greeted(Launched { running, already_read, origin, platform, cache }))
        }
        Err(no_greeting) => {
            let outcome = missing_or_ignored(no_greeting, connection, &running, nonce);
            // Some servers allow one channel at a time, and what still runs there is of no use.
            running.hang_up().await;
            outcome.map_err(|error| *error)
        }
    }
}

/// What it was where no agent greeted.
fn missing_or_ignored(
    no_greeting: NoGreeting,
    connection: &ClientConnection,
    running: &RemoteCommand,
    nonce: Nonce,
) -> Result<LaunchOutcome, Box<LinkError>> {
    match marked(&no_greeting.said, script::MISSING, nonce).as_deref() {
        Some([system, machine, rest @ ..]) => {
            let bad = match rest.first().map(String::as_str) {
                Some(script::NOT_OURS) => Some(BadAgent::NotOurs),
                Some(script::DAMAGED) => Some(BadAgent::Damaged),
                _ => None,
            };
            Ok(LaunchOutcome::Missing(Platform::new(system, machine), bad))
        }
        // A crash of the box may have taken what was in the file. If it is not that, the error follows the upload.
        _ => match no_greeting.damaged_agent(running, nonce) {
            Some(platform) => Ok(LaunchOutcome::Missing(platform, Some(BadAgent::Damaged))),
            None => no_greeting.into_answer(connection, running, nonce).map(LaunchOutcome::ShellIgnored),
        },
    }
}
