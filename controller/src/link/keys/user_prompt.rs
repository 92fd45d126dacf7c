//! Asking the user: for the passphrase of a key, for a password, for whatever else a server wants to know.

use std::pin::Pin;

use zeroize::Zeroizing;

/// The answer to a prompt.
#[derive(Debug)]
pub enum UserAnswer {
    /// A passphrase, a password or a code, which is never shown.
    Given(Zeroizing<String>),
    /// Nothing: an empty line, or the end of the input.
    Declined,
    /// There is no terminal, and no other prompt.
    NoPrompt,
    /// The program that should have asked can't be run, for this reason.
    Failed(String),
}

/// Whether what is typed is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// It is: the server says that it is no secret.
    Shown,
    /// It is not.
    Hidden,
}

/// Asks the user.
pub trait UserPrompt: Send + Sync {
    /// Asks. A future that is dropped takes the question back.
    fn ask(&self, prompt: String, echo: Echo) -> Pin<Box<dyn Future<Output = UserAnswer> + Send + '_>>;
}
