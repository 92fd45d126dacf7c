//! Whether the key that a server shows may be believed.

use std::fmt;
use std::path::PathBuf;

use russh::keys::{Algorithm, Certificate, EcdsaCurve, HashAlg, PublicKey};

use super::host_certificate::{self, CertificateError};
use super::known_hosts::{self, FileLine, KnownHostsEntry, KnownHostsError, Marker};
use super::target::SshTarget;

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

/// What removes a known key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForgetCommand {
    /// hfdown remembers it, for the host that is written like this.
    Hfdown(String),
    /// It stands in a file that hfdown does not write, under this name.
    SshKeygen {
        /// The name.
        name: String,
        /// The file.
        file: PathBuf,
    },
}

/// A command for a shell.
impl fmt::Display for ForgetCommand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hfdown(host) => write!(formatter, "hfdown forget-host {}", shell_words::quote(host)),
            Self::SshKeygen { name, file } => {
                let file = file.display().to_string();
                let (name, file) = (shell_words::quote(name), shell_words::quote(&file));
                write!(formatter, "ssh-keygen -R {name} -f {file}")
            }
        }
    }
}

/// Why a server's key is not believed.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    /// The files know another key for this host. A machine in the middle looks like this, and so does a box whose
    /// address was given to another box.
    #[error("the host key has changed: it was {known}, it is {shown}")]
    Changed {
        /// Fingerprint of the key that was known.
        known: String,
        /// Fingerprint of the key that was shown.
        shown: String,
        /// Where the known key stands.
        place: FileLine,
        /// What removes it there.
        remedy: Box<ForgetCommand>,
    },
    /// No file knows this host, and new keys are refused.
    #[error("the host key {shown} is not known")]
    Unknown {
        /// Fingerprint of the key that was shown.
        shown: String,
    },
    /// The key is marked `@revoked`.
    #[error("the host key {shown} is revoked")]
    Revoked {
        /// Fingerprint of the key that was shown.
        shown: String,
        /// Where it says so.
        place: FileLine,
    },
    /// It is not the key that was pinned.
    #[error("the host key is {shown}, not {pinned}")]
    NotPinned {
        /// The fingerprint that was asked for.
        pinned: String,
        /// Fingerprint of the key that was shown.
        shown: String,
    },
    /// A known authority signed a certificate, but it does not vouch for this host.
    #[error("the host's certificate is not taken: {0}")]
    Certificate(CertificateError),
    /// A `known_hosts` file exists and can't be read, or the own one can't be written.
    #[error("cannot use a known_hosts file")]
    File(#[from] KnownHostsError),
}

/// How a believed key came to be believed.
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
}

/// The judge of one connection: everything the files say about its host, and the policy.
#[derive(Debug, Clone)]
pub(super) struct HostKeyVerifier {
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
    own_file: PathBuf,
}

impl HostKeyVerifier {
    /// Reads the files. `own_file` is the one that new keys are written to; it is read as well.
    pub(super) fn new(
        target: &SshTarget,
        policy: HostKeyPolicy,
        files: &[PathBuf],
        own_file: PathBuf,
    ) -> Result<Self, KnownHostsError> {
        let name = known_hosts::name_of(target);
        let host = target.host_key_alias.as_deref().unwrap_or(&target.host);
        let plain = known_hosts::host_name(host, super::target::DEFAULT_PORT);
        let read = |name: &str| -> Result<Vec<KnownHostsEntry>, KnownHostsError> {
            let files = files.iter().chain(std::iter::once(&own_file));
            let lists = files.map(|file| known_hosts::entries(file, name)).collect::<Result<Vec<_>, _>>()?;
            Ok(lists.concat())
        };
        let without_port = if plain == name { Vec::new() } else { read(&plain)? };
        let principal = host.to_owned();
        let host = target.host_key_alias.clone().unwrap_or_else(|| target.to_string());
        Ok(Self { host, principal, entries: read(&name)?, without_port, name, policy, own_file })
    }

    /// The algorithms to ask for, those of known keys first: a server that has several keys then shows the one that can
    /// be checked. SHA-1 signatures are not among them.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
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
    pub(super) fn certificates(&self) -> Vec<Algorithm> {
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
    pub(super) fn verify_certificate(&self, certificate: &Certificate) -> Result<HostKeyTrust, HostKeyError> {
        let key = PublicKey::from(certificate.public_key().clone());
        let authority = PublicKey::from(certificate.signature_key().clone());
        let is_known = self.lines(Marker::Authority).any(|entry| entry.is(&authority));
        // A pin is a pin of the key; of an authority that nobody knows, nothing follows.
        if matches!(self.policy, HostKeyPolicy::Pinned(_)) || !is_known {
            return self.verify(&key);
        }
        self.revoked(&key)?;
        self.revoked(&authority)?;
        host_certificate::check(certificate, &self.principal).map_err(HostKeyError::Certificate)?;
        Ok(HostKeyTrust::Known)
    }

    /// Believes the key or says why not; writes a new one down if the policy allows it.
    pub(super) fn verify(&self, key: &PublicKey) -> Result<HostKeyTrust, HostKeyError> {
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
                let remedy = if place.file == self.own_file {
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
            (None, _) => {
                known_hosts::learn(&self.own_file, &self.name, key)?;
                Ok(HostKeyTrust::Learned { fingerprint: shown, file: self.own_file.clone() })
            }
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
#[path = "host_key_tests.rs"]
mod tests;
