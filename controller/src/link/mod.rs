//! SSH: from what a person pasted to an agent that listens.
//!
//! [`reach`] connects, believes the host's key or not, logs in, and runs **one** command that starts the agent which is
//! cached on the box, or says what kind of machine it is. Only then, and only if there is none, an agent is uploaded.
//! The box needs a POSIX shell and nothing else: no sftp, scp, curl or CA files.
//!
//! What comes from the box is bounded and sanitised. It can open no channels here, and no ssh-agent is forwarded to it.

mod agent_link;
mod auth;
mod channel;
mod config;
mod connect;
mod dial;
mod enter;
mod error;
mod first_words;
mod given;
mod handler;
mod host_certificate;
mod host_key;
mod identity;
mod image;
mod install;
mod keyring;
mod known_hosts;
mod launch;
#[cfg(test)]
mod openssh;
mod options;
mod platform;
mod resolve;
mod script;
mod settings;
mod sftp;
mod sweep;
mod target;
mod traces;

pub use agent_link::{AgentLink, AgentOrigin, Ending, Tether};
pub use auth::{Refusal, Tried};
pub use channel::{ChannelReader, ChannelWriter, Exit};
pub use config::{ConfigError, ConfigFile, Presence};
pub use error::{AutoTmux, InstallStage, LinkError, NotForwarded};
pub use host_certificate::CertificateError;
pub use host_key::{HostKeyError, HostKeyPolicy, HostKeySeen, Remedy};
pub use image::{AgentImage, AgentImages, ImageError};
pub use keyring::{Asked, Asker, Keyring, Locked};
pub use known_hosts::{KnownHostsError, Place};
pub use platform::{Cpu, Platform};
pub use settings::{Askpass, LinkSettings, Traces};
pub use target::{Family, HostKeyWish, Ignored, Offer, Prompts, SshTarget, TargetError};
pub use traces::{Left, Placed};

use connect::Connection;
use hfdown_protocol::Nonce;
use sweep::{Sweeping, sweep_up};

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
    left: &mut Option<Placed>,
) -> Result<AgentLink, LinkError> {
    let connection = Connection::open(target, settings).await?;
    let mut placed = None;
    let entered = enter::enter(&connection, settings, images, supersedes, &mut placed).await;
    match (entered, settings.traces) {
        (Ok(launched), Traces::Kept) => Ok(AgentLink::new(connection, launched, placed, None)),
        (Ok(launched), Traces::Removed) => {
            // A program that runs needs no file.
            let sweeping = Sweeping::begin(&connection, images, launched.cache, placed).await;
            Ok(AgentLink::new(connection, launched, placed, Some(sweeping)))
        }
        (Err(error), Traces::Kept) => {
            *left = placed;
            Err(error)
        }
        (Err(error), Traces::Removed) => {
            if sweep_up(&connection, images, placed).await == Left::Something {
                *left = placed;
            }
            Err(error)
        }
    }
}
