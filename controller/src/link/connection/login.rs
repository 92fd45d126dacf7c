//! Logging in, by what the server takes: keys first, then what the user is asked for. OpenSSH's order, and its number
//! of tries.
//!
//! The server is first asked what it takes (`none`), as OpenSSH does: no key is shown, and the user is not asked for a
//! passphrase, where keys are of no use.

use russh::client::{AuthResult, Handle};
use russh::{MethodKind, MethodSet};

use super::handshake::SshHandler;
use super::public_key::LoginKeys;
use super::questions::Questions;
use crate::link::keys::{AnswerFailure, KeyFailure, Keyring, TriedKey};
use crate::link::settings::LinkSettings;
use crate::link::ssh_command::{AuthMethod, BatchMode, SshTarget};

/// What a login has come to that failed.
#[derive(Default)]
pub(super) struct FailedLogin {
    /// Every key and every question, and why it did not log in.
    pub(super) tried: Vec<TriedKey>,
    /// Whether the server takes keys.
    pub(super) takes_keys: bool,
    /// The methods by which the server would go on, by their names in SSH.
    pub(super) methods: Vec<&'static str>,
    /// What the server has accepted: it wants something else as well.
    pub(super) accepted: Option<String>,
    /// The last thing that it asked the user, sanitised.
    pub(super) question: String,
    /// What else it had to say to the user, sanitised.
    pub(super) said: Vec<String>,
}

/// Tries one method after the other.
pub(super) async fn log_in(
    handle: &mut Handle<SshHandler>,
    user: &str,
    target: &SshTarget,
    settings: &LinkSettings,
) -> Result<(), FailedLogin> {
    // A connection in batch mode asks for no passphrase.
    let silent = Keyring::default();
    let keyring = if target.batch_mode == BatchMode::Yes { &silent } else { &settings.keyring };
    let questions = Questions::new(format!("{user}@{target}"), target.auth_methods.prompts, keyring);
    let login = LoginSequence {
        left: target.auth_methods.preferred.clone(),
        methods: MethodSet::empty(),
        keys: None,
        questions,
        failed: FailedLogin::default(),
    };
    login.run(handle, user, target, settings, keyring).await
}

struct LoginSequence<'a> {
    /// What has not been tried, or not to its end.
    left: Vec<AuthMethod>,
    /// What the server takes.
    methods: MethodSet,
    keys: Option<LoginKeys>,
    questions: Questions<'a>,
    failed: FailedLogin,
}

impl LoginSequence<'_> {
    async fn run(
        mut self,
        handle: &mut Handle<SshHandler>,
        user: &str,
        target: &SshTarget,
        settings: &LinkSettings,
        keyring: &Keyring,
    ) -> Result<(), FailedLogin> {
        match handle.authenticate_none(user).await {
            Ok(AuthResult::Success) => return Ok(()),
            Ok(AuthResult::Failure { remaining_methods, .. }) => self.methods = remaining_methods,
            Err(_) => {}
        }
        self.failed.takes_keys = self.methods.contains(&MethodKind::PublicKey);
        if handle.is_closed() {
            self.note("the login".to_owned(), KeyFailure::HungUp);
        }
        while let Some(method) = self.next_method().filter(|_| !handle.is_closed()) {
            let (name, answer) = match method {
                AuthMethod::PublicKey => {
                    let mut keys = match self.keys.take() {
                        Some(keys) => keys,
                        None => LoginKeys::find(target, settings, keyring).await,
                    };
                    let shown = match keys.next() {
                        Some(identity) => {
                            let name = identity.name.clone();
                            Some((name, keys.show(identity, handle, user).await))
                        }
                        None => None,
                    };
                    if keys.is_empty() {
                        self.exhausted(method);
                    }
                    self.keys = Some(keys);
                    let Some(shown) = shown else { continue };
                    shown
                }
                AuthMethod::KeyboardInteractive => {
                    self.exhausted(method);
                    // A question that stays open is in the way of other methods, and a wrong answer is a failed login.
                    let others = self.next_method();
                    (method.to_string(), self.questions.keyboard_interactive(handle, user, others).await)
                }
                AuthMethod::Password => {
                    self.exhausted(method);
                    ("the password".to_owned(), self.questions.password(handle, user).await)
                }
            };
            match answer {
                Ok(AuthResult::Success) => return Ok(()),
                Ok(AuthResult::Failure { remaining_methods, partial_success: true }) => {
                    self.methods = remaining_methods;
                    self.note(name.clone(), KeyFailure::PartialSuccess);
                    self.failed.accepted = Some(match method {
                        AuthMethod::PublicKey => format!("the key {name}"),
                        AuthMethod::KeyboardInteractive | AuthMethod::Password => name,
                    });
                }
                // russh reports a closed connection as a failure that leaves no methods.
                Ok(AuthResult::Failure { .. }) if handle.is_closed() => self.note(name, KeyFailure::HungUp),
                Ok(AuthResult::Failure { remaining_methods, .. }) => {
                    self.methods = remaining_methods;
                    self.note(name, KeyFailure::Rejected);
                }
                Err(failure) => self.note(name, failure),
            }
        }
        self.failed.tried.extend(self.keys.as_mut().map(LoginKeys::take_unusable).unwrap_or_default());
        Err(self.failed(target))
    }

    /// The best method of those that the server takes.
    fn next_method(&self) -> Option<AuthMethod> {
        self.left.iter().copied().find(|method| self.methods.contains(&kind(*method)))
    }

    fn exhausted(&mut self, method: AuthMethod) {
        self.left.retain(|left| *left != method);
    }

    fn note(&mut self, key: String, result: KeyFailure) {
        self.failed.tried.push(TriedKey { key, result });
    }

    fn failed(self, target: &SshTarget) -> FailedLogin {
        let Self { methods, questions, mut failed, .. } = self;
        let may = |method: AuthMethod| target.auth_methods.preferred.contains(&method);
        if failed.takes_keys && !may(AuthMethod::PublicKey) {
            let result = KeyFailure::Unusable("an option forbids to use them".to_owned());
            failed.tried.insert(0, TriedKey { key: "keys".to_owned(), result });
        }
        for method in [AuthMethod::KeyboardInteractive, AuthMethod::Password] {
            // Where keys were to be enough, nothing else would have been asked.
            let is_wanted = failed.accepted.is_some() || !failed.takes_keys;
            if is_wanted && methods.contains(&kind(method)) && !may(method) {
                let result = KeyFailure::Answer(AnswerFailure::NotAsked);
                failed.tried.push(TriedKey { key: method.to_string(), result });
            }
        }
        failed.methods = methods.iter().map(Into::into).collect();
        failed.question = questions.question;
        failed.said = questions.said;
        failed
    }
}

fn kind(method: AuthMethod) -> MethodKind {
    match method {
        AuthMethod::PublicKey => MethodKind::PublicKey,
        AuthMethod::KeyboardInteractive => MethodKind::KeyboardInteractive,
        AuthMethod::Password => MethodKind::Password,
    }
}
