//! Why a server's host key is not trusted, and what to type about it.

use std::fmt;
use std::path::PathBuf;

use super::certificate::CertificateError;
use super::known_hosts::KnownHostsError;
use crate::link::file_line::FileLine;

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
