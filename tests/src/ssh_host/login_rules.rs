//! How a host lets users in: with a key, with a password, with answers to questions, or with one after the other.

use std::collections::HashSet;

use russh::keys::PublicKey;
use russh::server::{Auth, Response};
use russh::{MethodKind, MethodSet};

/// One thing that a host wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginStep {
    /// A key that it knows. One key is good for one step.
    Key,
    /// This password.
    Password(&'static str),
    /// Answers (keyboard-interactive). For the server in this process: the real one would take them from PAM, whose
    /// configuration is the machine's.
    Questions(&'static [LoginQuestion]),
}

/// What a host asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginQuestion {
    /// The words.
    pub prompt: &'static str,
    /// Whether the answer may be seen.
    pub shown: bool,
    /// The right answer.
    pub answer: &'static str,
}

impl LoginStep {
    /// The method's name in SSH.
    pub(super) fn method(self) -> &'static str {
        (&self.kind()).into()
    }

    fn kind(self) -> MethodKind {
        match self {
            Self::Key => MethodKind::PublicKey,
            Self::Password(_) => MethodKind::Password,
            Self::Questions(_) => MethodKind::KeyboardInteractive,
        }
    }
}

/// The methods that a server begins with.
pub(super) fn methods(steps: &[LoginStep]) -> MethodSet {
    MethodSet::from(&[steps[0].kind()][..])
}

/// A login at the server in this process.
pub(super) struct LoginProgress {
    steps: &'static [LoginStep],
    passed: usize,
    used: HashSet<String>,
}

impl LoginProgress {
    pub(super) fn new(steps: &'static [LoginStep]) -> Self {
        Self { steps, passed: 0, used: HashSet::new() }
    }

    fn step(&self) -> Option<LoginStep> {
        self.steps.get(self.passed).copied()
    }

    fn refused(&self) -> Auth {
        let proceed_with_methods = self.step().map(|step| MethodSet::from(&[step.kind()][..]));
        Auth::Reject { proceed_with_methods, partial_success: false }
    }

    fn passed(&mut self) -> Auth {
        self.passed += 1;
        match self.refused() {
            Auth::Reject { proceed_with_methods: Some(methods), .. } => {
                Auth::Reject { proceed_with_methods: Some(methods), partial_success: true }
            }
            _ => Auth::Accept,
        }
    }

    /// A key that is known, without its signature.
    pub(super) fn offered(&self, key: &PublicKey) -> Auth {
        let is_new = !self.used.contains(&key.to_openssh().unwrap_or_default());
        if self.step() == Some(LoginStep::Key) && is_new { Auth::Accept } else { self.refused() }
    }

    /// The same with its signature.
    pub(super) fn proved(&mut self, key: &PublicKey) -> Auth {
        match self.offered(key) {
            Auth::Accept => {
                self.used.insert(key.to_openssh().unwrap_or_default());
                self.passed()
            }
            refused => refused,
        }
    }

    /// A key that is not known.
    pub(super) fn unknown(&self) -> Auth {
        self.refused()
    }

    pub(super) fn password(&mut self, password: &str) -> Auth {
        match self.step() {
            Some(LoginStep::Password(right)) if right == password => self.passed(),
            _ => self.refused(),
        }
    }

    pub(super) fn answers(&mut self, answers: Option<Response<'_>>) -> Auth {
        let Some(LoginStep::Questions(questions)) = self.step() else { return self.refused() };
        let Some(answers) = answers else {
            let prompts: Vec<_> =
                questions.iter().map(|question| (question.prompt.into(), question.shown)).collect();
            let instructions = "Have your \u{1b}[31mphone at hand".into();
            return Auth::Partial { name: "".into(), instructions, prompts: prompts.into() };
        };
        let right = questions.iter().map(|question| question.answer.as_bytes().to_vec());
        if answers.map(|answer| answer.to_vec()).eq(right) { self.passed() } else { self.refused() }
    }
}
