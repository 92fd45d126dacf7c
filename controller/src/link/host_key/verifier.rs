//! Whether the key that a server shows is trusted.

use std::path::PathBuf;

use russh::keys::{Algorithm, Certificate, EcdsaCurve, HashAlg, PublicKey};

use super::certificate;
use super::error::{ForgetCommand, HostKeyError};
use super::known_hosts::{self, KnownHostsEntry, KnownHostsError, Marker};
use crate::link::ssh_command::{DEFAULT_PORT, SshTarget};

/// What is done about a key that no file knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HostKeyPolicy {
    /// Believe it, and write it down. Rented boxes are new all the time; what is caught is a change.
    #[default]
    AcceptNew,
    /// Refuse it.
    Strict,
    /// Believe only the key with this fingerprint (`SHA256:…`), whatever the files say, and write nothing down.
    Pinned(String),
}

/// Why a key is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeyTrust {
    /// A file knew it, or the authority that signed its certificate.
    Known,
    /// It was pinned.
    Pinned,
    /// It is new and now written down.
    Learned {
        /// Its fingerprint.
        fingerprint: String,
        /// Where it was written.
        file: PathBuf,
    },
    /// It is new, and was to be written down, but could not be.
    NotWritten {
        /// Where.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// It is new, and nothing is remembered (`UserKnownHostsFile /dev/null`).
    Unremembered,
}

/// Verifies the host key of one connection: by all that the files say about its host, and the policy.
#[derive(Debug, Clone)]
pub(in crate::link) struct HostKeyVerifier {
    name: String,
    /// The host as `hfdown forget-host` takes it.
    host: String,
    /// The host as certificates name it: without its port.
    principal: String,
    policy: HostKeyPolicy,
    /// Lines for exactly this host and port.
    entries: Vec<KnownHostsEntry>,
    /// Lines for the host without its port. They can vouch for a key, as with OpenSSH, but a different one there says
    /// nothing: behind one address every port may be another box.
    without_port: Vec<KnownHostsEntry>,
    own_file: Option<PathBuf>,
}

impl HostKeyVerifier {
    /// Reads the files. `own_file` is the one that new keys are written to; it is read as well. Without it no key is
    /// remembered.
    pub(in crate::link) fn new(
        target: &SshTarget,
        policy: HostKeyPolicy,
        files: &[PathBuf],
        own_file: impl Into<Option<PathBuf>>,
    ) -> Result<Self, KnownHostsError> {
        let own_file = own_file.into();
        let name = known_hosts::name_of(target);
        let host = target.host_key_alias.as_deref().unwrap_or(&target.host);
        let plain = known_hosts::host_name(host, DEFAULT_PORT);
        let read = |name: &str| -> Result<Vec<KnownHostsEntry>, KnownHostsError> {
            let lists = files.iter().map(|file| known_hosts::entries(file, name));
            let lists = lists.chain(own_file.iter().map(|file| known_hosts::own_entries(file, name)));
            Ok(lists.collect::<Result<Vec<_>, _>>()?.concat())
        };
        let without_port = if plain == name { Vec::new() } else { read(&plain)? };
        let principal = host.to_owned();
        let host = target.host_key_alias.clone().unwrap_or_else(|| target.to_string());
        Ok(Self { host, principal, entries: read(&name)?, without_port, name, policy, own_file })
    }

    /// The algorithms to ask for, those of known keys first: a server that has several keys then shows the one that can
    /// be checked. SHA-1 signatures are not among them.
    pub(in crate::link) fn algorithms(&self) -> Vec<Algorithm> {
        let mut algorithms = all_algorithms();
        let known = |algorithm: &Algorithm| {
            let mut plain = self.entries.iter().filter(|entry| entry.marker == Marker::Plain);
            plain.any(|entry| entry.algorithm == key_type(algorithm))
        };
        // Stable: within each half the order stays.
        algorithms.sort_by_key(|algorithm| !known(algorithm));
        algorithms
    }

    /// Of certificates: those that there is an authority for.
    pub(in crate::link) fn certificates(&self) -> Vec<Algorithm> {
        if self.lines(Marker::Authority).next().is_some() { all_algorithms() } else { Vec::new() }
    }

    /// Everything that speaks of the host, with its port or without.
    fn lines(&self, marker: Marker) -> impl Iterator<Item = &KnownHostsEntry> {
        self.entries.iter().chain(&self.without_port).filter(move |entry| entry.marker == marker)
    }

    fn revoked(&self, key: &PublicKey) -> Result<(), HostKeyError> {
        let Some(entry) = self.lines(Marker::Revoked).find(|entry| entry.is(key)) else { return Ok(()) };
        let shown = key.fingerprint(HashAlg::Sha256).to_string();
        Err(HostKeyError::Revoked { shown, place: entry.place.clone() })
    }

    /// Believes the key of a certificate, for its authority's sake or for its own.
    pub(in crate::link) fn verify_certificate(
        &self,
        certificate: &Certificate,
    ) -> Result<HostKeyTrust, HostKeyError> {
        let key = PublicKey::from(certificate.public_key().clone());
        let authority = PublicKey::from(certificate.signature_key().clone());
        let is_known = self.lines(Marker::Authority).any(|entry| entry.is(&authority));
        // A pin is a pin of the key; of an authority that no file knows, nothing follows.
        if matches!(self.policy, HostKeyPolicy::Pinned(_)) || !is_known {
            return self.verify(&key);
        }
        self.revoked(&key)?;
        self.revoked(&authority)?;
        certificate::check(certificate, &self.principal).map_err(HostKeyError::Certificate)?;
        Ok(HostKeyTrust::Known)
    }

    /// Believes the key or says why not; writes a new one down if the policy allows it.
    pub(in crate::link) fn verify(&self, key: &PublicKey) -> Result<HostKeyTrust, HostKeyError> {
        let shown = key.fingerprint(HashAlg::Sha256).to_string();
        self.revoked(key)?;
        if let HostKeyPolicy::Pinned(pinned) = &self.policy {
            let same = pinned.trim_end_matches('=') == shown;
            let error = HostKeyError::NotPinned { pinned: pinned.clone(), shown };
            return if same { Ok(HostKeyTrust::Pinned) } else { Err(error) };
        }
        if self.lines(Marker::Plain).any(|entry| entry.is(key)) {
            return Ok(HostKeyTrust::Known);
        }
        // A key of another algorithm counts as changed too: a machine in the middle would else just show one of those.
        let plain = || self.entries.iter().filter(|entry| entry.marker == Marker::Plain);
        let algorithm = key.algorithm();
        let other = plain().find(|entry| entry.algorithm == key_type(&algorithm)).or_else(|| plain().next());
        match (other, &self.policy) {
            (Some(entry), _) => {
                let place = entry.place.clone();
                let remedy = if Some(&place.file) == self.own_file.as_ref() {
                    ForgetCommand::Hfdown(self.host.clone())
                } else {
                    ForgetCommand::SshKeygen { name: self.name.clone(), file: place.file.clone() }
                };
                Err(HostKeyError::Changed {
                    known: entry.fingerprint(),
                    shown,
                    place,
                    remedy: Box::new(remedy),
                })
            }
            (None, HostKeyPolicy::Strict) => Err(HostKeyError::Unknown { shown }),
            (None, _) => Ok(self.learn(key, shown)),
        }
    }
}

impl HostKeyVerifier {
    /// Writes a new key down. A folder that can't be written is no reason to stay away from a box whose key is believed.
    fn learn(&self, key: &PublicKey, fingerprint: String) -> HostKeyTrust {
        let Some(file) = self.own_file.clone() else { return HostKeyTrust::Unremembered };
        match known_hosts::learn(&file, &self.name, key) {
            Ok(()) => HostKeyTrust::Learned { fingerprint, file },
            Err(error) => HostKeyTrust::NotWritten { file, reason: error.source.to_string() },
        }
    }
}

fn all_algorithms() -> Vec<Algorithm> {
    vec![
        Algorithm::Ed25519,
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
        Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
        Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
    ]
}

/// How `known_hosts` files name the type of a key. RSA keys have one type, whatever hash their signatures use.
fn key_type(algorithm: &Algorithm) -> String {
    if matches!(algorithm, Algorithm::Rsa { .. }) { "ssh-rsa".to_owned() } else { algorithm.to_string() }
}

#[cfg(test)]
#[path = "verifier_tests.rs"]
mod tests;
