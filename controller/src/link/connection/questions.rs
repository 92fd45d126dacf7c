//! What a server asks the user: a password, or whatever keyboard-interactive wants to know (RFC 4256).
//!
//! Questions name their host, as OpenSSH's do: with jump hosts there are several. A password is asked for once in a run.

use std::time::Duration;

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Response, Prompt};
use russh::{MethodKind, MethodSet};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::handshake::SshHandler;
use crate::link::keys::{
    AnswerFailure, Echo, KeyFailure, Keyring, Passwords, RememberedPassword, UserAnswer, is_password,
};
use crate::link::ssh_command::AuthMethod;
use crate::text::{sanitize, sanitize_lines};

/// How long a server may think about a password. A wrong one costs some seconds on purpose; a server that wants another
/// one instead says so in a message that russh does not hand on, and then waits for ever.
const VERDICT: Duration = Duration::from_secs(60);

/// How often a server may ask within one login, and how much at a time.
const MOST_ROUNDS: u32 = 20;
const MOST_PROMPTS: usize = 16;

/// How much of what it says is shown: lines, and characters.
const SHOWN: (usize, usize) = (8, 600);

/// What one server asks in one login.
pub(super) struct Questions<'a> {
    /// `user@host:port`.
    who: String,
    /// How often a password is asked for.
    tries: u32,
    keyring: &'a Keyring,
    /// The last question, sanitised.
    pub(super) question: String,
    /// What came with the questions, or instead of them, sanitised.
    pub(super) said: Vec<String>,
}

impl<'a> Questions<'a> {
    pub(super) fn new(who: String, tries: u32, keyring: &'a Keyring) -> Self {
        Self { who, tries, keyring, question: String::new(), said: Vec::new() }
    }

    /// Logs in with a password.
    pub(super) async fn password(
        &mut self,
        handle: &mut Handle<SshHandler>,
        user: &str,
    ) -> Result<AuthResult, KeyFailure> {
        let mut known = self.keyring.passwords().await;
        let mut asked = 0;
        loop {
            let password = match known.get(&self.who) {
                Some(RememberedPassword::Given(password)) => password.clone(),
                Some(RememberedPassword::Declined) => return Err(declined()),
                None if asked == self.tries => return Err(KeyFailure::Answer(AnswerFailure::Wrong)),
                None => {
                    asked += 1;
                    let again = if asked > 1 { "Permission denied, please try again.\n" } else { "" };
                    let prompt = format!("{again}{}'s password: ", self.who);
                    let name = self.who.clone();
                    self.ask(&mut known, &name, prompt, Echo::Hidden).await?
                }
            };
            // Also where the server has had no patience: the next connection has it at hand.
            known.insert(self.who.clone(), RememberedPassword::Given(password.clone()));
            let verdict = timeout(VERDICT, handle.authenticate_password(user, password.as_str())).await;
            match verdict {
                Ok(Ok(AuthResult::Failure { remaining_methods, partial_success: false }))
                    if !handle.is_closed() =>
                {
                    known.remove(&self.who);
                    if !remaining_methods.contains(&MethodKind::Password) {
                        return Err(KeyFailure::Answer(AnswerFailure::Wrong));
                    }
                }
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(_)) => return Err(KeyFailure::HungUp),
                Err(_) => return Err(KeyFailure::Answer(AnswerFailure::Unheard)),
            }
        }
    }

    /// Logs in with answers to questions. Where the user has none, and there are `others` to try, the server is told.
    pub(super) async fn keyboard_interactive(
        &mut self,
        handle: &mut Handle<SshHandler>,
        user: &str,
        others: Option<AuthMethod>,
    ) -> Result<AuthResult, KeyFailure> {
        let mut known = self.keyring.passwords().await;
        for _ in 0..self.tries {
            let mut kept = Vec::new();
            let mut rounds = 0;
            let mut has_asked = false;
            let mut reply = handle.authenticate_keyboard_interactive_start(user, None).await;
            let methods = loop {
                match reply {
                    Ok(Response::Success) => return Ok(AuthResult::Success),
                    Ok(Response::Failure { remaining_methods, partial_success: true }) => {
                        return Ok(AuthResult::Failure { remaining_methods, partial_success: true });
                    }
                    Ok(Response::Failure { remaining_methods, .. }) => break remaining_methods,
                    Ok(Response::InfoRequest { name, instructions, prompts }) => {
                        rounds += 1;
                        if rounds > MOST_ROUNDS || prompts.len() > MOST_PROMPTS {
                            return Err(unusable("the server asks too much"));
                        }
                        let count = prompts.len();
                        has_asked |= count > 0;
                        match self.answers(&mut known, &mut kept, &[name, instructions], prompts).await {
                            Ok(answers) => {
                                reply = handle.authenticate_keyboard_interactive_respond(answers).await;
                            }
                            Err(failure) => {
                                // Where it could only be asked for elsewhere, nothing else will be sent.
                                let is_in_the_way = match others {
                                    Some(AuthMethod::PublicKey) => true,
                                    Some(_) => failure != KeyFailure::Answer(AnswerFailure::NoPrompt),
                                    None => false,
                                };
                                if is_in_the_way {
                                    let none = vec![String::new(); count];
                                    // What becomes of no answer is clear.
                                    _ = handle.authenticate_keyboard_interactive_respond(none).await;
                                }
                                return Err(failure);
                            }
                        }
                    }
                    Err(_) => return Err(KeyFailure::HungUp),
                }
            };
            if handle.is_closed() {
                return Ok(AuthResult::Failure {
                    remaining_methods: MethodSet::empty(),
                    partial_success: false,
                });
            }
            if !has_asked {
                return Err(KeyFailure::Answer(AnswerFailure::Unasked));
            }
            for question in kept {
                known.remove(&question);
            }
            if !methods.contains(&MethodKind::KeyboardInteractive) {
                break;
            }
        }
        Err(KeyFailure::Answer(AnswerFailure::Wrong))
    }

    /// The answers to one request; `kept` are those questions whose answers are remembered.
    async fn answers(
        &mut self,
        known: &mut Passwords,
        kept: &mut Vec<String>,
        texts: &[String],
        prompts: Vec<Prompt>,
    ) -> Result<Vec<String>, KeyFailure> {
        let (lines, longest) = SHOWN;
        let texts: Vec<_> =
            texts.iter().flat_map(|text| text.lines()).map(|line| sanitize(line, 200)).collect();
        let mut heading = String::new();
        for text in texts.iter().filter(|text| !text.is_empty()).take(lines) {
            heading.push_str(text);
            heading.push('\n');
            if !self.said.contains(text) && self.said.len() < lines {
                self.said.push(text.clone());
            }
        }
        let mut answers = Vec::new();
        for Prompt { prompt, echo } in prompts {
            let question = sanitize_lines(&prompt, lines, longest);
            self.question.clone_from(&question);
            let name = format!("{} {question}", self.who);
            let keeps = !echo && is_password(&question);
            let answer = match known.get(&name) {
                Some(RememberedPassword::Given(password)) if keeps => password.clone(),
                Some(RememberedPassword::Declined) => return Err(declined()),
                _ => {
                    let prompt = format!("{}({}) {question} ", std::mem::take(&mut heading), self.who);
                    let echo = if echo { Echo::Shown } else { Echo::Hidden };
                    self.ask(known, &name, prompt, echo).await?
                }
            };
            if keeps {
                known.insert(name.clone(), RememberedPassword::Given(answer.clone()));
                kept.push(name);
            }
            answers.push(answer.as_str().to_owned());
        }
        Ok(answers)
    }

    /// Asks the user. Who has no answer is not asked again in this run.
    async fn ask(
        &self,
        known: &mut Passwords,
        name: &str,
        prompt: String,
        echo: Echo,
    ) -> Result<Zeroizing<String>, KeyFailure> {
        match self.keyring.answer(prompt, echo).await {
            UserAnswer::Given(answer) if !answer.is_empty() => Ok(answer),
            UserAnswer::Given(_) | UserAnswer::Declined => {
                known.insert(name.to_owned(), RememberedPassword::Declined);
                Err(declined())
            }
            UserAnswer::NoPrompt => Err(KeyFailure::Answer(AnswerFailure::NoPrompt)),
            UserAnswer::Failed(reason) => Err(unusable(&reason)),
        }
    }
}

fn declined() -> KeyFailure {
    KeyFailure::Answer(AnswerFailure::Declined)
}

fn unusable(reason: &str) -> KeyFailure {
    KeyFailure::Answer(AnswerFailure::Unusable(reason.to_owned()))
}
