//! The key in a file, whatever its format, and what stands in the files beside it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::{PrivateKey, PublicKey, load_openssh_certificate, load_public_key, ssh_key};

use super::failure::KeyFailure;
use crate::text::sanitize;

/// Where the private half of a key is.
pub(in crate::link) enum PrivateHalf {
    /// In the file, unlocked.
    Open(Arc<PrivateKey>),
    /// In the file, encrypted with a passphrase.
    Locked,
    /// Not in this file. An ssh-agent may have it.
    Elsewhere,
}

/// What a key's file says, and the one beside it. Keys are small, so reading them blocks.
pub(in crate::link) struct KeyFile {
    pub(in crate::link) private: PrivateHalf,
    /// None where it is encrypted with the private half.
    pub(in crate::link) public: Option<PublicKey>,
}

impl KeyFile {
    pub(in crate::link) fn read(path: &Path) -> Result<Self, KeyFailure> {
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
            Err(error) => {
                load_public_key(path).ok().map(elsewhere).ok_or_else(|| KeyFailure::unusable(&error))
            }
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

/// `id_x-cert.pub`.
pub(in crate::link) fn certificate_beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push("-cert.pub");
    PathBuf::from(beside)
}

/// Of some encrypted formats russh says only that they make no sense.
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

/// Why a passphrase did not decrypt a key file.
#[derive(Debug)]
pub(super) enum DecryptError {
    WrongPassphrase,
    Unusable(String),
}

/// Tries a passphrase. Slow on purpose of the file's format.
pub(super) fn decrypt(path: &Path, passphrase: &str) -> Result<PrivateKey, DecryptError> {
    use russh::keys::Error;
    russh::keys::load_secret_key(path, Some(passphrase)).map_err(|error| match error {
        Error::IO(_)
        | Error::UnsupportedKeyType { .. }
        | Error::UnknownAlgorithm(_)
        | Error::SshKey(ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. }) => {
            DecryptError::Unusable(sanitize(error.to_string(), 200))
        }
        // What a wrong passphrase makes of a key is rubbish, which each format notices in its own way.
        _ => DecryptError::WrongPassphrase,
    })
}
