//! Why a key did not log in, or stays locked.

use std::fmt;

use crate::text::sanitize;

/// A key that was considered, or what the user was asked, and why it did not log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriedKey {
    /// The key's file, or its comment in the ssh-agent, or the ssh-agent itself, or what was asked for.
    pub key: String,
    /// Why it did not log in.
    pub result: KeyFailure,
}

/// Why a key did not log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFailure {
    /// The server does not take it.
    Rejected,
    /// The server takes it and wants something else as well: a password, a second factor.
    PartialSuccess,
    /// The server takes it, but it has a passphrase.
    Locked(UnlockError),
    /// It has a passphrase, and without that not even its public half is known: the server was not asked.
    NotOffered(UnlockError),
    /// The file is not there.
    Missing,
    /// Only its public half is here, and no ssh-agent holds the other.
    PublicOnly,
    /// It is a certificate, and its key is neither in a file nor in an ssh-agent.
    CertificateOnly,
    /// It is encrypted with this, which can't be opened here.
    Encryption(String),
    /// The key is in a FIDO security key, of which the file has but the handle.
    Hardware,
    /// It is a key of `PuTTY`, and can't be opened, for this reason.
    Putty(String),
    /// It can't be read or used, for this reason.
    Unusable(String),
    /// The server hung up.
    HungUp,
    /// It is no key but what the user was to answer.
    Answer(AnswerFailure),
}

/// Why the user's answers did not log in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerFailure {
    /// There is nowhere to ask.
    #[error("there is no terminal to answer on")]
    NoPrompt,
    /// An option (`BatchMode`, `PreferredAuthentications` and their kin) forbids to ask.
    #[error("an option forbids to ask for it")]
    NotAsked,
    /// The server asked nothing, and refused: where it has no PAM, for one, or where the user may not log in.
    #[error("the server refused it without a question")]
    Unasked,
    /// The user gave none.
    #[error("no answer was given")]
    Declined,
    /// The server did not take any.
    #[error("the answer was wrong")]
    Wrong,
    /// The server says nothing to a password: it may want another one, which russh does not tell.
    #[error("the server does not answer to it: the password may have expired")]
    Unheard,
    /// The user can't be asked, for this reason.
    #[error("{0}")]
    Unusable(String),
}

/// `~/.ssh/id_rsa (rejected)`.
impl fmt::Display for TriedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.key, self.result)
    }
}

impl fmt::Display for KeyFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Rejected => "rejected",
            Self::PartialSuccess => "accepted, but something else is wanted as well",
            Self::Locked(locked) => return write!(formatter, "accepted, but {locked}"),
            Self::NotOffered(locked) => return locked.fmt(formatter),
            Self::Missing => "no such file",
            Self::PublicOnly => "its private half is neither here nor in an ssh-agent",
            Self::CertificateOnly => "its key is neither in a file nor in an ssh-agent",
            Self::Encryption(cipher) => {
                return write!(formatter, "it is encrypted with {cipher}, which hfdown can't open");
            }
            Self::Hardware => "it is the handle of a FIDO security key, and no ssh-agent holds it",
            Self::Putty(reason) => {
                return write!(formatter, "it is a PuTTY key that can't be opened: {reason}");
            }
            Self::Unusable(reason) => reason,
            Self::HungUp => "the server hung up",
            Self::Answer(failure) => return failure.fmt(formatter),
        })
    }
}

impl KeyFailure {
    /// A key, or an ssh-agent, that can't be used.
    pub(in crate::link) fn unusable(error: &dyn fmt::Display) -> Self {
        Self::Unusable(sanitize(error.to_string(), 200))
    }
}

/// The connection broke while a signature was being sent.
impl From<russh::SendError> for KeyFailure {
    fn from(_: russh::SendError) -> Self {
        Self::HungUp
    }
}

/// Why a key stays locked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// There is no prompt to ask for the passphrase.
    #[error("it has a passphrase, and no ssh-agent holds it")]
    NoPrompt,
    /// The user gave none.
    #[error("no passphrase was given")]
    NoPassphrase,
    /// None that was given was right.
    #[error("its passphrase was wrong three times")]
    WrongPassphrase,
    /// It can't be unlocked, for this reason.
    #[error("{0}")]
    Unusable(String),
}
