//! What an agent finds around it, as a parameter: how it reaches the network, and how patient it is.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hfdown_protocol::Limits;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The effects an agent may have on the world outside its folder.
#[derive(Debug, Clone)]
pub struct Environment {
    pub(crate) client: reqwest::Client,
    pub(crate) patience: Patience,
    /// Whom to trust beside the bundled roots.
    authorities: Vec<CertificateDer<'static>>,
    /// The folder that an agent on a box was started from, with records of transfers that were detached. None where
    /// whoever conducts this one sees to them.
    pub(crate) private: Option<PathBuf>,
}

/// How long to wait for what. A controller may ask for other figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Without a byte for this long, a connection is given up and its range goes on elsewhere.
    pub(crate) stall: Duration,
    /// The wait after the first failure; it doubles with each one that follows.
    pub(crate) first_wait: Duration,
    /// The longest wait.
    pub(crate) longest_wait: Duration,
}

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

/// To connect, TLS included. The Hub answers within a second; a box behind a bad link within ten.
const CONNECT: Duration = Duration::from_secs(15);
/// Kept for the next range; the CDN closes idle connections itself after about a minute.
const IDLE: Duration = Duration::from_secs(50);
/// The first wait after a failure, and how many times that the longest is.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const GROWTH: u32 = 40;
/// By how much chance makes a wait shorter or longer.
pub(crate) const JITTER: Range<f64> = 0.75..1.25;

impl Environment {
    /// Bundled roots, for boxes without any, and the certificates of `extra_roots` (what `SSL_CERT_FILE` names) as
    /// well. Proxies are taken from the environment, as everywhere.
    pub fn new(extra_roots: Option<&Path>) -> Result<Self, SetupError> {
        let authorities = extra_roots.map_or(Ok(Vec::new()), read)?;
        Ok(Self { client: client(&authorities)?, patience: Patience::default(), authorities, private: None })
    }

    /// The same for an agent that has a folder of its own.
    #[cfg(unix)]
    #[must_use]
    pub(crate) fn with_private(self, private: Option<PathBuf>) -> Self {
        Self { private, ..self }
    }

    /// The same, trusting these as well.
    pub(crate) fn trusting(&self, authorities: Vec<Vec<u8>>) -> Result<Self, SetupError> {
        let mut all = self.authorities.clone();
        all.extend(authorities.into_iter().map(CertificateDer::from));
        if RootCertStore::empty().add_parsable_certificates(all.iter().cloned()).1 > 0 {
            return Err(SetupError::HandedDown);
        }
        let client = client(&all)?;
        Ok(Self { client, authorities: all, patience: self.patience, private: self.private.clone() })
    }

    /// The same, as patient as a controller asks for.
    #[must_use]
    pub(crate) fn limited_by(mut self, limits: &Limits) -> Self {
        if let Some(seconds) = limits.stall_seconds {
            self.patience.stall = Duration::from_secs(seconds.get().into());
        }
        if let Some(millis) = limits.first_wait_millis {
            self.patience.first_wait = Duration::from_millis(millis.get().into());
            self.patience.longest_wait = self.patience.first_wait * GROWTH;
        }
        self
    }
}

/// The client of the transfers. Inlined, it would be in the program twice.
#[inline(never)]
fn client(authorities: &[CertificateDer<'static>]) -> Result<reqwest::Client, SetupError> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls(authorities)?)
        .user_agent(concat!("hfdown/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .tcp_nodelay(true)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .build()
        .map_err(|error| SetupError::Client(error.to_string()))
}

/// An HTTP client in the making that trusts the bundled roots and those of a file; for whoever else in this process
/// asks the network something.
pub fn web(extra_roots: Option<&Path>) -> Result<reqwest::ClientBuilder, SetupError> {
    let authorities = extra_roots.map_or(Ok(Vec::new()), read)?;
    Ok(reqwest::Client::builder().tls_backend_preconfigured(tls(&authorities)?))
}

/// The certificates in DER that an agent elsewhere must be told of to trust what this file has: those that are not
/// bundled. The file may well be a whole system's.
pub fn authorities(file: &Path) -> Result<Vec<Vec<u8>>, SetupError> {
    let bundled = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
    let own = read(file)?.into_iter().filter(|certificate| !bundled.contains(certificate));
    Ok(own.map(|certificate| certificate.to_vec()).collect())
}

/// The certificates of a file that can be used.
fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let fail = |why: String| SetupError::Certificates(file.to_owned(), why);
    let mut certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| fail(error.to_string()))?;
    certificates.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
    if certificates.is_empty() {
        return Err(fail("there is no certificate in it".to_owned()));
    }
    Ok(certificates)
}

fn tls(authorities: &[CertificateDer<'static>]) -> Result<rustls::ClientConfig, SetupError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    roots.add_parsable_certificates(authorities.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::Client(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

impl Default for Patience {
    fn default() -> Self {
        Self { stall: Duration::from_secs(30), first_wait: FIRST_WAIT, longest_wait: FIRST_WAIT * GROWTH }
    }
}

impl Patience {
    /// Exponential, with jitter so that a fleet does not come back in step.
    pub(crate) fn wait_after(&self, failures: u32) -> Duration {
        self.even_wait_after(failures).mul_f64(rand::random_range(JITTER))
    }

    /// The same without chance.
    pub(crate) fn even_wait_after(&self, failures: u32) -> Duration {
        self.first_wait.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(self.longest_wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    #[test]
    fn a_box_is_told_of_certificates_that_it_does_not_have() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bundle.pem");
        let mut bundle = String::new();
        for certificate in &webpki_root_certs::TLS_SERVER_ROOT_CERTS[..2] {
            let text = base64(certificate);
            write!(bundle, "-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n").unwrap();
        }
        std::fs::write(&file, &bundle).unwrap();
        assert_eq!(authorities(&file).unwrap(), [[0; 0]; 0], "both are bundled");
        std::fs::write(&file, "no certificate").unwrap();
        assert!(matches!(authorities(&file), Err(SetupError::Certificates(..))));
    }

    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for three in bytes.chunks(3) {
            let number = three.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
                << (8 * (3 - three.len()));
            for digit in 0..4 {
                text.push(if digit <= three.len() {
                    char::from(DIGITS[number >> (18 - 6 * digit) & 63])
                } else {
                    '='
                });
            }
        }
        text
    }
}
