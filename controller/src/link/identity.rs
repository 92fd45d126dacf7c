//! Keys as files have them, and in which order they are shown to a server together with those of an ssh-agent.
//!
//! A named key replaces the default ones, as with OpenSSH; unlike there it also comes before the agent's, because
//! servers hang up after six keys and a full agent would use them up. A key's certificates come before the key. Who
//! signs is a matter of its own: the key from the file, or the agent if it holds the same one, or else the file once
//! its passphrase is known.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::{Certificate, PrivateKey, PublicKey, load_openssh_certificate, load_public_key, ssh_key};

use super::login::{KeyFailure, TriedKey};
use super::settings::LinkSettings;
use super::target::{IdentitiesOnly, SshTarget};
use crate::output::sanitize::sanitize;

/// Something to show to a server, and who signs for it.
pub(super) struct Identity {
    /// The file, or what the ssh-agent calls it.
    pub(super) name: String,
    pub(super) offered: OfferedKey,
    pub(super) signing_key: SigningKey,
}

/// What is shown.
#[derive(Clone)]
pub(super) enum OfferedKey {
    Key(PublicKey),
    Certificate(Box<Certificate>),
    /// The public half is locked up with the private one; these are the certificates that may be its.
    Unknown(Vec<(String, Certificate)>),
}

/// Who signs.
#[derive(Clone)]
pub(super) enum SigningKey {
    Open(Arc<PrivateKey>),
    /// A key file that has a passphrase.
    Locked(PathBuf),
    /// The ssh-agent, by what it holds.
    SshAgent(Box<AgentIdentity>),
}

/// What is to be shown, in order, and what can't be.
#[derive(Default)]
pub(super) struct Identities {
    pub(super) shown: Vec<Identity>,
    pub(super) unusable: Vec<TriedKey>,
}

/// Whether somebody asked for this very file, so that its absence is worth a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeySource {
    CommandLine,
    Default,
}

/// Everything that may be shown to the server of this target, given what the ssh-agent holds.
pub(super) fn identities(
    target: &SshTarget,
    settings: &LinkSettings,
    agent_keys: &[AgentIdentity],
) -> Identities {
    let mut found = Identities::default();
    let mut certificates = Vec::new();
    for path in &target.certificates {
        let path = settings.expand(path);
        match load_openssh_certificate(&path) {
            Ok(certificate) => certificates.push((path.display().to_string(), certificate)),
            Err(ssh_key::Error::Io(ErrorKind::NotFound)) => found.unusable(&path, KeyFailure::Missing),
            Err(error) => found.unusable(&path, unusable(&error)),
        }
    }
    // `IdentityFile none` keeps the default keys away.
    for path in target.identities.iter().filter(|key| key.as_os_str() != "none") {
        found.file(&settings.expand(path), KeySource::CommandLine, &certificates, agent_keys);
    }
    // A named certificate is as good as a named key, where the ssh-agent has that.
    for (name, certificate) in &certificates {
        if let Some(holder) = agent_keys.iter().find(|identity| holds(identity, certificate.public_key())) {
            let offered = OfferedKey::Certificate(Box::new(certificate.clone()));
            found.show(name.clone(), offered, SigningKey::SshAgent(Box::new(holder.clone())));
        }
    }
    if target.identities_only == IdentitiesOnly::No {
        for identity in agent_keys {
            let (offered, comment) = match identity {
                AgentIdentity::PublicKey { key, comment } => (OfferedKey::Key(key.clone()), comment),
                AgentIdentity::Certificate { certificate, comment } => {
                    (OfferedKey::Certificate(Box::new(certificate.clone())), comment)
                }
            };
            let comment = if comment.is_empty() { "a key" } else { comment };
            let name = format!("{} of the ssh-agent", sanitize(comment, 200));
            found.show(name, offered, SigningKey::SshAgent(Box::new(identity.clone())));
        }
    }
    if target.identities.is_empty() {
        for path in &settings.default_keys {
            found.file(path, KeySource::Default, &certificates, agent_keys);
        }
    }
    for (name, certificate) in certificates {
        if !found.shown.iter().any(|identity| identity.may_be(&certificate)) {
            found.unusable(Path::new(&name), KeyFailure::CertificateOnly);
        }
    }
    found
}

impl Identity {
    fn may_be(&self, certificate: &Certificate) -> bool {
        match &self.offered {
            OfferedKey::Key(_) => false,
            OfferedKey::Certificate(shown) => **shown == *certificate,
            OfferedKey::Unknown(candidates) => {
                candidates.iter().any(|(_, candidate)| candidate == certificate)
            }
        }
    }
}

impl Identities {
    fn unusable(&mut self, path: &Path, result: KeyFailure) {
        self.unusable.push(TriedKey { key: path.display().to_string(), result });
    }

    /// Nothing is shown twice.
    fn show(&mut self, name: String, offered: OfferedKey, signing_key: SigningKey) {
        let is_same = |identity: &Identity| match (&identity.offered, &offered) {
            (OfferedKey::Key(shown), OfferedKey::Key(key)) => shown.key_data() == key.key_data(),
            (OfferedKey::Certificate(shown), OfferedKey::Certificate(certificate)) => shown == certificate,
            _ => false,
        };
        if !self.shown.iter().any(is_same) {
            self.shown.push(Identity { name, offered, signing_key });
        }
    }

    /// A key in a file, with its certificates.
    fn file(
        &mut self,
        path: &Path,
        source: KeySource,
        certificates: &[(String, Certificate)],
        agent_keys: &[AgentIdentity],
    ) {
        let file = match KeyFile::read(path) {
            Ok(file) => file,
            Err(KeyFailure::Missing) if source == KeySource::Default => return,
            Err(refusal) => return self.unusable(path, refusal),
        };
        let beside = certificate_beside(path);
        let beside = load_openssh_certificate(&beside).map(|found| (beside.display().to_string(), found));
        let mut certificates: Vec<_> = certificates.iter().cloned().chain(beside).collect();
        let Some(public) = file.public else {
            // Only a locked file may hide it.
            let signing_key = SigningKey::Locked(path.to_owned());
            return self.show(path.display().to_string(), OfferedKey::Unknown(certificates), signing_key);
        };
        let holders = || agent_keys.iter().filter(|identity| holds(identity, public.key_data()));
        let signing_key = match (file.private, holders().next()) {
            (PrivateHalf::Open(key), _) => SigningKey::Open(key),
            (_, Some(holder)) => SigningKey::SshAgent(Box::new(holder.clone())),
            (PrivateHalf::Locked, None) => SigningKey::Locked(path.to_owned()),
            (PrivateHalf::Elsewhere, None) if source == KeySource::Default => return,
            (PrivateHalf::Elsewhere, None) => return self.unusable(path, KeyFailure::PublicOnly),
        };
        certificates.retain(|(_, certificate)| certificate.public_key() == public.key_data());
        for identity in holders() {
            if let AgentIdentity::Certificate { certificate, comment } = identity {
                certificates.push((format!("{comment} of the ssh-agent"), certificate.clone()));
            }
        }
        for (name, certificate) in certificates {
            self.show(name, OfferedKey::Certificate(Box::new(certificate)), signing_key.clone());
        }
        self.show(path.display().to_string(), OfferedKey::Key(public), signing_key);
    }
}

fn holds(identity: &AgentIdentity, public: &ssh_key::public::KeyData) -> bool {
    match identity {
        AgentIdentity::PublicKey { key, .. } => key.key_data() == public,
        AgentIdentity::Certificate { certificate, .. } => certificate.public_key() == public,
    }
}

enum PrivateHalf {
    Open(Arc<PrivateKey>),
    Locked,
    /// Not in this file. An ssh-agent may have it.
    Elsewhere,
}

/// What a key's file says, and the one beside it. Keys are small, so reading them blocks.
struct KeyFile {
    private: PrivateHalf,
    public: Option<PublicKey>,
}

impl KeyFile {
    fn read(path: &Path) -> Result<Self, KeyFailure> {
        let elsewhere = |public| Self { private: PrivateHalf::Elsewhere, public: Some(public) };
        match russh::keys::load_secret_key(path, None) {
            Ok(key) => {
                let public = Some(key.public_key().clone());
                Ok(Self { private: PrivateHalf::Open(Arc::new(key)), public })
            }
            Err(error) if is_locked(path, &error) => {
                // The newer format keeps the public half readable; older ones have it in `….pub`.
                let own = PrivateKey::read_openssh_file(path).ok().map(|key| key.public_key().clone());
                Ok(Self { private: PrivateHalf::Locked, public: own.or_else(|| public_beside(path)) })
            }
            Err(russh::keys::Error::IO(error)) if error.kind() == ErrorKind::NotFound => {
                public_beside(path).map(elsewhere).ok_or(KeyFailure::Missing)
            }
            // `-i id_x.pub` names a key that an ssh-agent has.
            Err(error) => load_public_key(path).ok().map(elsewhere).ok_or_else(|| unusable(&error)),
        }
    }
}

/// `id_x.pub`, or else what `id_x-cert.pub` certifies.
fn public_beside(path: &Path) -> Option<PublicKey> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    load_public_key(Path::new(&beside)).ok().or_else(|| {
        let certificate = load_openssh_certificate(certificate_beside(path)).ok()?;
        Some(PublicKey::from(certificate.public_key().clone()))
    })
}

fn certificate_beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push("-cert.pub");
    PathBuf::from(beside)
}

/// russh tells of some formats only that they make no sense without a passphrase.
fn is_locked(path: &Path, error: &russh::keys::Error) -> bool {
    match error {
        russh::keys::Error::KeyIsEncrypted => true,
        russh::keys::Error::IO(_) => false,
        _ => std::fs::read_to_string(path).is_ok_and(|text| {
            let marks = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Encryption: aes256-cbc"];
            text.lines().any(|line| marks.contains(&line.trim()))
        }),
    }
}

/// What a passphrase did to a key file.
pub(super) enum Opened {
    Key(Box<PrivateKey>),
    WrongPassphrase,
    Unusable(String),
}

/// Tries a passphrase. Slow on purpose of the file's format.
pub(super) fn open(path: &Path, passphrase: &str) -> Opened {
    use russh::keys::Error;
    match russh::keys::load_secret_key(path, Some(passphrase)) {
        Ok(key) => Opened::Key(Box::new(key)),
        Err(
            error @ (Error::IO(_)
            | Error::UnsupportedKeyType { .. }
            | Error::UnknownAlgorithm(_)
            | Error::SshKey(
                ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. },
            )),
        ) => Opened::Unusable(sanitize(error.to_string(), 200)),
        // What a wrong passphrase makes of a key is rubbish, which each format notices in its own way.
        Err(_) => Opened::WrongPassphrase,
    }
}

fn unusable(error: &dyn std::error::Error) -> KeyFailure {
    KeyFailure::Unusable(sanitize(error.to_string(), 200))
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
