//! What logs in: private keys in files (read, unlocked with a passphrase, or found unusable), and the user's answers.

mod answers;
mod askpass;
mod failure;
mod key_file;
mod key_text;
mod keyring;
mod pem;
mod user_prompt;

pub use askpass::Askpass;
pub use failure::{AnswerFailure, KeyFailure, TriedKey, UnlockError};
pub use keyring::Keyring;
pub use user_prompt::{Echo, UserAnswer, UserPrompt};

pub(super) use answers::{Passwords, RememberedPassword, is_password};
pub(super) use key_file::{KeyFile, PrivateHalf, certificate_beside, key_of_certificate};
