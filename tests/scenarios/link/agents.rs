//! Keys and certificates of an ssh-agent.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hfdown::link::{KeyFailure, LinkError, LinkSettings, UnlockError};
use hfdown_tests::counterpart::Counterpart;
use hfdown_tests::ssh_host::{HostOptions, Keys, SshHost, SshServerKind};
use russh::keys::Algorithm;

use super::echo::{error, eventually, go, talk};

/// An ssh-agent that ends with the test.
pub(super) struct KeyAgent {
    child: std::process::Child,
    pub(super) socket: PathBuf,
}

impl KeyAgent {
    pub(super) async fn start(folder: &Path) -> Option<Self> {
        // It comes with the server.
        Counterpart::Sshd.require()?;
        let socket = folder.join("agent.sock");
        let child =
            Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        let agent = Self { child, socket };
        // Its file is there a moment before it listens.
        eventually("the ssh-agent listens", || UnixStream::connect(&agent.socket).is_ok()).await;
        Some(agent)
    }

    pub(super) fn add(&self, key: &Path) {
        let mut add = Command::new("ssh-add");
        add.arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket).stdin(Stdio::null());
        assert!(add.status().unwrap().success());
    }

    /// The same, and the file goes: only the agent has the private half any more.
    fn take(&self, keys: &Keys) {
        self.add(&keys.private);
        fs::remove_file(&keys.private).unwrap();
    }
}

impl Drop for KeyAgent {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

async fn logs_in_with_a_key_of_the_ssh_agent(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let Some(agent) = KeyAgent::start(host.near()).await else { return };
    let settings = LinkSettings { agent_socket: Some(agent.socket.clone()), ..host.settings() };
    let LinkError::Auth { tried, .. } = error(go(&host.command_without_key(), &settings).await) else {
        panic!()
    };
    assert_eq!(tried, []);
    // A wrong one first: the right one is tried after it.
    agent.add(&Keys::generate(host.near(), "other", Algorithm::Ed25519).private);
    agent.add(&host.client_keys().private);
    talk(&mut go(&host.command_without_key(), &settings).await.unwrap()).await;
}

async fn logs_in_with_an_encrypted_key_that_the_ssh_agent_holds(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let Some(agent) = KeyAgent::start(host.near()).await else { return };
    agent.add(&host.client_keys().private);
    host.client_keys().lock("a secret");
    let LinkError::Auth { tried, .. } = error(go(&host.command(), &host.settings()).await) else { panic!() };
    assert_eq!(tried[0].result, KeyFailure::Locked(UnlockError::NoPrompt));
    assert_eq!(tried[0].key, host.client_keys().private.display().to_string());
    let settings = LinkSettings { agent_socket: Some(agent.socket.clone()), ..host.settings() };
    talk(&mut go(&host.command(), &settings).await.unwrap()).await;
}

async fn logs_in_with_an_rsa_key_of_the_ssh_agent(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let Some(agent) = KeyAgent::start(host.near()).await else { return };
    let keys = Keys::generate(host.near(), "id_rsa", Algorithm::Rsa { hash: None });
    host.authorize(&keys);
    agent.take(&keys);
    let settings = LinkSettings { agent_socket: Some(agent.socket.clone()), ..host.settings() };
    talk(&mut go(&host.command_without_key(), &settings).await.unwrap()).await;
}

/// Servers hang up after six keys.
async fn a_full_ssh_agent_does_not_use_up_the_servers_patience(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let Some(agent) = KeyAgent::start(host.near()).await else { return };
    for number in 0..8 {
        agent.add(&Keys::generate(host.near(), &format!("key{number}"), Algorithm::Ed25519).private);
    }
    agent.take(host.client_keys());
    let settings = LinkSettings { agent_socket: Some(agent.socket.clone()), ..host.settings() };
    let failed = error(go(&host.command_without_key(), &settings).await);
    let LinkError::Auth { tried, .. } = failed else { panic!("{failed:?}") };
    assert_eq!(tried.last().unwrap().result, KeyFailure::HungUp);
    // Named, a key comes first, also by its public half alone; only the agent has the other.
    for only in ["", " -o IdentitiesOnly=yes"] {
        talk(&mut go(&format!("{}{only}", host.command()), &settings).await.unwrap()).await;
    }
}

/// On the real `sshd` alone, like what follows: it is the one that judges certificates.
struct Certified {
    host: SshHost,
    agent: KeyAgent,
    keys: Keys,
    authority: Keys,
    _folder: tempfile::TempDir,
}

impl Certified {
    async fn new(algorithm: Algorithm) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let authority = Keys::generate(folder.path(), "authority", Algorithm::Ed25519);
        let host = SshHost::start(SshServerKind::Sshd, HostOptions::default()).await?;
        let agent = KeyAgent::start(host.near()).await?;
        let keys = Keys::generate(host.near(), "certified", algorithm);
        host.trust_certificates_of(&authority);
        Some(Self { host, agent, keys, authority, _folder: folder })
    }

    /// Writes `certified-cert.pub` beside the key.
    fn sign(&self, principal: &str) {
        let mut sign = Command::new("ssh-keygen");
        sign.args(["-q", "-I", "test", "-n", principal, "-s"]).arg(&self.authority.private);
        assert!(sign.arg(self.keys.private.with_extension("pub")).status().unwrap().success());
    }

    fn user(&self) -> String {
        let user = self.host.command_without_key();
        user.rsplit(' ').next().unwrap().split('@').next().unwrap().to_owned()
    }

    fn settings(&self) -> LinkSettings {
        LinkSettings { agent_socket: Some(self.agent.socket.clone()), ..self.host.settings() }
    }

    fn move_certificate(&self) {
        let beside = self.host.near().join("certified-cert.pub");
        fs::rename(beside, self.host.near().join("elsewhere")).unwrap();
    }
}

#[tokio::test]
async fn logs_in_with_a_certificate_beside_the_key_or_named() {
    for algorithm in [Algorithm::Ed25519, Algorithm::Rsa { hash: None }] {
        let Some(certified) = Certified::new(algorithm).await else { return };
        let host = &certified.host;
        let settings = LinkSettings { default_keys: vec![certified.keys.private.clone()], ..host.settings() };
        certified.sign("another-user");
        let failed = error(go(&host.command_without_key(), &settings).await);
        let LinkError::Auth { tried, .. } = failed else { panic!("{failed:?}") };
        let names: Vec<_> = tried.iter().map(|tried| tried.key.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["certified-cert.pub", "certified"]);
        certified.sign(&certified.user());
        talk(&mut go(&host.command_without_key(), &settings).await.unwrap()).await;
        // Elsewhere it has to be named.
        certified.move_certificate();
        assert!(matches!(error(go(&host.command_without_key(), &settings).await), LinkError::Auth { .. }));
        let command = format!("{} -o CertificateFile=~/elsewhere", host.command_without_key());
        talk(&mut go(&command, &settings).await.unwrap()).await;
    }
}

#[tokio::test]
async fn a_certificate_of_a_key_that_has_a_passphrase_asks_for_that() {
    let Some(certified) = Certified::new(Algorithm::Ed25519).await else { return };
    certified.sign(&certified.user());
    certified.keys.lock("a secret");
    let settings =
        LinkSettings { default_keys: vec![certified.keys.private.clone()], ..certified.host.settings() };
    let failed = error(go(&certified.host.command_without_key(), &settings).await);
    let LinkError::Auth { tried, .. } = failed else { panic!("{failed:?}") };
    let results: Vec<_> = tried.into_iter().map(|tried| tried.result).collect();
    assert_eq!(results, [KeyFailure::Locked(UnlockError::NoPrompt), KeyFailure::Rejected]);
    let keyring =
        hfdown::link::Keyring::default().with_prompt(super::keys::PassphraseScript::of(&["a secret"]));
    let settings = LinkSettings { keyring, ..settings };
    talk(&mut go(&certified.host.command_without_key(), &settings).await.unwrap()).await;
}

#[tokio::test]
async fn logs_in_with_a_certificate_whose_key_only_the_ssh_agent_has() {
    for algorithm in [Algorithm::Ed25519, Algorithm::Rsa { hash: None }] {
        let Some(certified) = Certified::new(algorithm).await else { return };
        // Before there is a certificate, so that the agent has the key alone.
        certified.agent.take(&certified.keys);
        certified.sign(&certified.user());
        let command = certified.host.command_without_key();
        let settings = certified.settings();
        let named = LinkSettings { default_keys: vec![certified.keys.private.clone()], ..settings.clone() };
        talk(&mut go(&command, &named).await.unwrap()).await;
        for only in ["", " -o IdentitiesOnly=yes"] {
            talk(&mut go(&format!("{command} -i ~/certified{only}"), &settings).await.unwrap()).await;
        }
        certified.move_certificate();
        for only in ["", " -o IdentitiesOnly=yes"] {
            let command = format!("{command} -o CertificateFile=~/elsewhere{only}");
            talk(&mut go(&command, &settings).await.unwrap()).await;
        }
        assert!(matches!(error(go(&command, &settings).await), LinkError::Auth { .. }));
    }
}

#[tokio::test]
async fn logs_in_with_a_certificate_that_the_ssh_agent_has_itself() {
    for algorithm in [Algorithm::Ed25519, Algorithm::Rsa { hash: None }] {
        let Some(certified) = Certified::new(algorithm).await else { return };
        certified.sign(&certified.user());
        // `ssh-add` takes the certificate along.
        certified.agent.take(&certified.keys);
        fs::remove_file(certified.host.near().join("certified-cert.pub")).unwrap();
        let command = certified.host.command_without_key();
        talk(&mut go(&command, &certified.settings()).await.unwrap()).await;
        let command = format!("{command} -i ~/certified -o IdentitiesOnly=yes");
        talk(&mut go(&command, &certified.settings()).await.unwrap()).await;
    }
}

on_boxes! {
    logs_in_with_a_key_of_the_ssh_agent,
    logs_in_with_an_encrypted_key_that_the_ssh_agent_holds,
    logs_in_with_an_rsa_key_of_the_ssh_agent,
    a_full_ssh_agent_does_not_use_up_the_servers_patience,
}
