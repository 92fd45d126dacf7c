//! Whether a server's host key is trusted: `known_hosts` files, certificates, and the policy.

mod certificate;
mod error;
pub(super) mod known_hosts;
mod verifier;

pub use certificate::CertificateError;
pub use error::{ForgetCommand, HostKeyError};
pub use known_hosts::KnownHostsError;
pub use verifier::{HostKeyPolicy, HostKeyTrust};

pub(super) use verifier::HostKeyVerifier;
