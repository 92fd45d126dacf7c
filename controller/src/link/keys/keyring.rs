//! Keys that have a passphrase, and those of them that were unlocked; and the passwords that a run has been given.
//!
//! A passphrase is asked for once in a run, however many links it makes: the unlocked key is kept in memory until the run
//! is over, and so is the failure to unlock one. Passphrases themselves are wiped once they were tried.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use russh::keys::PrivateKey;

use super::answers::Passwords;
use super::failure::UnlockError;
use super::key_file::{self, DecryptError};
use super::user_prompt::{Echo, UserAnswer, UserPrompt};
use crate::text::sanitize;

/// How often a passphrase is asked for: as often as OpenSSH does.
const ATTEMPTS: usize = 3;

/// The keys that a run has unlocked, and its passwords. Clones share them; without a [`UserPrompt`] nothing is asked for.
#[derive(Clone, Default)]
pub struct Keyring {
    prompter: Option<Arc<dyn UserPrompt>>,
    state: Arc<KeyringState>,
}

#[derive(Default)]
struct KeyringState {
    /// Held while a passphrase is asked for: one prompt at a time, and another connection that needs the key waits for
    /// the answer.
    keys: tokio::sync::Mutex<HashMap<PathBuf, Result<Arc<PrivateKey>, UnlockError>>>,
    /// Held while a login asks for passwords: another one by the same host waits for the answer.
    passwords: tokio::sync::Mutex<Passwords>,
    /// Held by the prompt that is on the screen.
    screen: tokio::sync::Mutex<()>,
    answers: AtomicU64,
    prompting: Mutex<Duration>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keyring").finish_non_exhaustive()
    }
}

impl Keyring {
    /// The same keys, with a prompt for the passphrases of others.
    #[must_use]
    pub fn with_prompt(&self, prompter: Arc<dyn UserPrompt>) -> Self {
        Self { prompter: Some(prompter), state: Arc::clone(&self.state) }
    }

    /// How many keys have been unlocked, and how many questions of servers have been answered.
    pub(in crate::link) fn answers(&self) -> u64 {
        self.state.answers.load(Ordering::Relaxed)
    }

    /// The passwords that were given, for one login at a time.
    pub(in crate::link) async fn passwords(&self) -> tokio::sync::MutexGuard<'_, Passwords> {
        self.state.passwords.lock().await
    }

    /// Asks the user what a server wants to know.
    pub(in crate::link) async fn answer(&self, question: String, echo: Echo) -> UserAnswer {
        let Some(prompter) = &self.prompter else { return UserAnswer::NoPrompt };
        let answer = self.prompt(prompter.as_ref(), question, echo).await;
        if matches!(answer, UserAnswer::Given(_)) {
            self.state.answers.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    async fn prompt(&self, prompter: &dyn UserPrompt, question: String, echo: Echo) -> UserAnswer {
        let _screen = self.state.screen.lock().await;
        let began = Instant::now();
        let answer = prompter.ask(question, echo).await;
        *self.state.prompting.lock().unwrap_or_else(PoisonError::into_inner) += began.elapsed();
        answer
    }

    /// How long prompts have waited for the user. It does not count as waiting for a box.
    pub fn time_asking(&self) -> Duration {
        *self.state.prompting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key in a file that has a passphrase.
    pub(in crate::link) async fn unlock(&self, file: &Path) -> Result<Arc<PrivateKey>, UnlockError> {
        let mut keys = self.state.keys.lock().await;
        if let Some(known) = keys.get(file) {
            return known.clone();
        }
        let Some(prompter) = &self.prompter else { return Err(UnlockError::NoPrompt) };
        let unlocked = self.ask(prompter.as_ref(), file).await;
        if unlocked.is_ok() {
            self.state.answers.fetch_add(1, Ordering::Relaxed);
        }
        if unlocked != Err(UnlockError::NoPrompt) {
            keys.insert(file.to_owned(), unlocked.clone());
        }
        unlocked
    }

    async fn ask(&self, prompter: &dyn UserPrompt, file: &Path) -> Result<Arc<PrivateKey>, UnlockError> {
        let name = sanitize(file.display().to_string(), 200);
        for attempt in 0..ATTEMPTS {
            let prompt = match attempt {
                0 => format!("Enter passphrase for key '{name}': "),
                _ => format!("Bad passphrase, try again for key '{name}': "),
            };
            let passphrase = match self.prompt(prompter, prompt, Echo::Hidden).await {
                UserAnswer::Given(passphrase) if passphrase.is_empty() => {
                    return Err(UnlockError::NoPassphrase);
                }
                UserAnswer::Given(passphrase) => passphrase,
                UserAnswer::Declined => return Err(UnlockError::NoPassphrase),
                UserAnswer::NoPrompt => return Err(UnlockError::NoPrompt),
                UserAnswer::Failed(reason) => return Err(UnlockError::Unusable(reason)),
            };
            let file = file.to_owned();
            // Slow on purpose: that is what protects the key.
            let opening = tokio::task::spawn_blocking(move || key_file::decrypt(&file, &passphrase));
            match opening.await {
                Ok(Ok(key)) => return Ok(Arc::new(key)),
                Ok(Err(DecryptError::WrongPassphrase)) => {}
                Ok(Err(DecryptError::Unusable(reason))) => return Err(UnlockError::Unusable(reason)),
                Err(_) => return Err(UnlockError::Unusable("it can't be decrypted".to_owned())),
            }
        }
        Err(UnlockError::WrongPassphrase)
    }
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
