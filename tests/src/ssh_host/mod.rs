//! SSH hosts on this machine's loopback, for scenarios.
//!
//! Two kinds with one face: a russh server in this process, fast and everywhere available; and the real OpenSSH `sshd`,
//! which we did not write. Each has a home folder, keys and a configuration of its own in a temporary folder, and runs
//! what it is told by a real shell. Nothing touches the real `~/.ssh` or home.

mod host_folder;
mod in_process;
mod login_rules;
mod sshd;

use std::path::{Path, PathBuf};

use hfdown::link::LinkSettings;

use crate::processes;
use host_folder::HostFolder;
pub use host_folder::Keys;
use in_process::InProcess;
pub use login_rules::{LoginQuestion, LoginStep};
use sshd::Sshd;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SshServerKind {
    /// A russh server in this process.
    InProcess,
    /// The real OpenSSH.
    Sshd,
}

/// What a host is like.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// What lets a user in: all of it, in this order.
    pub login: &'static [LoginStep],
    /// Shown before the login.
    pub banner: Option<String>,
    /// Lines of `.bashrc`, which bash reads for commands over SSH too.
    pub bashrc: Option<String>,
    /// The login shell. Without one it is that of the machine's user. The real server finds another one in a user
    /// database of its own.
    pub shell: Option<PathBuf>,
    /// What answers for the subsystem `sftp`. The server in this process has none.
    pub sftp: SftpSubsystem,
    /// How many channels the real server allows at a time; without a number, as many as it does by itself.
    pub channels: Option<u32>,
    /// Which programs a command finds.
    pub programs: Programs,
    /// Whether the server runs commands at all. For the server in this process; the real one does.
    pub commands: CommandPolicy,
    /// More lines of the real server's configuration.
    pub configuration: Option<String>,
}

/// Whether a server runs commands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CommandPolicy {
    /// It does.
    #[default]
    Runs,
    /// It refuses them, and opens terminals.
    TerminalOnly,
    /// It does not answer, and opens terminals.
    Unanswered,
    /// It closes the channel without a word, and opens terminals.
    Closed,
    /// It refuses both.
    Refuses,
    /// It runs them, and does not say how they ended.
    RunsWithoutStatus,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            login: &[LoginStep::Key],
            banner: None,
            bashrc: None,
            shell: None,
            sftp: SftpSubsystem::default(),
            channels: None,
            programs: Programs::default(),
            commands: CommandPolicy::default(),
            configuration: None,
        }
    }
}

/// What answers for the subsystem `sftp`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SftpSubsystem {
    /// The server itself: no shell is asked.
    #[default]
    Internal,
    /// A program that the login shell starts.
    External,
    /// No program does.
    Missing,
}

/// Which programs a command finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Programs {
    /// Those of this machine.
    #[default]
    Usual,
    /// These of this machine, and no others.
    Only(&'static [&'static str]),
    /// Busybox and its tools, `/bin/sh` included, as in the smallest images. For the real server, and if root starts
    /// it.
    Busybox,
}

/// A running SSH host.
pub struct SshHost {
    server: Server,
    host_folder: HostFolder,
}

enum Server {
    InProcess(InProcess),
    Sshd(Sshd),
}

impl SshHost {
    /// Starts a host. `None` if what it needs is not on this machine; what is left out has then been said.
    pub async fn start(kind: SshServerKind, options: HostOptions) -> Option<Self> {
        let host_folder = HostFolder::new(&options);
        let server = match kind {
            SshServerKind::InProcess => Server::InProcess(InProcess::start(&host_folder, &options).await),
            SshServerKind::Sshd => Server::Sshd(Sshd::start(&host_folder, &options).await?),
        };
        Some(Self { server, host_folder })
    }

    /// What a user would paste: `ssh -p 40123 -i /tmp/…/id_ed25519 root@127.0.0.1`.
    pub fn command(&self) -> String {
        self.command_via(self.port())
    }

    /// The same by way of another port: a [`crate::proxy::Proxy`]'s.
    pub fn command_via(&self, port: u16) -> String {
        let key = shell_quoted(&self.host_folder.client_keys.private);
        format!("ssh -p {port} -i {key} {}@127.0.0.1", self.host_folder.user)
    }

    /// The same without a key.
    pub fn command_without_key(&self) -> String {
        format!("ssh -p {} {}@127.0.0.1", self.port(), self.host_folder.user)
    }

    /// Its port on the loopback.
    pub fn port(&self) -> u16 {
        match &self.server {
            Server::InProcess(server) => server.port(),
            Server::Sshd(server) => server.port(),
        }
    }

    /// The home folder of the box's user.
    pub fn home(&self) -> &Path {
        &self.host_folder.home
    }

    /// Puts a shell script before the box's own programs: a `uname` that lies, a `head` that finds the disk full.
    pub fn put_program(&self, name: &str, script: &str) {
        self.host_folder.put_program(name, script);
    }

    /// A folder for what belongs to the controller's side of a test.
    pub fn near(&self) -> &Path {
        &self.host_folder.near
    }

    /// The key that is let in.
    pub fn client_keys(&self) -> &Keys {
        &self.host_folder.client_keys
    }

    /// The key that the host shows.
    pub fn host_keys(&self) -> &Keys {
        &self.host_folder.host_keys
    }

    /// Settings that see nothing of the real user: no ssh-agent, no default keys, known hosts in [`Self::near`].
    pub fn settings(&self) -> LinkSettings {
        LinkSettings {
            home: Some(self.host_folder.near.clone()),
            user: None,
            known_hosts: vec![self.users_known_hosts()],
            global_known_hosts: Vec::new(),
            own_known_hosts: self.own_known_hosts(),
            agent_socket: None,
            default_keys: Vec::new(),
            config: Vec::new(),
            ..LinkSettings::from_environment()
        }
    }

    /// What [`Self::settings`] takes for the user's known hosts. It does not exist at first.
    pub fn users_known_hosts(&self) -> PathBuf {
        self.host_folder.near.join("known_hosts")
    }

    /// What [`Self::settings`] takes for hfdown's own known hosts. It does not exist at first.
    pub fn own_known_hosts(&self) -> PathBuf {
        self.host_folder.near.join("hfdown").join("known_hosts")
    }

    /// The host gets another key on the same port, as if another box had moved in.
    pub async fn change_host_key(&mut self) {
        self.host_folder.change_host_keys();
        match &mut self.server {
            Server::InProcess(server) => server.set_host_key(&self.host_folder),
            Server::Sshd(server) => server.restart(&self.host_folder).await,
        }
    }

    /// The host shows a certificate of its key for this name, which the authority has signed.
    ///
    /// # Panics
    /// Where it is not the real `sshd`.
    pub async fn certify_host_key(&mut self, authority: &Keys, principal: &str) {
        self.host_folder.certify_host_keys(authority, principal);
        match &mut self.server {
            Server::InProcess(_) => panic!("the server in this process shows no certificates"),
            Server::Sshd(server) => server.restart(&self.host_folder).await,
        }
    }

    /// What clients have asked for, beside logging in and running commands. The server in this process alone can tell.
    pub fn asked_for(&self) -> Vec<&'static str> {
        match &self.server {
            Server::InProcess(server) => server.asked_for(),
            Server::Sshd(_) => Vec::new(),
        }
    }

    /// Tries to open a channel of every kind to the clients that run something, and says which they let it. The server
    /// in this process alone can.
    pub async fn opened_to_clients(&self) -> Vec<&'static str> {
        match &self.server {
            Server::InProcess(server) => server.opened_to_clients().await,
            Server::Sshd(_) => Vec::new(),
        }
    }

    /// How many connections clients have made to its SSH server.
    pub fn connections(&self) -> usize {
        match &self.server {
            Server::InProcess(server) => server.connections(),
            Server::Sshd(server) => server.connections(),
        }
    }

    /// Lets one more key in.
    pub fn authorize(&self, keys: &Keys) {
        self.host_folder.authorize(keys);
    }

    /// Lets in the key of a line as `authorized_keys` has it.
    pub fn authorize_line(&self, line: &str) {
        self.host_folder.authorize_line(line);
    }

    /// Lets in users with a certificate that this key signed.
    pub fn trust_certificates_of(&self, authority: &Keys) {
        self.host_folder.trust_certificates_of(authority);
    }

    /// Cuts every connection, as if the box's SSH server had died.
    pub fn kill_connections(&self) {
        match &self.server {
            Server::InProcess(server) => server.kill_connections(),
            Server::Sshd(server) => server.kill_connections(),
        }
    }

    /// The processes of agents that run for this host's user.
    pub fn agent_pids(&self) -> Vec<u32> {
        let is_agent = |process: &processes::Process| {
            process.arguments().iter().any(|word| word.contains("/agent-"))
                && process.arguments().iter().any(|word| word == "serve" || word == "host")
                && self.is_ours(*process)
        };
        processes::all().into_iter().filter(is_agent).map(|process| process.pid).collect()
    }

    fn is_ours(&self, process: processes::Process) -> bool {
        let mark = format!("{}={}", host_folder::MARK, self.host_folder.home.display());
        process.environment().contains(&mark)
    }
}

/// An agent, or a job in the background, that a test left behind must not outlive it.
impl Drop for SshHost {
    fn drop(&mut self) {
        let ours = processes::all().into_iter().filter(|process| self.is_ours(*process));
        ours.for_each(|process| processes::kill(process.pid));
    }
}

fn shell_quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}
