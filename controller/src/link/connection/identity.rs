//! Keys as files have them, and in which order they are offered to a server together with those of an ssh-agent.
//!
//! A named key replaces the default ones, as with OpenSSH; unlike there it also comes before the agent's, because
//! servers hang up after six keys and a full agent would use them up. A key's certificates come before the key. What
//! signs is a matter of its own: the key from the file, or the agent if it holds the same one, or else the file once
//! its passphrase is known.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::{Certificate, PrivateKey, PublicKey, load_openssh_certificate, ssh_key};

use crate::link::keys::{KeyFailure, KeyFile, PrivateHalf, TriedKey, certificate_beside, key_of_certificate};
use crate::link::settings::LinkSettings;
use crate::link::ssh_command::{IdentitiesOnly, SshTarget};
use crate::text::sanitize;

/// Something to offer to a server, and what signs for it.
pub(super) struct Identity {
    /// The file, or what the ssh-agent calls it.
    pub(super) name: String,
    pub(super) offered: OfferedKey,
    pub(super) signing_key: SigningKey,
}

/// What is offered.
#[derive(Clone)]
pub(super) enum OfferedKey {
    Key(PublicKey),
    Certificate(Box<Certificate>),
    /// The public half is encrypted with the private one; these are the certificates that may be its.
    Unknown(Vec<(String, Certificate)>),
}

/// What signs.
#[derive(Clone)]
pub(super) enum SigningKey {
    Open(Arc<PrivateKey>),
    /// A key file that has a passphrase.
    Locked(PathBuf),
    /// The ssh-agent, by what it holds.
    SshAgent(Box<AgentIdentity>),
}

/// What is to be offered, in order, and what can't be.
#[derive(Default)]
pub(super) struct Identities {
    pub(super) shown: Vec<Identity>,
    pub(super) unusable: Vec<TriedKey>,
}

/// Where the name of a key file is from. Only the absence of one that was typed is worth a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeySource {
    CommandLine,
    Default,
}

/// Everything that may be offered to the server of this target, with the keys that the ssh-agent holds.
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
            Err(error) => found.unusable(&path, KeyFailure::unusable(&error)),
        }
    }
    // `IdentityFile none` keeps the default keys away.
    let mut named = Vec::new();
    for path in target.identities.iter().filter(|key| key.as_os_str() != "none") {
        let path = settings.expand(path);
        // `-i id_x-cert.pub` is a certificate, and names the key beside it.
        match key_of_certificate(&path).map(|key| (key, load_openssh_certificate(&path))) {
            Some((key, Ok(certificate))) => {
                certificates.push((path.display().to_string(), certificate));
                named.extend(Some(key).filter(|key| key.is_file()));
            }
            _ => named.push(path),
        }
    }
    for path in named {
        found.file(&path, KeySource::CommandLine, &certificates, agent_keys);
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

    /// Nothing is offered twice.
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
            if let PrivateHalf::Elsewhere(failure) = file.private {
                return self.unusable(path, failure);
            }
            // Only a locked file may hide it.
            let signing_key = SigningKey::Locked(path.to_owned());
            return self.show(path.display().to_string(), OfferedKey::Unknown(certificates), signing_key);
        };
        let holders = || agent_keys.iter().filter(|identity| holds(identity, public.key_data()));
        let signing_key = match (file.private, holders().next()) {
            (PrivateHalf::Open(key), _) => SigningKey::Open(key),
            (_, Some(holder)) => SigningKey::SshAgent(Box::new(holder.clone())),
            (PrivateHalf::Locked, None) => SigningKey::Locked(path.to_owned()),
            (PrivateHalf::Elsewhere(KeyFailure::PublicOnly), None) if source == KeySource::Default => return,
            (PrivateHalf::Elsewhere(failure), None) => return self.unusable(path, failure),
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

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
