//! The first command: start the cached agent, or learn what kind of machine this is.

use hfdown_protocol::Nonce;

use super::agent_link::{AgentOrigin, BadAgent, Launched};
use super::greeting::{greeted, marked};
use super::image::AgentImages;
use super::script;
use crate::link::connection::ClientConnection;
use crate::link::error::LinkError;
use crate::link::platform::Platform;
use crate::link::settings::LinkSettings;

/// What the first command led to.
pub(super) enum LaunchOutcome {
    /// There was an agent, and it has greeted.
    Greeted(Launched),
    /// There is none for this machine, or one that must not be run.
    Missing(Platform, Option<BadAgent>),
    /// The login shell did not run the command: this would be said if there were no other way in.
    ShellIgnored(LinkError),
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
        Err(no_greeting) => match marked(&no_greeting.said, script::MISSING, nonce).as_deref() {
            Some([system, machine, rest @ ..]) => {
                let bad = match rest.first().map(String::as_str) {
                    Some(script::NOT_OURS) => Some(BadAgent::NotOurs),
                    Some(script::DAMAGED) => Some(BadAgent::Damaged),
                    _ => None,
                };
                Ok(LaunchOutcome::Missing(Platform::new(system, machine), bad))
            }
            // A crash of the box may have taken what was in the file. If it is not that, the error follows the upload.
            _ => match no_greeting.damaged_agent(&running, nonce) {
                Some(platform) => Ok(LaunchOutcome::Missing(platform, Some(BadAgent::Damaged))),
                None => match no_greeting.into_error(connection, &running, nonce) {
                    error @ (LinkError::Shell { .. } | LinkError::Noisy { .. }) => {
                        Ok(LaunchOutcome::ShellIgnored(error))
                    }
                    error => Err(error),
                },
            },
        },
    }
}
