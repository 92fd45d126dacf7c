//! Who is let in.

use std::fs;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hfdown::link::{Echo, KeyFailure, Keyring, LinkError, LinkSettings, UnlockError, UserAnswer, UserPrompt};
use hfdown_tests::ssh_host::{HostOptions, Keys, SshHost, SshServerKind};
use russh::keys::{Algorithm, EcdsaCurve};

use super::echo::{error, go, talk};

/// Answers in this order, and counts the questions. What else happens while the user is asked is a parameter.
pub(super) struct PassphraseScript {
    answers: Mutex<Vec<&'static str>>,
    asked: AtomicUsize,
    meanwhile: Box<dyn Fn() + Send + Sync>,
}

impl PassphraseScript {
    pub(super) fn of(answers: &[&'static str]) -> Arc<Self> {
        Self::while_this_happens(answers, || {})
    }

    fn while_this_happens(
        answers: &[&'static str],
        meanwhile: impl Fn() + Send + Sync + 'static,
    ) -> Arc<Self> {
        let answers = Mutex::new(answers.iter().rev().copied().collect());
        Arc::new(Self { answers, asked: AtomicUsize::new(0), meanwhile: Box::new(meanwhile) })
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl UserPrompt for PassphraseScript {
    fn ask(&self, _: String, _: Echo) -> Pin<Box<dyn Future<Output = UserAnswer> + Send + '_>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        (self.meanwhile)();
        let answer = self.answers.lock().unwrap().pop();
        Box::pin(async move {
            answer.map_or(UserAnswer::Declined, |answer| UserAnswer::Given(answer.to_owned().into()))
        })
    }
}

fn asking(host: &SshHost, script: &Arc<PassphraseScript>) -> LinkSettings {
    LinkSettings { keyring: Keyring::default().with_prompt(script.clone()), ..host.settings() }
}

async fn asks_for_the_passphrase_of_a_key_that_the_server_takes(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    host.client_keys().lock("a secret");
    let script = PassphraseScript::of(&["wrong", "a secret"]);
    let settings = asking(&host, &script);
    for _ in ["first", "again"] {
        talk(&mut go(&host.command(), &settings).await.unwrap()).await;
        assert_eq!(script.asked(), 2, "once per run");
    }
    for (answers, why) in [
        (&["no"; 3][..], UnlockError::WrongPassphrase),
        (&[""], UnlockError::NoPassphrase),
        (&[], UnlockError::NoPassphrase),
    ] {
        let failed = error(go(&host.command(), &asking(&host, &PassphraseScript::of(answers))).await);
        let LinkError::Auth { tried, .. } = failed else { panic!("{failed:?}") };
        assert_eq!(tried[0].result, KeyFailure::Locked(why));
    }
    // Who must not be asked is not.
    let script = PassphraseScript::of(&["a secret"]);
    let batch = format!("{} -o BatchMode=yes", host.command());
    let failed = error(go(&batch, &asking(&host, &script)).await);
    let LinkError::Auth { tried, .. } = failed else { panic!("{failed:?}") };
    assert_eq!((&tried[0].result, script.asked()), (&KeyFailure::Locked(UnlockError::NoPrompt), 0));
}

async fn does_not_ask_about_a_key_that_the_server_does_not_take(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let other = Keys::generate(host.near(), "other", Algorithm::Ed25519);
    other.lock("a secret");
    let script = PassphraseScript::of(&["a secret"]);
    let command = format!("{} -i ~/other", host.command_without_key());
    let failed = error(go(&command, &asking(&host, &script)).await);
    let LinkError::Auth { tried, .. } = failed else { panic!("{failed:?}") };
    assert_eq!((&tried[0].result, script.asked()), (&KeyFailure::Rejected, 0));
    // It does not stand in the way of one that is taken.
    talk(&mut go(&format!("{} -i ~/other", host.command()), &asking(&host, &script)).await.unwrap()).await;
    assert_eq!(script.asked(), 0);
}

async fn asks_before_a_key_whose_public_half_is_not_known(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let keys = Keys::generate(host.near(), "old", Algorithm::Rsa { hash: None });
    host.authorize(&keys);
    let mut convert = Command::new("ssh-keygen");
    convert.args(["-q", "-p", "-m", "PEM", "-P", "", "-N", "a secret", "-f"]).arg(&keys.private);
    assert!(convert.stdout(Stdio::null()).status().unwrap().success());
    fs::remove_file(keys.private.with_extension("pub")).unwrap();
    let command = format!("{} -i ~/old", host.command_without_key());
    let failed = error(go(&command, &host.settings()).await);
    let LinkError::Auth { tried, .. } = failed else { panic!("{failed:?}") };
    assert_eq!(tried[0].result, KeyFailure::NotOffered(UnlockError::NoPrompt));
    let script = PassphraseScript::of(&["a secret"]);
    talk(&mut go(&command, &asking(&host, &script)).await.unwrap()).await;
    assert_eq!(script.asked(), 1);
}

async fn a_server_that_hangs_up_while_the_user_is_asked_is_gone_to_again(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    host.client_keys().lock("a secret");
    let host = Arc::new(host);
    let slow = {
        let host = Arc::downgrade(&host);
        PassphraseScript::while_this_happens(&["a secret"], move || {
            host.upgrade().unwrap().kill_connections();
        })
    };
    talk(&mut go(&host.command(), &asking(&host, &slow)).await.unwrap()).await;
    assert_eq!(slow.asked(), 1);
}

async fn logs_in_with_rsa_and_ecdsa_keys(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let rsa = Algorithm::Rsa { hash: None };
    let ecdsa = Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 };
    for (name, algorithm) in [("id_rsa", rsa), ("id_ecdsa", ecdsa)] {
        let keys = Keys::generate(host.near(), name, algorithm);
        host.authorize(&keys);
        let settings = LinkSettings { default_keys: vec![keys.private], ..host.settings() };
        talk(&mut go(&host.command_without_key(), &settings).await.unwrap()).await;
    }
}

async fn says_which_keys_were_tried(kind: SshServerKind) {
    let options =
        HostOptions { banner: Some("double check your \u{1b}[1mssh key\n".into()), ..HostOptions::default() };
    let Some(host) = SshHost::start(kind, options).await else { return };
    let other = Keys::generate(host.near(), "other", Algorithm::Ed25519);
    let settings = LinkSettings { default_keys: vec![host.client_keys().private.clone()], ..host.settings() };
    let command = format!("{} -i ~/other -i ~/none", host.command_without_key());
    let failed = error(go(&command, &settings).await);
    let LinkError::Auth { tried, user, banner, .. } = &failed else { panic!("{failed:?}") };
    let results: Vec<_> = tried.iter().map(|tried| tried.result.clone()).collect();
    assert_eq!(results, [KeyFailure::Rejected, KeyFailure::Missing]);
    assert_eq!(tried[0].key, other.private.display().to_string());
    assert!(host.command().contains(&format!(" {user}@")));
    assert_eq!(banner, "double check your [1mssh key");
    assert!(failed.to_string().contains("other (rejected)"), "{failed}");
}

async fn says_that_the_server_had_enough_of_keys(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let wrong =
        (0..8).map(|number| Keys::generate(host.near(), &format!("key{number}"), Algorithm::Ed25519).private);
    let settings = LinkSettings { default_keys: wrong.collect(), ..host.settings() };
    let failed = error(go(&host.command_without_key(), &settings).await);
    let LinkError::Auth { tried, .. } = failed else { panic!("{failed:?}") };
    let (last, before) = tried.split_last().unwrap();
    assert!((4..8).contains(&before.len()), "{tried:?}");
    assert!(before.iter().all(|tried| tried.result == KeyFailure::Rejected), "{tried:?}");
    assert_eq!(last.result, KeyFailure::HungUp);
}

on_boxes! {
    asks_for_the_passphrase_of_a_key_that_the_server_takes,
    does_not_ask_about_a_key_that_the_server_does_not_take,
    asks_before_a_key_whose_public_half_is_not_known,
    a_server_that_hangs_up_while_the_user_is_asked_is_gone_to_again,
    logs_in_with_rsa_and_ecdsa_keys,
    says_which_keys_were_tried,
    says_that_the_server_had_enough_of_keys,
}
