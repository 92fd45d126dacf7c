//! Which certificates are trusted: the bundled roots, for boxes without any, and those of `SSL_CERT_FILE`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Certificates that are trusted beside the bundled roots.
#[derive(Debug, Clone, Default)]
pub struct ExtraRoots(Vec<CertificateDer<'static>>);

/// Why the network can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The file named by `SSL_CERT_FILE` can't be read, or has no certificate.
    #[error("cannot read certificates from {0}: {1}")]
    Certificates(PathBuf, String),
    /// What the controller hands down is no certificate.
    #[error("the controller's certificates can't be used")]
    HandedDown,
    /// The HTTP client can't be built.
    #[error("cannot set up the HTTP client: {0}")]
    Client(String),
}

impl ExtraRoots {
    /// The certificates of a PEM file that can be used.
    pub fn read(file: &Path) -> Result<Self, SetupError> {
        let fail = |why: String| SetupError::Certificates(file.to_owned(), why);
        let mut certificates: Vec<_> = CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect)
            .map_err(|error| fail(error.to_string()))?;
        certificates.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
        if certificates.is_empty() {
            return Err(fail("there is no certificate in it".to_owned()));
        }
        Ok(Self(certificates))
    }

    /// The certificates in DER that an agent elsewhere must be told of to trust the same: those that are not bundled.
    /// The file they were read from may well be a whole system's.
    pub fn not_bundled(self) -> Vec<Vec<u8>> {
        let bundled = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
        let own = self.0.into_iter().filter(|certificate| !bundled.contains(certificate));
        own.map(|certificate| certificate.to_vec()).collect()
    }

    /// These, and what a controller hands down in DER.
    pub(crate) fn and(&self, handed_down: Vec<Vec<u8>>) -> Result<Self, SetupError> {
        let mut all = self.0.clone();
        all.extend(handed_down.into_iter().map(CertificateDer::from));
        if RootCertStore::empty().add_parsable_certificates(all.iter().cloned()).1 > 0 {
            return Err(SetupError::HandedDown);
        }
        Ok(Self(all))
    }

    pub(super) fn tls(&self) -> Result<rustls::ClientConfig, SetupError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
        roots.add_parsable_certificates(self.0.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| SetupError::Client(error.to_string()))?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    use data_encoding::BASE64;

    #[test]
    fn a_box_is_told_of_certificates_that_it_does_not_have() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bundle.pem");
        let mut bundle = String::new();
        for certificate in &webpki_root_certs::TLS_SERVER_ROOT_CERTS[..2] {
            let text = BASE64.encode(certificate);
            write!(bundle, "-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n").unwrap();
        }
        std::fs::write(&file, &bundle).unwrap();
        assert_eq!(ExtraRoots::read(&file).unwrap().not_bundled(), [[0; 0]; 0], "both are bundled");
        std::fs::write(&file, "no certificate").unwrap();
        assert!(matches!(ExtraRoots::read(&file), Err(SetupError::Certificates(..))));
    }
}
