//! How links are made: everything that is not in the SSH string itself. Only [`LinkSettings::from_environment`] looks
//! at the environment.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hfdown_protocol::{Nonce, Traces};

use super::config::{ConfigFile, EnvironmentVariables, Presence};
use super::host_key::HostKeyPolicy;
use super::keys::{Askpass, Keyring};
use super::ssh_command::{SshTarget, StrictHostKeyChecking};
use super::turns::QueueTime;
use crate::system;

/// How long a server may take to answer a connection, and again for its handshake.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the agent may take to greet. Login shells with slow start-up files need seconds.
pub(super) const GREETING_TIMEOUT: Duration = Duration::from_secs(20);

/// Settings for [`super::reach`].
#[derive(Debug, Clone)]
pub struct LinkSettings {
    /// The user when the string names none.
    pub user: Option<String>,
    /// What `~` stands for.
    pub home: Option<PathBuf>,
    /// What `${…}` stands for.
    pub variables: EnvironmentVariables,
    /// What is done about a key that no file knows.
    pub host_keys: HostKeyPolicy,
    /// The user's `known_hosts`: read, never written.
    pub known_hosts: Vec<PathBuf>,
    /// The system's, the same.
    pub global_known_hosts: Vec<PathBuf>,
    /// hfdown's own `known_hosts`, where new keys are written.
    pub own_known_hosts: PathBuf,
    /// The socket of the ssh-agent, if one runs.
    pub agent_socket: Option<PathBuf>,
    /// Keys that were unlocked, and the prompt for the passphrases of others, if there is one.
    pub keyring: Keyring,
    /// The program that may ask.
    pub askpass: Option<Askpass>,
    /// Keys that are tried when the string names none.
    pub default_keys: Vec<PathBuf>,
    /// The user's and the system's configuration of OpenSSH. For [`SshTarget::resolve`] alone.
    pub config: Vec<ConfigFile>,
    /// What stays on a box after a link to it: the agent, for the next time, or nothing, so that each link brings its
    /// agent anew.
    pub traces: Traces,
    /// The random word that all agents of this run are given, and by which a later one ends what is left of an earlier one.
    pub run: Nonce,
    /// How long this target has waited for others.
    pub queued: QueueTime,
    /// How long a server may take to answer.
    pub connect_timeout: Duration,
    /// How long the agent may take to greet.
    pub greeting_timeout: Duration,
}

impl LinkSettings {
    /// What OpenSSH would use here: the user's folder `~/.ssh`, the system's known hosts, `SSH_AUTH_SOCK`.
    pub fn from_environment() -> Self {
        let home = env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let ssh = home.as_ref().map(|home| home.join(".ssh"));
        let in_ssh = |names: &[&str]| -> Vec<PathBuf> {
            ssh.iter().flat_map(|folder| names.iter().map(|name| folder.join(name))).collect()
        };
        let global = ["ssh_known_hosts", "ssh_known_hosts2"].map(|name| Path::new("/etc/ssh").join(name));
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let config = set("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
        let config = config.or_else(|| home.as_ref().map(|home| home.join(".config"))).unwrap_or_default();
        let files = ssh.iter().map(|folder| (folder.join("config"), folder.clone()));
        let files = files.chain([("/etc/ssh/ssh_config".into(), "/etc/ssh".into())]);
        let optional = |(path, folder)| ConfigFile { path, folder, presence: Presence::Optional };
        Self {
            config: files.map(optional).collect(),
            user: ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| env::var(name).ok()),
            host_keys: HostKeyPolicy::AcceptNew,
            known_hosts: in_ssh(&["known_hosts", "known_hosts2"]),
            global_known_hosts: global.into(),
            own_known_hosts: config.join("hfdown").join("known_hosts"),
            agent_socket: set("SSH_AUTH_SOCK").map(PathBuf::from).or_else(system::usual_ssh_agent),
            keyring: Keyring::default(),
            askpass: Askpass::from_environment(),
            default_keys: in_ssh(&["id_ed25519", "id_ecdsa", "id_rsa"]),
            variables: EnvironmentVariables::from_environment(),
            traces: Traces::Keep,
            run: Nonce(rand::random()),
            queued: QueueTime::default(),
            connect_timeout: CONNECT_TIMEOUT,
            greeting_timeout: GREETING_TIMEOUT,
            home,
        }
    }

    /// The same for another target of the run: unlocked keys and passwords are shared. Its agents are told
    /// apart from those of the others, which may be on the same box and end what is left of their own.
    #[must_use]
    pub fn for_target(&self) -> Self {
        Self { run: Nonce(rand::random()), queued: QueueTime::default(), ..self.clone() }
    }

    /// For how long a link has waited for the user or for other targets of the run: not for its box.
    pub fn time_waited(&self) -> Duration {
        self.keyring.time_asking() + self.queued.elapsed()
    }

    /// The policy for one target: a pin comes first, then what its string asked for.
    pub(super) fn host_keys_for(&self, target: &SshTarget) -> HostKeyPolicy {
        match (&self.host_keys, target.strict_host_key_checking) {
            (HostKeyPolicy::AcceptNew, Some(StrictHostKeyChecking::Strict)) => HostKeyPolicy::Strict,
            (policy, _) => policy.clone(),
        }
    }

    /// The settings for the hosts on the way: a pinned key is the box's own.
    pub(super) fn for_jumps(&self) -> Self {
        let host_keys = match &self.host_keys {
            HostKeyPolicy::Strict => HostKeyPolicy::Strict,
            HostKeyPolicy::AcceptNew | HostKeyPolicy::Pinned(_) => HostKeyPolicy::AcceptNew,
        };
        Self { host_keys, ..self.clone() }
    }

    /// The `known_hosts` files to read for one target.
    pub(super) fn known_hosts_for(&self, target: &SshTarget) -> Vec<PathBuf> {
        let files = target.known_hosts.as_ref().unwrap_or(&self.known_hosts);
        let global = target.global_known_hosts.as_ref().unwrap_or(&self.global_known_hosts);
        files.iter().chain(global).map(|file| self.expand(file)).collect()
    }

    /// Where the keys of a target are written. `UserKnownHostsFile /dev/null` is how one asks to remember none.
    pub(super) fn own_known_hosts_for(&self, target: &SshTarget) -> Option<PathBuf> {
        let is_nothing = |file: &PathBuf| file == Path::new("/dev/null");
        let remembers = target.known_hosts.as_ref().is_none_or(|files| !files.iter().all(is_nothing));
        remembers.then(|| self.own_known_hosts.clone())
    }

    /// The configuration files where `-F` names one: that one alone, or none at all.
    pub(super) fn instead(&self, path: &Path) -> Vec<ConfigFile> {
        if path == Path::new("none") {
            return Vec::new();
        }
        let folder = self.expand(Path::new("~/.ssh"));
        vec![ConfigFile { path: self.expand(path), folder, presence: Presence::Required }]
    }

    /// `~` and `~/…` become the home folder.
    pub(super) fn expand(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) if rest.as_os_str().is_empty() => home.clone(),
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_home_folder_and_only_in_front() {
        let settings = LinkSettings { home: Some("/home/me".into()), ..LinkSettings::from_environment() };
        for (typed, meant) in [
            ("~", "/home/me"),
            ("~/.ssh/my key", "/home/me/.ssh/my key"),
            ("/a/~", "/a/~"),
            ("~you/k", "~you/k"),
            ("k", "k"),
        ] {
            assert_eq!(settings.expand(Path::new(typed)), Path::new(meant));
        }
    }

    #[test]
    fn a_pin_or_strictness_is_never_weakened_by_the_string() {
        let (loose, _) = SshTarget::parse("ssh -o StrictHostKeyChecking=accept-new h").unwrap();
        let (strict, _) = SshTarget::parse("ssh -o StrictHostKeyChecking=yes h").unwrap();
        let mut settings = LinkSettings::from_environment();
        assert_eq!(settings.host_keys_for(&strict), HostKeyPolicy::Strict);
        settings.host_keys = HostKeyPolicy::Strict;
        assert_eq!(settings.host_keys_for(&loose), HostKeyPolicy::Strict);
        settings.host_keys = HostKeyPolicy::Pinned("SHA256:x".into());
        assert_eq!(settings.host_keys_for(&strict), settings.host_keys);
    }
}
