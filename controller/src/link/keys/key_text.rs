//! The text of a private key, in every format that OpenSSH opens: its own, PEM (PKCS#1, SEC 1), PKCS#8; and those of `PuTTY`.
//!
//! What encrypts a key is looked at before the user is asked for its passphrase, so that no passphrase is called wrong
//! that was right, and none is asked for that is of no use.

use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::pkcs5::EncryptionScheme;
use russh::keys::ssh_key::{self, Cipher};
use russh::keys::{Error, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use super::failure::KeyFailure;
use super::pem::Pem;
use crate::text::sanitize;

/// Why a text is no key, or not yet.
#[derive(Debug)]
pub(super) enum Sealed {
    /// It has a passphrase. The public half, where that can be read without.
    Locked(Option<Box<PublicKey>>),
    /// The passphrase is another one.
    WrongPassphrase,
    /// It can't be used, for this reason.
    Unusable(KeyFailure),
    /// It is no private key at all.
    NoPrivateKey,
}

/// Opens a key.
pub(super) fn open(text: &str, passphrase: Option<&str>) -> Result<PrivateKey, Sealed> {
    // Editors put a byte order mark there.
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(unusable("the file is empty"));
    }
    if text.starts_with("PuTTY-User-Key-File-") {
        return putty(text, passphrase);
    }
    if !text.contains("-----BEGIN ") {
        return Err(Sealed::NoPrivateKey);
    }
    let Some(pem) = Pem::read(text) else { return Err(unusable("it is damaged, or cut off")) };
    match (pem.label.as_str(), &pem.encryption) {
        ("OPENSSH PRIVATE KEY", _) => openssh(&pem.body, passphrase),
        ("ENCRYPTED PRIVATE KEY", _) => pkcs8(&pem, passphrase),
        ("RSA PRIVATE KEY" | "EC PRIVATE KEY" | "PRIVATE KEY", None) => {
            let text = pem.decrypt("").ok_or_else(|| unusable("it is damaged, or cut off"))?;
            russh::keys::decode_secret_key(&text, None).map_err(|error| unopened(&error))
        }
        ("RSA PRIVATE KEY" | "EC PRIVATE KEY", Some(encryption)) => {
            if !encryption.is_known() {
                return Err(encrypted_with(&encryption.cipher));
            }
            let passphrase = passphrase.ok_or(Sealed::Locked(None))?;
            let text = pem.decrypt(passphrase).ok_or(Sealed::WrongPassphrase)?;
            // One padding in 256 is right by chance: then it is rubbish that was decrypted.
            russh::keys::decode_secret_key(&text, None).map_err(|_| Sealed::WrongPassphrase)
        }
        ("DSA PRIVATE KEY", _) => Err(unusable("it is a DSA key, which servers take no longer")),
        (label, _) => Err(unusable(&format!("it holds a {}, and no private key", label.to_lowercase()))),
    }
}

/// OpenSSH's own format, whose public half is never encrypted.
fn openssh(body: &[u8], passphrase: Option<&str>) -> Result<PrivateKey, Sealed> {
    let cipher = openssh_cipher(body).ok_or_else(|| unusable("it is damaged, or cut off"))?;
    if cipher != "none" && Cipher::new(&cipher).is_err() {
        return Err(encrypted_with(&cipher));
    }
    let key = PrivateKey::from_bytes(body).map_err(|error| unopened(&Error::SshKey(error)))?;
    if !key.is_encrypted() {
        return Ok(key);
    }
    let passphrase = passphrase.ok_or_else(|| Sealed::Locked(Some(Box::new(key.public_key().clone()))))?;
    key.decrypt(passphrase).map_err(|error| match error {
        ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. } => {
            encrypted_with(&cipher)
        }
        // What a wrong passphrase makes of a key is rubbish, which is noticed in more than one way.
        _ => Sealed::WrongPassphrase,
    })
}

/// The first field after the magic word.
fn openssh_cipher(body: &[u8]) -> Option<String> {
    let rest = body.strip_prefix(b"openssh-key-v1\0")?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let name = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    Some(sanitize(name, 60))
}

fn pkcs8(pem: &Pem, passphrase: Option<&str>) -> Result<PrivateKey, Sealed> {
    let Ok(info) = EncryptedPrivateKeyInfoRef::try_from(pem.body.as_slice()) else {
        return Err(encrypted_with("a cipher of PKCS#8 that it does not know"));
    };
    if let EncryptionScheme::Pbes1(_) = info.encryption_algorithm {
        return Err(encrypted_with("PBES1, an old scheme of PKCS#8"));
    }
    let passphrase = passphrase.ok_or(Sealed::Locked(None))?;
    let text = pem.decrypt("").ok_or_else(|| unusable("it is damaged, or cut off"))?;
    russh::keys::decode_secret_key(&text, Some(passphrase)).map_err(|error| match error {
        Error::UnknownAlgorithm(_) | Error::UnsupportedKeyType { .. } => unopened(&error),
        Error::Pkcs8(pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::UnsupportedAlgorithm {
            oid,
        })) => encrypted_with(&format!("PKCS#8's algorithm {oid}")),
        _ => Sealed::WrongPassphrase,
    })
}

fn putty(text: &str, passphrase: Option<&str>) -> Result<PrivateKey, Sealed> {
    let is_encrypted = text
        .lines()
        .any(|line| line.strip_prefix("Encryption: ").is_some_and(|cipher| cipher.trim() != "none"));
    if is_encrypted && passphrase.is_none() {
        return Err(Sealed::Locked(None));
    }
    russh::keys::decode_secret_key(text, passphrase.filter(|_| is_encrypted)).map_err(|error| match error {
        // The type of this error has no public name.
        Error::SshKey(ssh_key::Error::Ppk(why)) if is_encrypted && why.to_string() == "incorrect MAC" => {
            Sealed::WrongPassphrase
        }
        error => Sealed::Unusable(KeyFailure::Putty(sanitize(error.to_string(), 200))),
    })
}

fn unusable(reason: &str) -> Sealed {
    Sealed::Unusable(KeyFailure::Unusable(reason.to_owned()))
}

fn encrypted_with(cipher: &str) -> Sealed {
    Sealed::Unusable(KeyFailure::Encryption(sanitize(cipher, 60)))
}

/// What russh says about a key that is not encrypted.
fn unopened(error: &Error) -> Sealed {
    unusable(&match error {
        Error::UnknownAlgorithm(number) => {
            format!("it is a key of a kind that hfdown does not know ({number})")
        }
        Error::UnsupportedKeyType { key_type_string, .. } => {
            format!("it is a key of a kind that hfdown does not know ({})", sanitize(key_type_string, 60))
        }
        Error::SshKey(ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. }) => {
            "it is a key of a kind that hfdown does not know".to_owned()
        }
        error => format!("it makes no sense as a key: {}", sanitize(error.to_string(), 120)),
    })
}

/// The text of a file that is no larger than any key.
pub(super) fn read(path: &std::path::Path) -> std::io::Result<Zeroizing<String>> {
    use std::io::Read as _;
    const LARGEST: u64 = 1 << 20;
    let mut bytes = Zeroizing::new(Vec::with_capacity(8192));
    std::fs::File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    // Comments and rubbish need not be UTF-8; Windows' editors write UTF-16.
    if bytes.starts_with(&[0xff, 0xfe]) && bytes.len() % 2 == 0 {
        let units: Vec<u16> =
            bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        return Ok(Zeroizing::new(String::from_utf16_lossy(&units)));
    }
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
}
