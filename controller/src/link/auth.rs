//! Logging in with keys: those the SSH string names, then the ssh-agent's, then the default ones.
//!
//! A named key replaces the default ones, as with OpenSSH; unlike there it also comes before the agent's, because servers
//! hang up after six keys and a full agent would use them up. A key's certificates come before the key. A key file that has a passphrase is left to the agent,
//! which may hold it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::Error;
use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::{AgentClient, AgentStream};
use russh::keys::{Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use tokio::time::timeout;

use super::connect::Client;
use super::settings::LinkSettings;
use super::target::{Offer, SshTarget};
use crate::output::sanitize::sanitize;

/// How long an ssh-agent may take to list its keys. To sign it may take longer: it may ask its user.
const AGENT_PATIENCE: Duration = Duration::from_secs(5);

/// A key that was considered, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The key's file, or its comment in the ssh-agent, or the ssh-agent itself.
    pub key: String,
    /// What became of it.
    pub result: Refusal,
}

/// Why a key did not open the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The server does not take it.
    Rejected,
    /// The server takes it and wants something else as well: a password, a second factor.
    NotEnough,
    /// It has a passphrase, and no ssh-agent holds it.
    Encrypted,
    /// The file is not there.
    Missing,
    /// It can't be read or used, for this reason.
    Unusable(String),
    /// The server hung up.
    HungUp,
}

/// `~/.ssh/id_rsa (rejected)`.
impl fmt::Display for Tried {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = match &self.result {
            Refusal::Rejected => "rejected",
            Refusal::NotEnough => "accepted, but something else is wanted as well",
            Refusal::Encrypted => "it has a passphrase, and no ssh-agent holds it",
            Refusal::Missing => "no such file",
            Refusal::Unusable(reason) => reason,
            Refusal::HungUp => "the server hung up",
        };
        write!(formatter, "{} ({result})", self.key)
    }
}

type DynamicAgent = AgentClient<Box<dyn AgentStream + Send + Unpin>>;

/// Tries key after key. On failure returns all that were considered.
pub(super) async fn log_in(
    handle: &mut Handle<Client>,
    user: &str,
    target: &SshTarget,
    settings: &LinkSettings,
) -> Result<(), Vec<Tried>> {
    let mut attempt = Attempt { handle, user, tried: Vec::new() };
    let (mut agent, mut held) = attempt.open_agent(settings.agent_socket.as_deref()).await;
    // `IdentityFile none` keeps the default keys away.
    let given = target.identities.iter().filter(|key| key.as_os_str() != "none");
    let named: Vec<PathBuf> = given.map(|key| settings.expand(key)).collect();
    let certificates: Vec<PathBuf> =
        target.certificates.iter().map(|certificate| settings.expand(certificate)).collect();
    let hung_up =
        |attempt: &Attempt<'_>| attempt.tried.last().is_some_and(|tried| tried.result == Refusal::HungUp);
    for path in &named {
        if attempt.file(path, Named::Yes, &certificates, agent.as_mut(), &mut held).await {
            return Ok(());
        }
        if hung_up(&attempt) {
            return Err(attempt.tried);
        }
    }
    if let (Some(agent), Offer::Everything) = (agent.as_mut(), target.offer) {
        for identity in std::mem::take(&mut held) {
            if attempt.agent_key(agent, &identity).await {
                return Ok(());
            }
            if hung_up(&attempt) {
                return Err(attempt.tried);
            }
        }
    }
    if target.identities.is_empty() {
        for path in &settings.default_keys {
            if attempt.file(path, Named::No, &certificates, agent.as_mut(), &mut held).await {
                return Ok(());
            }
            if hung_up(&attempt) {
                break;
            }
        }
    }
    Err(attempt.tried)
}

/// Whether somebody asked for this very file, so that its absence is worth a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Yes,
    No,
}

struct Attempt<'a> {
    handle: &'a mut Handle<Client>,
    user: &'a str,
    tried: Vec<Tried>,
}

impl Attempt<'_> {
    fn failed(&mut self, key: impl Into<String>, result: Refusal) -> bool {
        self.tried.push(Tried { key: key.into(), result });
        false
    }

    /// Notes what the server said to a key; true if it opened the door.
    fn answered(&mut self, key: String, answer: Result<AuthResult, Refusal>) -> bool {
        match answer {
            Ok(AuthResult::Success) => true,
            Ok(AuthResult::Failure { partial_success: true, .. }) => self.failed(key, Refusal::NotEnough),
            // russh reports a closed connection as a failure that leaves no methods.
            Ok(AuthResult::Failure { .. }) if self.handle.is_closed() => self.failed(key, Refusal::HungUp),
            Ok(AuthResult::Failure { .. }) => self.failed(key, Refusal::Rejected),
            Err(refusal) => self.failed(key, refusal),
        }
    }

    async fn open_agent(&mut self, socket: Option<&Path>) -> (Option<DynamicAgent>, Vec<AgentIdentity>) {
        let Some(socket) = socket else { return (None, Vec::new()) };
        let opening = async {
            let mut agent = connect_agent(socket).await?;
            let held = agent.request_identities().await?;
            Ok::<_, russh::keys::Error>((agent, held))
        };
        let problem = match timeout(AGENT_PATIENCE, opening).await {
            Ok(Ok((agent, held))) => return (Some(agent), held),
            Ok(Err(error)) => sanitize(error.to_string(), 200),
            Err(_) => "it does not answer".to_owned(),
        };
        self.failed("the ssh-agent", Refusal::Unusable(problem));
        (None, Vec::new())
    }

    /// A key in a file, or the same key in the agent if the file has a passphrase.
    async fn file(
        &mut self,
        path: &Path,
        named: Named,
        named_certificates: &[PathBuf],
        agent: Option<&mut DynamicAgent>,
        held: &mut Vec<AgentIdentity>,
    ) -> bool {
        let name = path.display().to_string();
        match load(path) {
            Loaded::Key(key) => {
                let key = Arc::new(*key);
                for (name, certificate) in certificates(path, key.public_key(), named_certificates) {
                    let answer =
                        self.handle.authenticate_openssh_cert(self.user, Arc::clone(&key), certificate).await;
                    let answer = answer.map_err(|error| refusal(&error));
                    if self.answered(name, answer) {
                        return true;
                    }
                    if self.handle.is_closed() {
                        return false;
                    }
                }
                let hash = self.rsa_hash(key.public_key()).await;
                let key = PrivateKeyWithHashAlg::new(key, hash);
                let answer = self.handle.authenticate_publickey(self.user, key).await;
                let answer = answer.map_err(|error| refusal(&error));
                self.answered(name, answer)
            }
            Loaded::Encrypted(public) => {
                let position =
                    public.and_then(|public| held.iter().position(|identity| holds(identity, &public)));
                match (agent, position) {
                    (Some(agent), Some(position)) => {
                        let identity = held.remove(position);
                        self.agent_key(agent, &identity).await
                    }
                    _ => self.failed(name, Refusal::Encrypted),
                }
            }
            Loaded::Missing if named == Named::No => false,
            Loaded::Missing => self.failed(name, Refusal::Missing),
            Loaded::Unusable(reason) => self.failed(name, Refusal::Unusable(reason)),
        }
    }

    /// A key that the agent holds and signs with.
    async fn agent_key(&mut self, agent: &mut DynamicAgent, identity: &AgentIdentity) -> bool {
        let (answer, comment) = match identity {
            AgentIdentity::PublicKey { key, comment } => {
                let hash = self.rsa_hash(key).await;
                (self.handle.authenticate_publickey_with(self.user, key.clone(), hash, agent).await, comment)
            }
            AgentIdentity::Certificate { certificate, comment } => {
                let key = PublicKey::from(certificate.public_key().clone());
                let hash = self.rsa_hash(&key).await;
                let certificate = certificate.clone();
                (
                    self.handle.authenticate_certificate_with(self.user, certificate, hash, agent).await,
                    comment,
                )
            }
        };
        let answer = answer.map_err(|error| Refusal::Unusable(sanitize(error.to_string(), 200)));
        let name = format!("{} of the ssh-agent", if comment.is_empty() { "a key" } else { comment });
        self.answered(name, answer)
    }

    /// RSA keys sign with SHA-2; SHA-1 is no longer taken anywhere. Asked for RSA alone, because russh waits up to a
    /// second for a server that does not say which it likes.
    async fn rsa_hash(&self, key: &PublicKey) -> Option<HashAlg> {
        if !key.algorithm().is_rsa() {
            return None;
        }
        match self.handle.best_supported_rsa_hash().await {
            Ok(Some(Some(hash))) => Some(hash),
            _ => Some(HashAlg::Sha512),
        }
    }
}

fn refusal(error: &Error) -> Refusal {
    match error {
        Error::SendError | Error::Disconnect | Error::HUP => Refusal::HungUp,
        error => Refusal::Unusable(sanitize(error.to_string(), 200)),
    }
}

fn holds(identity: &AgentIdentity, public: &PublicKey) -> bool {
    match identity {
        AgentIdentity::PublicKey { key, .. } => key.key_data() == public.key_data(),
        AgentIdentity::Certificate { certificate, .. } => certificate.public_key() == public.key_data(),
    }
}

enum Loaded {
    Key(Box<PrivateKey>),
    /// It has a passphrase; its public half, if the file or the one beside it tells.
    Encrypted(Option<PublicKey>),
    Missing,
    Unusable(String),
}

/// Reads a private key. Keys are small; the agent's key files are read by nobody else meanwhile, so this blocks.
fn load(path: &Path) -> Loaded {
    match russh::keys::load_secret_key(path, None) {
        Ok(key) => Loaded::Key(Box::new(key)),
        Err(russh::keys::Error::KeyIsEncrypted) => Loaded::Encrypted(public_half(path)),
        Err(russh::keys::Error::IO(error)) if error.kind() == std::io::ErrorKind::NotFound => Loaded::Missing,
        Err(error) => Loaded::Unusable(sanitize(error.to_string(), 200)),
    }
}

/// The certificates of a key: those that were named, and the one beside it. Others' are passed over, and what is no
/// certificate is none.
fn certificates(path: &Path, key: &PublicKey, named: &[PathBuf]) -> Vec<(String, Certificate)> {
    let mut beside = path.as_os_str().to_owned();
    beside.push("-cert.pub");
    let beside = PathBuf::from(beside);
    let paths = named.iter().chain(Some(&beside).filter(|beside| !named.contains(beside)));
    let loaded = paths.filter_map(|path| {
        let certificate = russh::keys::load_openssh_certificate(path).ok()?;
        (certificate.public_key() == key.key_data()).then(|| (path.display().to_string(), certificate))
    });
    loaded.collect()
}

/// The newer format keeps the public half readable; older ones have it in `….pub`.
fn public_half(path: &Path) -> Option<PublicKey> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    let own = PrivateKey::read_openssh_file(path).ok().map(|key| key.public_key().clone());
    own.or_else(|| russh::keys::load_public_key(Path::new(&beside)).ok())
}

#[cfg(unix)]
async fn connect_agent(socket: &Path) -> Result<DynamicAgent, russh::keys::Error> {
    Ok(AgentClient::connect_uds(socket).await?.dynamic())
}

#[cfg(windows)]
async fn connect_agent(socket: &Path) -> Result<DynamicAgent, russh::keys::Error> {
    Ok(AgentClient::connect_named_pipe(socket).await?.dynamic())
}
