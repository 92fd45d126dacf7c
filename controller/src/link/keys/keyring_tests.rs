//! Prompts and answers, on keys as OpenSSH writes them.

use std::pin::Pin;
use std::process::Stdio;

use zeroize::Zeroizing;

use super::*;
use crate::link::openssh;

/// Answers in this order, then declines; counts the prompts.
#[derive(Default)]
struct ScriptedPassphrases {
    answers: Mutex<Vec<UserAnswer>>,
    asked: Mutex<Vec<String>>,
}

impl ScriptedPassphrases {
    fn of(answers: impl IntoIterator<Item = UserAnswer>) -> Arc<Self> {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Arc::new(Self { answers: Mutex::new(answers), asked: Mutex::default() })
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl UserPrompt for ScriptedPassphrases {
    fn ask(&self, prompt: String, echo: Echo) -> Pin<Box<dyn Future<Output = UserAnswer> + Send + '_>> {
        assert_eq!(echo, Echo::Hidden);
        self.asked.lock().unwrap().push(prompt);
        let answer = self.answers.lock().unwrap().pop();
        Box::pin(async move { answer.unwrap_or(UserAnswer::Declined) })
    }
}

fn said(answer: &str) -> UserAnswer {
    UserAnswer::Given(Zeroizing::new(answer.to_owned()))
}

/// A key whose passphrase is `right`. `None` where there is no `ssh-keygen` to make it.
fn key(folder: &Path, more: &[&str]) -> Option<PathBuf> {
    let file = folder.join("key");
    let mut keygen = openssh::program("ssh-keygen")?;
    keygen.args(["-q", "-N", "right", "-C", "test", "-f"]).arg(&file).args(more);
    let status = keygen.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "ssh-keygen {more:?}");
    Some(file)
}

#[tokio::test]
async fn asks_once_for_a_key_and_remembers_it() {
    let folder = tempfile::tempdir().unwrap();
    let Some(file) = key(folder.path(), &["-t", "ed25519"]) else { return };
    let script = ScriptedPassphrases::of([said("wrong"), said("right")]);
    let keyring = Keyring::default();
    assert_eq!(keyring.unlock(&file).await.unwrap_err(), UnlockError::NoPrompt);
    let asking = keyring.with_prompt(script.clone());
    let opened = asking.unlock(&file).await.unwrap();
    assert_eq!(
        script.asked.lock().unwrap().as_slice(),
        [
            format!("Enter passphrase for key '{}': ", file.display()),
            format!("Bad passphrase, try again for key '{}': ", file.display()),
        ]
    );
    // Its clones have the key, also those without a prompt.
    assert_eq!(keyring.unlock(&file).await.unwrap().public_key(), opened.public_key());
    assert_eq!((script.asked(), keyring.answers()), (2, 1));
}

#[tokio::test]
async fn gives_up_after_three_answers_or_none_and_does_not_ask_again() {
    let folder = tempfile::tempdir().unwrap();
    let Some(file) = key(folder.path(), &["-t", "ed25519"]) else { return };
    let wrong = || [said("a"), said("Right"), said("right "), said("right")];
    for (script, why, asked) in [
        (ScriptedPassphrases::of(wrong()), UnlockError::WrongPassphrase, 3),
        (ScriptedPassphrases::of([said("")]), UnlockError::NoPassphrase, 1),
        (ScriptedPassphrases::of([UserAnswer::Declined]), UnlockError::NoPassphrase, 1),
        (
            ScriptedPassphrases::of([UserAnswer::Failed("no".to_owned())]),
            UnlockError::Unusable("no".to_owned()),
            1,
        ),
    ] {
        let keyring = Keyring::default().with_prompt(script.clone());
        for _ in 0..2 {
            assert_eq!(keyring.unlock(&file).await.unwrap_err(), why);
        }
        assert_eq!((script.asked(), keyring.answers()), (asked, 0));
    }
}

#[tokio::test]
async fn opens_keys_of_every_format_that_openssh_writes() {
    let formats: &[&[&str]] = &[
        &["-t", "ed25519"],
        &["-t", "ed25519", "-Z", "aes256-cbc"],
        &["-t", "ed25519", "-Z", "aes256-gcm@openssh.com"],
        &["-t", "ed25519", "-Z", "chacha20-poly1305@openssh.com"],
        &["-t", "ecdsa", "-b", "521"],
        &["-t", "rsa", "-b", "2048"],
        &["-t", "rsa", "-b", "2048", "-m", "PEM"],
        &["-t", "rsa", "-b", "2048", "-m", "PKCS8"],
        &["-t", "ecdsa", "-m", "PKCS8"],
    ];
    for format in formats {
        let folder = tempfile::tempdir().unwrap();
        let Some(file) = key(folder.path(), format) else { return };
        let script = ScriptedPassphrases::of([said("wrong"), said("right")]);
        let opened = Keyring::default().with_prompt(script.clone()).unlock(&file).await;
        let opened = opened.unwrap_or_else(|why| panic!("{format:?}: {why}"));
        let public = std::fs::read_to_string(folder.path().join("key.pub")).unwrap();
        let shown = opened.public_key().to_openssh().unwrap();
        assert_eq!(shown.split(' ').nth(1), public.split(' ').nth(1), "{format:?}");
        assert_eq!(script.asked(), 2, "{format:?}");
    }
}
