//! Where to go, as people paste it: `ssh -p 20544 root@1.2.3.4 -L 8080:localhost:8080`, `ssh://root@box:22`,
//! `root@box:22`.
//!
//! A pasted command is read, never run: no shell sees it, and what can't be honoured is either ignored with a word
//! about it or refused (the table is in [`super::option_rules`]). This module has the words and their syntax; what they mean
//! together with configuration files is in [`super::resolve`].

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use super::config::ConfigError;
use super::known_hosts::FileLine;
use super::ssh_options;

/// The port when none is given.
pub(super) const DEFAULT_PORT: u16 = 22;

/// How many jump hosts there can be on the way to one host.
pub(super) const MOST_JUMPS: usize = 8;

/// One SSH server and how its command line asked to be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshTarget {
    /// A host name or an address; IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The user, if one was named.
    pub user: Option<String>,
    /// Private keys that were named, in order, `~` not yet expanded.
    pub identities: Vec<PathBuf>,
    /// Certificates that were named, in order.
    pub certificates: Vec<PathBuf>,
    /// Which keys may be offered.
    pub identities_only: IdentitiesOnly,
    /// Whether somebody may be asked for a passphrase.
    pub batch_mode: BatchMode,
    /// What was asked about host keys, if anything.
    pub strict_host_key_checking: Option<StrictHostKeyChecking>,
    /// `HostKeyAlias`: the name that the host has in `known_hosts` files.
    pub host_key_alias: Option<String>,
    /// `UserKnownHostsFile`: read instead of the user's own files.
    pub known_hosts: Option<Vec<PathBuf>>,
    /// Which addresses of the host are used.
    pub address_family: AddressFamily,
    /// `ConnectTimeout`.
    pub connect_timeout: Option<Duration>,
    /// The hosts that the way leads through, the nearest first. None of them has jump hosts of its own.
    pub jumps: Vec<SshTarget>,
}

/// Which keys may be offered to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdentitiesOnly {
    /// The named keys, then whatever the ssh-agent holds, or the default keys.
    #[default]
    No,
    /// `IdentitiesOnly`: the named keys (or the default ones) alone.
    Yes,
}

/// Whether somebody may be asked for a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BatchMode {
    /// Yes, where there is a terminal.
    #[default]
    No,
    /// `BatchMode`.
    Yes,
}

/// What `StrictHostKeyChecking` asked for, in the two forms that hfdown knows. `no` and `ask` become
/// [`StrictHostKeyChecking::AcceptNew`]: a changed key is always refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrictHostKeyChecking {
    /// Take a key that was never seen.
    AcceptNew,
    /// Refuse it.
    Strict,
}

/// Which addresses of a host are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressFamily {
    /// All of them.
    #[default]
    Any,
    /// IPv4 alone (`-4`).
    V4,
    /// IPv6 alone (`-6`).
    V6,
}

/// Something in the string that has no effect here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredOption {
    /// As it was typed, `-L 8080:localhost:8080`.
    pub option: String,
    /// Why it has no effect.
    pub reason: &'static str,
}

/// Why a string names no SSH server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// A quote that is not closed.
    #[error("a quote is not closed")]
    Quote,
    /// No host in it.
    #[error("it names no host")]
    NoHost,
    /// A host name with characters that no host name has.
    #[error("`{0}` is not a host name")]
    Host(String),
    /// A user name with characters that no user name has.
    #[error("`{0}` is not a user name")]
    User(String),
    /// Not a number from 1 to 65535.
    #[error("`{0}` is not a port")]
    Port(String),
    /// An option without the value it needs.
    #[error("{0} needs a value")]
    NoValue(String),
    /// An option with a value that makes no sense.
    #[error("{option} can't be `{value}`")]
    BadValue {
        /// The option.
        option: String,
        /// Its value.
        value: String,
    },
    /// An option that `ssh` does not have.
    #[error("ssh has no option {0}")]
    NoSuchOption(String),
    /// An option that hfdown does not honour, and that must not be dropped silently.
    #[error("{option} is not supported: {reason}")]
    Refused {
        /// The option.
        option: String,
        /// Why not.
        reason: &'static str,
    },
    /// A configuration file that can't be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A line of a configuration file that makes no sense.
    #[error("{place}: {error}")]
    At {
        /// The line.
        place: FileLine,
        /// What is wrong with it.
        error: Box<TargetError>,
    },
    /// Jump hosts without end.
    #[error("the jump hosts lead in a circle, or are more than {MOST_JUMPS}")]
    TooManyJumps,
    /// Words after the host: a command for the box.
    #[error("it ends in a command for the box (`{0}`), and hfdown runs only its own agent there")]
    Command(String),
}

impl TargetError {
    /// Whether it is about a configuration file, and not about what was pasted.
    pub fn is_of_a_file(&self) -> bool {
        matches!(self, Self::Config(_) | Self::At { .. })
    }
}

/// `host:port`, the box's name on screen.
impl fmt::Display for SshTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for IgnoredOption {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} has no effect: {}", self.option, self.reason)
    }
}

pub(super) fn is_ssh(word: &str) -> bool {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
    // Phones begin a sentence with a capital.
    name.eq_ignore_ascii_case("ssh") || name.eq_ignore_ascii_case("ssh.exe")
}

/// The destination word: `host`, `user@host`, `user@host:port`, `[v6]:port`, `ssh://user@host:port/`.
pub(super) struct Destination {
    pub(super) user: Option<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

impl Destination {
    pub(super) fn parse(word: &str) -> Result<Self, TargetError> {
        let rest = match word.split_once("://") {
            Some(("ssh", rest)) => rest.strip_suffix('/').unwrap_or(rest),
            Some(_) => return Err(TargetError::Host(word.to_owned())),
            None => word,
        };
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, rest),
        };
        let (host, port) = split_port(rest)?;
        Ok(Self { user, host: host.to_owned(), port })
    }
}

/// `ssh` itself takes a port after a colon only in `ssh://`; people type it anyway, and no host name has a colon.
fn split_port(text: &str) -> Result<(&str, Option<u16>), TargetError> {
    let wrong = || TargetError::Host(text.to_owned());
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(wrong)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(ssh_options::port(port)?))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(wrong()),
        };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => Ok((host, Some(ssh_options::port(port)?))),
        _ => Ok((text, None)),
    }
}

/// Names, IPv4 and IPv6 addresses. Nothing that a shell, an option parser or a terminal could take for something else.
pub(super) fn check_host(host: String) -> Result<String, TargetError> {
    let address = host.split_once('%').map_or(host.as_str(), |(address, _)| address);
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_');
    let is_name = host.chars().all(plain) && host.starts_with(|first: char| first.is_ascii_alphanumeric());
    let is_v6 =
        address.parse::<Ipv6Addr>().is_ok() && host.chars().all(|c| plain(c) || matches!(c, ':' | '%'));
    if host.is_empty() {
        Err(TargetError::NoHost)
    } else if is_name || is_v6 {
        Ok(host)
    } else {
        Err(TargetError::Host(host))
    }
}

pub(super) fn check_user(user: String) -> Result<String, TargetError> {
    let refused = |character: char| {
        character.is_control() || character.is_whitespace() || ";|&$()<>`'\"\\:/".contains(character)
    };
    if user.is_empty() || user.starts_with('-') || user.chars().any(refused) {
        Err(TargetError::User(user))
    } else {
        Ok(user)
    }
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
