//! Certificates that vouch for a host's key: what a `@cert-authority` line of a `known_hosts` file stands for.

use std::time::{SystemTime, UNIX_EPOCH};

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Certificate, HashAlg};

use crate::link::pattern::matches_pattern;

/// Why the certificate of a known authority does not vouch for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It is a user's.
    #[error("it is no host's certificate")]
    NotOfAHost,
    /// It is another host's.
    #[error("it is another host's")]
    OtherHost,
    /// It is not valid yet, or not any more.
    #[error("it has expired, or is not valid yet")]
    Time,
    /// The authority has not signed it like this.
    #[error("its signature is wrong")]
    Signature,
    /// It demands something that is not known here.
    #[error("it has critical options, and hosts' certificates know none")]
    Options,
}

/// Checks the certificate of an authority that is trusted for this host, which is named without its port.
pub(super) fn check(certificate: &Certificate, host: &str) -> Result<(), CertificateError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if certificate.cert_type() != CertType::Host {
        return Err(CertificateError::NotOfAHost);
    }
    if !certificate.critical_options().is_empty() {
        return Err(CertificateError::Options);
    }
    if now < certificate.valid_after() || now >= certificate.valid_before() {
        return Err(CertificateError::Time);
    }
    let principals = certificate.valid_principals();
    let host = host.to_ascii_lowercase();
    let fits = |name: &String| matches_pattern(name.to_ascii_lowercase().as_bytes(), host.as_bytes());
    if !principals.is_empty() && !principals.iter().any(fits) {
        return Err(CertificateError::OtherHost);
    }
    let authority = certificate.signature_key().fingerprint(HashAlg::Sha256);
    certificate.validate_at(now, [&authority]).map_err(|_| CertificateError::Signature)
}
