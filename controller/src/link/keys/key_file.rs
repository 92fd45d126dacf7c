//! The key in a file, whatever its format, and what stands in the files beside it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::{Algorithm, PrivateKey, PublicKey, load_openssh_certificate, load_public_key};

use super::failure::KeyFailure;
use super::key_text::{self, Sealed};
use crate::text::sanitize;

/// Where the private half of a key is.
pub(in crate::link) enum PrivateHalf {
    /// In the file, unlocked.
    Open(Arc<PrivateKey>),
    /// In the file, encrypted with a passphrase.
    Locked,
    /// Not in this file, or of no use there. An ssh-agent may have it; else this is what is wrong.
    Elsewhere(KeyFailure),
}

/// What a key's file says, and the one beside it. Keys are small, so reading them blocks.
pub(in crate::link) struct KeyFile {
    pub(in crate::link) private: PrivateHalf,
    /// None where it is encrypted with the private half.
    pub(in crate::link) public: Option<PublicKey>,
}

impl KeyFile {
    pub(in crate::link) fn read(path: &Path) -> Result<Self, KeyFailure> {
        let elsewhere = |failure, public| Self { private: PrivateHalf::Elsewhere(failure), public };
        let text = match key_text::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let public = public_beside(path).ok_or(KeyFailure::Missing)?;
                return Ok(elsewhere(KeyFailure::PublicOnly, Some(public)));
            }
            Err(error) => return Err(KeyFailure::unusable(&error)),
        };
        match key_text::open(&text, None) {
            Ok(key) if is_of_hardware(key.public_key()) => {
                Ok(elsewhere(KeyFailure::Hardware, Some(key.public_key().clone())))
            }
            Ok(key) => {
                let public = Some(key.public_key().clone());
                Ok(Self { private: PrivateHalf::Open(Arc::new(key)), public })
            }
            Err(Sealed::Locked(Some(public))) if is_of_hardware(&public) => {
                Ok(elsewhere(KeyFailure::Hardware, Some(*public)))
            }
            // The newer format keeps the public half readable; older ones have it in `….pub`.
            Err(Sealed::Locked(public)) => Ok(Self {
                private: PrivateHalf::Locked,
                public: public.map(|public| *public).or_else(|| public_beside(path)),
            }),
            Err(Sealed::Unusable(failure)) => Ok(elsewhere(failure, public_beside(path))),
            // `-i id_x.pub` names a key that an ssh-agent has, or else the private one beside it.
            Err(Sealed::NoPrivateKey | Sealed::WrongPassphrase) => {
                let Ok(public) = load_public_key(path) else {
                    return Err(KeyFailure::Unusable("it is no private key".to_owned()));
                };
                match path.to_str().and_then(|path| path.strip_suffix(".pub")).map(Path::new) {
                    Some(private) if private.is_file() => Self::read(private),
                    _ => Ok(elsewhere(KeyFailure::PublicOnly, Some(public))),
                }
            }
        }
    }
}

/// Whether the file has but a handle, and a FIDO security key the rest.
fn is_of_hardware(public: &PublicKey) -> bool {
    matches!(public.algorithm(), Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256)
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

/// `id_x-cert.pub`.
pub(in crate::link) fn certificate_beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push("-cert.pub");
    PathBuf::from(beside)
}

/// The key of `id_x-cert.pub`, where it has its usual name.
pub(in crate::link) fn key_of_certificate(path: &Path) -> Option<PathBuf> {
    path.to_str().and_then(|path| path.strip_suffix("-cert.pub")).map(PathBuf::from)
}

/// Why a passphrase did not decrypt a key file.
#[derive(Debug)]
pub(super) enum DecryptError {
    WrongPassphrase,
    Unusable(String),
}

/// Tries a passphrase. Slow on purpose of the file's format.
pub(super) fn decrypt(path: &Path, passphrase: &str) -> Result<PrivateKey, DecryptError> {
    let unusable = |error: &dyn std::fmt::Display| DecryptError::Unusable(sanitize(error.to_string(), 200));
    let text = key_text::read(path).map_err(|error| unusable(&error))?;
    key_text::open(&text, Some(passphrase)).map_err(|sealed| match sealed {
        Sealed::WrongPassphrase | Sealed::Locked(_) => DecryptError::WrongPassphrase,
        Sealed::Unusable(failure) => unusable(&failure),
        Sealed::NoPrivateKey => unusable(&"it is no private key any more"),
    })
}
