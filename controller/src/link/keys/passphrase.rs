//! Asking the user for a passphrase.

use std::pin::Pin;

use zeroize::Zeroizing;

/// The answer to a prompt.
#[derive(Debug)]
pub enum PassphraseAnswer {
    /// A passphrase, which is never shown.
    Given(Zeroizing<String>),
    /// Nothing: an empty line, or the end of the input.
    Declined,
    /// There is no terminal, and no other prompt.
    NoPrompt,
    /// The program that should have asked can't be run, for this reason.
    Failed(String),
}

/// Asks the user for a passphrase without showing it.
pub trait PassphrasePrompt: Send + Sync {
    /// Asks. A future that is dropped takes the question back.
    fn ask(&self, prompt: String) -> Pin<Box<dyn Future<Output = PassphraseAnswer> + Send + '_>>;
}
