//! SSH: from what a person pasted to an agent that listens.
//!
//! [`reach`] connects, believes the host's key or not, logs in, and runs **one** command that starts the agent which is
//! cached on the box, or says what kind of machine it is. Only then, and only if there is none, an agent is uploaded.
//! The box needs a POSIX shell and nothing else: no sftp, scp, curl or CA files.
//!
//! What comes from the box is bounded and sanitised. It can open no channels here, and no ssh-agent is forwarded to it.

mod agent_link;
mod config;
mod dial;
mod error;
mod handshake;
mod host_certificate;
mod host_key;
mod identification;
mod identity;
mod image;
mod install;
mod keyring;
mod known_hosts;
mod launch;
mod login;
#[cfg(test)]
mod openssh;
mod option_rules;
mod platform;
mod remote_command;
mod resolve;
mod script;
mod settings;
mod sftp;
mod ssh_connection;
mod ssh_options;
mod start;
mod sweep;
mod target;
mod traces;

pub use agent_link::{AgentExit, AgentLink, AgentOrigin, LinkGuard};
pub use config::{ConfigError, ConfigFile, Presence};
pub use error::{AutoTmux, InstallStage, LinkError, NotForwarded};
pub use host_certificate::CertificateError;
pub use host_key::{ForgetCommand, HostKeyError, HostKeyPolicy, HostKeyTrust};
pub use image::{AgentImage, AgentImages, ImageError};
pub use keyring::{Keyring, PassphraseAnswer, PassphrasePrompt, UnlockError};
pub use known_hosts::{FileLine, KnownHostsError};
pub use login::{KeyFailure, TriedKey};
pub use platform::{Cpu, Platform};
pub use remote_command::{ChannelReader, ChannelWriter, CommandExit};
pub use settings::{Askpass, LinkSettings};
pub use target::{
    AddressFamily, BatchMode, IdentitiesOnly, IgnoredOption, SshTarget, StrictHostKeyChecking, TargetError,
};
pub use traces::{Leftovers, TmuxOptOut};

use hfdown_protocol::{Nonce, Traces};
use ssh_connection::SshConnection;
use sweep::{Sweep, sweep_up};

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
    reach_again(target, settings, images, None, &mut None).await
}

/// The same after a link broke: an agent of that nonce, which may not have noticed yet, is ended first. Where no agent
/// comes up, what was placed on the box all the same, and stays there, is noted in `left`.
pub async fn reach_again(
    target: &SshTarget,
    settings: &LinkSettings,
    images: &AgentImages,
    supersedes: Option<Nonce>,
    left: &mut Option<TmuxOptOut>,
) -> Result<AgentLink, LinkError> {
    let connection = SshConnection::open(target, settings).await?;
    let mut tmux_opt_out = None;
    let entered = start::start_agent(&connection, settings, images, supersedes, &mut tmux_opt_out).await;
    match (entered, settings.traces) {
        (Ok(launched), Traces::Keep) => Ok(AgentLink::new(connection, launched, tmux_opt_out, None)),
        (Ok(launched), Traces::Remove) => {
            // A program that runs needs no file.
            let sweep = Sweep::begin(&connection, images, launched.cache, tmux_opt_out).await;
            Ok(AgentLink::new(connection, launched, tmux_opt_out, Some(sweep)))
        }
        (Err(error), Traces::Keep) => {
            *left = tmux_opt_out;
            Err(error)
        }
        (Err(error), Traces::Remove) => {
            if sweep_up(&connection, images, tmux_opt_out).await == Leftovers::Something {
                *left = tmux_opt_out;
            }
            Err(error)
        }
    }
}
