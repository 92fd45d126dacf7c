//! Private keys in files: read, unlocked with a passphrase, or found unusable.

mod askpass;
mod failure;
mod key_file;
mod keyring;
mod passphrase;

pub use askpass::Askpass;
pub use failure::{KeyFailure, TriedKey, UnlockError};
pub use keyring::Keyring;
pub use passphrase::{PassphraseAnswer, PassphrasePrompt};

pub(super) use key_file::{KeyFile, PrivateHalf, certificate_beside};
