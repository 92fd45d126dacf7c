//! One SSH server, and how its command line asked for it to be reached.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::auth_methods::AuthMethods;
use crate::link::config::SkippedMatch;

/// The port when none is given.
pub(in crate::link) const DEFAULT_PORT: u16 = 22;

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
    /// Whether the user may be asked for a passphrase.
    pub batch_mode: BatchMode,
    /// Which ways to log in are tried.
    pub auth_methods: AuthMethods,
    /// What was asked about host keys, if anything.
    pub strict_host_key_checking: Option<StrictHostKeyChecking>,
    /// `HostKeyAlias`: the name that the host has in `known_hosts` files.
    pub host_key_alias: Option<String>,
    /// `UserKnownHostsFile`: read instead of the user's own files.
    pub known_hosts: Option<Vec<PathBuf>>,
    /// `GlobalKnownHostsFile`: read instead of the system's files.
    pub global_known_hosts: Option<Vec<PathBuf>>,
    /// `IdentityAgent`: the socket of the ssh-agent to ask, or `none`.
    pub identity_agent: Option<PathBuf>,
    /// `Match` blocks of the configuration that could not be judged.
    pub skipped_matches: Vec<SkippedMatch>,
    /// Which addresses of the host are used.
    pub address_family: AddressFamily,
    /// `ConnectTimeout`.
    pub connect_timeout: Option<Duration>,
    /// The hosts that the way leads through, the nearest first. None of them has jump hosts of its own.
    pub jumps: Vec<SshTarget>,
}

/// `IdentitiesOnly`: which keys may be offered to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdentitiesOnly {
    /// The named keys, then whatever the ssh-agent holds, or the default keys.
    #[default]
    No,
    /// The named keys (or the default ones) alone.
    Yes,
}

/// `BatchMode`: whether the user may be asked for a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BatchMode {
    /// The user is asked, where there is a terminal.
    #[default]
    No,
    /// The user is never asked.
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
