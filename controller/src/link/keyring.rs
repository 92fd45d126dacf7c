//! Keys that have a passphrase: who is asked for it, and what has been unlocked.
//!
//! A key is asked for once in a run, whatever becomes of links: the unlocked key is kept in memory until the run is
//! over, and so is the word of somebody who did not know the passphrase. Passphrases themselves are wiped when they
//! were tried.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use russh::keys::PrivateKey;
use zeroize::Zeroizing;

use super::identity::{self, Opened};
use crate::output::sanitize::sanitize;

/// How often a passphrase is asked for: as often as OpenSSH does.
const ATTEMPTS: usize = 3;

/// What came of a question.
#[derive(Debug)]
pub enum PassphraseAnswer {
    /// An answer, which is not shown to anybody.
    Given(Zeroizing<String>),
    /// Nothing: an empty line, or the end of the input.
    Declined,
    /// There is no terminal, and nobody else to ask.
    NoPrompt,
    /// The program that should have asked can't be run, for this reason.
    Failed(String),
}

/// Asks a person for something that nobody else may see.
pub trait PassphrasePrompt: Send + Sync {
    /// Asks. A future that is dropped takes the question back.
    fn ask(&self, prompt: String) -> Pin<Box<dyn Future<Output = PassphraseAnswer> + Send + '_>>;
}

/// Why a key stays locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnlockError {
    /// There is nobody to ask.
    NoPrompt,
    /// Nobody answered.
    NoPassphrase,
    /// No answer was right.
    WrongPassphrase,
    /// It can't be unlocked, for this reason.
    Unusable(String),
}

impl fmt::Display for UnlockError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoPrompt => "it has a passphrase, and no ssh-agent holds it",
            Self::NoPassphrase => "no passphrase was given",
            Self::WrongPassphrase => "its passphrase was wrong three times",
            Self::Unusable(reason) => reason,
        })
    }
}

/// What one run knows. Clones share it; without a [`PassphrasePrompt`] no passphrase is asked for.
#[derive(Clone, Default)]
pub struct Keyring {
    prompter: Option<Arc<dyn PassphrasePrompt>>,
    state: Arc<KeyringState>,
}

#[derive(Default)]
struct KeyringState {
    /// Held while somebody is asked: one question at a time, and whoever else needs the key waits for the answer.
    keys: tokio::sync::Mutex<HashMap<PathBuf, Result<Arc<PrivateKey>, UnlockError>>>,
    unlocked: AtomicU64,
    asking: Mutex<Duration>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keyring").finish_non_exhaustive()
    }
}

impl Keyring {
    /// The same keys, with somebody to ask for others.
    #[must_use]
    pub fn with_prompt(&self, prompter: Arc<dyn PassphrasePrompt>) -> Self {
        Self { prompter: Some(prompter), state: Arc::clone(&self.state) }
    }

    /// How many keys have been unlocked.
    pub(super) fn unlocked(&self) -> u64 {
        self.state.unlocked.load(Ordering::Relaxed)
    }

    /// For how long people have been asked. It is theirs, and no waiting for a box.
    pub fn time_asking(&self) -> Duration {
        *self.state.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key in a file that has a passphrase.
    pub(super) async fn unlock(&self, file: &Path) -> Result<Arc<PrivateKey>, UnlockError> {
        let mut keys = self.state.keys.lock().await;
        if let Some(known) = keys.get(file) {
            return known.clone();
        }
        let Some(prompter) = &self.prompter else { return Err(UnlockError::NoPrompt) };
        let outcome = self.ask(prompter.as_ref(), file).await;
        if outcome.is_ok() {
            self.state.unlocked.fetch_add(1, Ordering::Relaxed);
        }
        if outcome != Err(UnlockError::NoPrompt) {
            keys.insert(file.to_owned(), outcome.clone());
        }
        outcome
    }

    async fn ask(
        &self,
        prompter: &dyn PassphrasePrompt,
        file: &Path,
    ) -> Result<Arc<PrivateKey>, UnlockError> {
        let name = sanitize(file.display().to_string(), 200);
        for attempt in 0..ATTEMPTS {
            let prompt = match attempt {
                0 => format!("Enter passphrase for key '{name}': "),
                _ => format!("Bad passphrase, try again for key '{name}': "),
            };
            let began = Instant::now();
            let answer = prompter.ask(prompt).await;
            *self.state.asking.lock().unwrap_or_else(PoisonError::into_inner) += began.elapsed();
            let passphrase = match answer {
                PassphraseAnswer::Given(passphrase) if passphrase.is_empty() => {
                    return Err(UnlockError::NoPassphrase);
                }
                PassphraseAnswer::Given(passphrase) => passphrase,
                PassphraseAnswer::Declined => return Err(UnlockError::NoPassphrase),
                PassphraseAnswer::NoPrompt => return Err(UnlockError::NoPrompt),
                PassphraseAnswer::Failed(reason) => return Err(UnlockError::Unusable(reason)),
            };
            let file = file.to_owned();
            // Slow on purpose: that is what protects the key.
            let opening = tokio::task::spawn_blocking(move || identity::open(&file, &passphrase));
            match opening.await {
                Ok(Opened::Key(key)) => return Ok(Arc::new(*key)),
                Ok(Opened::WrongPassphrase) => {}
                Ok(Opened::Unusable(reason)) => return Err(UnlockError::Unusable(reason)),
                Err(_) => return Err(UnlockError::Unusable("it can't be decrypted".to_owned())),
            }
        }
        Err(UnlockError::WrongPassphrase)
    }
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
