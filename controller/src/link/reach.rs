//! The way to a box: connect, start the agent, take away what must not stay.

use hfdown_protocol::Traces;

use super::agent::{AgentImages, AgentLink, Leftovers, Sweep, TmuxOptOut, dismissal, start_agent, sweep_up};
use super::error::LinkError;
use super::host_key::{KnownHostsError, known_hosts};
use super::settings::LinkSettings;
use super::shared::SharedLinks;
use super::ssh_command::SshTarget;

/// Removes the key that hfdown itself remembers for a host, and says whether there was one. The user's own files stay.
pub fn forget(target: &SshTarget, settings: &LinkSettings) -> Result<bool, KnownHostsError> {
    let forgotten = known_hosts::forget(&settings.own_known_hosts, &known_hosts::name_of(target))?;
    Ok(forgotten > 0)
}

/// Goes to a box and comes back with an agent that has greeted.
pub async fn reach(
    target: &SshTarget,
    settings: &LinkSettings,
    images: &AgentImages,
) -> Result<AgentLink, LinkError> {
    reach_leaving(target, settings, &SharedLinks::default(), images, &mut None).await
}

/// The same as one of the links of a run. Where no agent comes up, what was placed on the box all the same, and stays there, is noted in `left`.
pub async fn reach_leaving(
    target: &SshTarget,
    settings: &LinkSettings,
    links: &SharedLinks,
    images: &AgentImages,
    left: &mut Option<TmuxOptOut>,
) -> Result<AgentLink, LinkError> {
    let connection = links.open(target, settings).await?;
    let mut tmux_opt_out = None;
    let turn = links.agent_turn(&connection, &settings.queued).await;
    let entered = start_agent(&connection, settings, images, &mut tmux_opt_out).await;
    let dismissal = dismissal(settings, images);
    match (entered, settings.traces) {
        (Ok(launched), Traces::Keep) => {
            turn.started(Traces::Keep, None);
            Ok(AgentLink::new(connection, launched, dismissal, tmux_opt_out, None))
        }
        (Ok(launched), Traces::Remove) => {
            // A program that runs needs no file.
            let sweep = Sweep::begin(&connection, images, launched.cache, tmux_opt_out).await;
            turn.started(Traces::Remove, Some(&sweep));
            Ok(AgentLink::new(connection, launched, dismissal, tmux_opt_out, Some(sweep)))
        }
        (Err(error), Traces::Keep) => {
            *left = tmux_opt_out;
            Err(error)
        }
        // There is nothing to remove, and no shell that would.
        (Err(error), Traces::Remove) if error.has_run_nothing() && tmux_opt_out.is_none() => Err(error),
        (Err(error), Traces::Remove) => {
            if sweep_up(&connection, images, tmux_opt_out).await == Leftovers::Something {
                *left = tmux_opt_out;
            }
            Err(error)
        }
    }
}
