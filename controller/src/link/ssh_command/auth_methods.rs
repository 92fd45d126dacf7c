//! Which ways to log in are tried, and in which order: `PreferredAuthentications`, `PasswordAuthentication` and their
//! kin.

use std::fmt;

use super::ssh_target::BatchMode;

/// How often OpenSSH asks for a password.
const PROMPTS: u32 = 3;

/// A way to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// With keys.
    PublicKey,
    /// With answers to the server's questions: a password, a second factor.
    KeyboardInteractive,
    /// With a password.
    Password,
}

/// Its name in SSH.
impl fmt::Display for AuthMethod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::PublicKey => "publickey",
            Self::KeyboardInteractive => "keyboard-interactive",
            Self::Password => "password",
        })
    }
}

/// Which ways to log in are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthMethods {
    /// In this order.
    pub preferred: Vec<AuthMethod>,
    /// How often the user is asked for a password (`NumberOfPasswordPrompts`).
    pub prompts: u32,
}

/// What was asked for. The first value of each wins.
#[derive(Debug, Default)]
pub(in crate::link) struct AuthSettings {
    preferred: Option<Vec<AuthMethod>>,
    switched: Vec<(AuthMethod, Switch)>,
    prompts: Option<u32>,
}

/// Whether a way to log in may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    On,
    Off,
}

impl AuthSettings {
    /// `PreferredAuthentications`. What hfdown does not have is passed over.
    pub(super) fn prefer(&mut self, names: &str) {
        let known = [AuthMethod::PublicKey, AuthMethod::KeyboardInteractive, AuthMethod::Password];
        let method = |name: &str| known.into_iter().find(|method| method.to_string() == name.trim());
        self.preferred.get_or_insert_with(|| names.split(',').filter_map(method).collect());
    }

    pub(super) fn switch(&mut self, method: AuthMethod, switch: Switch) {
        if !self.switched.iter().any(|(switched, _)| *switched == method) {
            self.switched.push((method, switch));
        }
    }

    /// `NumberOfPasswordPrompts`.
    pub(super) fn prompt(&mut self, times: u32) {
        self.prompts.get_or_insert(times);
    }

    /// What follows. In batch mode the user is asked nothing.
    pub(in crate::link) fn methods(self, batch_mode: BatchMode) -> AuthMethods {
        let Self { preferred, switched, prompts } = self;
        let mut preferred = preferred.unwrap_or_else(|| {
            vec![AuthMethod::PublicKey, AuthMethod::KeyboardInteractive, AuthMethod::Password]
        });
        preferred.retain(|method| {
            !switched.contains(&(*method, Switch::Off))
                && (batch_mode == BatchMode::No || *method == AuthMethod::PublicKey)
        });
        AuthMethods { preferred, prompts: prompts.unwrap_or(PROMPTS) }
    }
}
