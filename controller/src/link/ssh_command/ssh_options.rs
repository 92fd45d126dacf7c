//! What was asked for, by the words of a command line and then by configuration files: the first value of each wins.

use std::path::PathBuf;
use std::time::Duration;

use super::auth_methods::{AuthMethod, AuthSettings, Switch};
use super::destination::parse_port;
use super::error::TargetError;
use super::ssh_target::{AddressFamily, BatchMode, IdentitiesOnly, IgnoredOption, StrictHostKeyChecking};

/// Everything that can be asked for.
#[derive(Debug, Default)]
pub(in crate::link) struct SshOptions {
    pub(in crate::link) destination: Option<String>,
    pub(in crate::link) host_name: Option<String>,
    pub(in crate::link) port: Option<u16>,
    pub(in crate::link) user: Option<String>,
    pub(in crate::link) identities: Vec<PathBuf>,
    pub(in crate::link) certificates: Vec<PathBuf>,
    pub(in crate::link) identities_only: Option<IdentitiesOnly>,
    pub(in crate::link) batch_mode: Option<BatchMode>,
    pub(in crate::link) auth_settings: AuthSettings,
    pub(in crate::link) strict_host_key_checking: Option<StrictHostKeyChecking>,
    pub(in crate::link) host_key_alias: Option<String>,
    pub(in crate::link) known_hosts: Option<Vec<PathBuf>>,
    pub(in crate::link) global_known_hosts: Option<Vec<PathBuf>>,
    pub(in crate::link) identity_agent: Option<PathBuf>,
    pub(in crate::link) address_family: Option<AddressFamily>,
    pub(in crate::link) connect_timeout: Option<Duration>,
    pub(in crate::link) route: Option<ProxyRoute>,
    /// `-F`.
    pub(in crate::link) config: Option<PathBuf>,
    pub(in crate::link) ignored: Vec<IgnoredOption>,
}

/// How to get to the host.
#[derive(Debug)]
pub(in crate::link) enum ProxyRoute {
    /// `none`.
    Direct,
    /// Through these hosts, with commas between them.
    Jump(String),
    /// Through a command, which is refused; the option that asked for it.
    Command(String),
}

/// What an accepted option sets.
#[derive(Clone, Copy)]
pub(super) enum Keyword {
    Port,
    User,
    HostName,
    IdentityFile,
    CertificateFile,
    IdentitiesOnly,
    BatchMode,
    PreferredAuthentications,
    Authentication(AuthMethod),
    NumberOfPasswordPrompts,
    StrictHostKeyChecking,
    HostKeyAlias,
    UserKnownHostsFile,
    GlobalKnownHostsFile,
    IdentityAgent,
    ConnectTimeout,
    AddressFamily,
    V4,
    V6,
    ProxyJump,
    ProxyCommand,
    ConfigFile,
}

impl SshOptions {
    /// Takes a value, unless there is one already. `option` is its name in errors.
    pub(super) fn accept(
        &mut self,
        keyword: Keyword,
        option: &str,
        arguments: &[String],
    ) -> Result<(), TargetError> {
        let wrong = || TargetError::BadValue { option: option.to_owned(), value: arguments.join(" ") };
        let value = match arguments {
            _ if matches!(keyword, Keyword::UserKnownHostsFile | Keyword::GlobalKnownHostsFile) => "",
            [value] => value,
            _ => return Err(wrong()),
        };
        match keyword {
            Keyword::Port => _ = self.port.get_or_insert(parse_port(value)?),
            Keyword::User => _ = self.user.get_or_insert_with(|| value.to_owned()),
            Keyword::HostName => _ = self.host_name.get_or_insert_with(|| value.to_owned()),
            Keyword::IdentityFile => self.identities.push(PathBuf::from(value)),
            Keyword::CertificateFile => self.certificates.push(PathBuf::from(value)),
            Keyword::IdentitiesOnly => {
                let only = yes(value).ok_or_else(wrong)?;
                self.identities_only.get_or_insert(if only {
                    IdentitiesOnly::Yes
                } else {
                    IdentitiesOnly::No
                });
            }
            Keyword::BatchMode => {
                let batch = yes(value).ok_or_else(wrong)?;
                self.batch_mode.get_or_insert(if batch { BatchMode::Yes } else { BatchMode::No });
            }
            Keyword::PreferredAuthentications => self.auth_settings.prefer(value),
            Keyword::Authentication(method) => {
                let switch = match (yes(value), method) {
                    (Some(true), _) => Switch::On,
                    (Some(false), _) => Switch::Off,
                    // Ways to tie a key to a host, which OpenSSH chooses between.
                    (None, AuthMethod::PublicKey) if matches!(value, "unbound" | "host-bound") => Switch::On,
                    (None, _) => return Err(wrong()),
                };
                self.auth_settings.switch(method, switch);
            }
            Keyword::NumberOfPasswordPrompts => {
                self.auth_settings.prompt(value.parse().map_err(|_| wrong())?);
            }
            Keyword::StrictHostKeyChecking => {
                let wish = self.host_key_wish(option, value).ok_or_else(wrong)?;
                self.strict_host_key_checking.get_or_insert(wish);
            }
            Keyword::HostKeyAlias => _ = self.host_key_alias.get_or_insert_with(|| value.to_owned()),
            Keyword::UserKnownHostsFile | Keyword::GlobalKnownHostsFile => {
                let files = arguments.iter().filter(|file| *file != "none").map(PathBuf::from).collect();
                let known_hosts = match keyword {
                    Keyword::UserKnownHostsFile => &mut self.known_hosts,
                    _ => &mut self.global_known_hosts,
                };
                known_hosts.get_or_insert(files);
            }
            Keyword::IdentityAgent => _ = self.identity_agent.get_or_insert_with(|| PathBuf::from(value)),
            Keyword::ConnectTimeout if value.eq_ignore_ascii_case("none") => {}
            Keyword::ConnectTimeout => {
                let seconds = value.parse::<u32>().ok().filter(|seconds| *seconds > 0).ok_or_else(wrong)?;
                self.connect_timeout.get_or_insert(Duration::from_secs(seconds.into()));
            }
            Keyword::AddressFamily => {
                let family = match value.to_ascii_lowercase().as_str() {
                    "any" => AddressFamily::Any,
                    "inet" => AddressFamily::V4,
                    "inet6" => AddressFamily::V6,
                    _ => return Err(wrong()),
                };
                self.address_family.get_or_insert(family);
            }
            Keyword::V4 => self.address_family = Some(AddressFamily::V4),
            Keyword::V6 => self.address_family = Some(AddressFamily::V6),
            Keyword::ProxyJump => {
                let straight = value.eq_ignore_ascii_case("none");
                self.route.get_or_insert(if straight {
                    ProxyRoute::Direct
                } else {
                    ProxyRoute::Jump(value.to_owned())
                });
            }
            Keyword::ProxyCommand => {
                let straight = value.eq_ignore_ascii_case("none");
                self.route.get_or_insert(if straight {
                    ProxyRoute::Direct
                } else {
                    ProxyRoute::Command(option.to_owned())
                });
            }
            Keyword::ConfigFile => _ = self.config.get_or_insert_with(|| PathBuf::from(value)),
        }
        Ok(())
    }

    fn host_key_wish(&mut self, option: &str, value: &str) -> Option<StrictHostKeyChecking> {
        match value.to_ascii_lowercase().as_str() {
            "yes" | "true" => Some(StrictHostKeyChecking::Strict),
            "accept-new" => Some(StrictHostKeyChecking::AcceptNew),
            "ask" | "no" | "off" | "false" => {
                let reason =
                    "new host keys are accepted; one that differs from the key remembered is refused";
                self.ignored.push(IgnoredOption { option: format!("{option}={value}"), reason });
                Some(StrictHostKeyChecking::AcceptNew)
            }
            _ => None,
        }
    }
}

fn yes(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    }
}
