//! Who asks, and what a repository lets them see.

use std::collections::BTreeSet;

use super::refusal::HubRefusal;

/// How access to a gated repository is granted on the real Hub. Here it makes a word in the listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// At once, to a user who accepts the terms.
    Auto,
    /// By the authors.
    Manual,
}

impl Gate {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
        }
    }
}

/// A repository's rules.
#[derive(Debug, Default)]
pub(super) struct AccessRules {
    pub(super) private: bool,
    pub(super) gate: Option<Gate>,
    /// The tokens of those who were let in.
    pub(super) readers: BTreeSet<String>,
}

/// Who a request comes from.
#[derive(Clone, Debug)]
pub(super) enum Visitor {
    Anonymous,
    Known { token: String },
}

impl Visitor {
    /// What an `Authorization` header says. A token that no account was given is refused whatever it is used for.
    pub(super) fn of(header: Option<&str>, tokens: &BTreeSet<String>) -> Result<Self, HubRefusal> {
        let Some(header) = header else { return Ok(Self::Anonymous) };
        match header.strip_prefix("Bearer ") {
            Some(token) if tokens.contains(token) => Ok(Self::Known { token: token.to_owned() }),
            _ => Err(HubRefusal::InvalidCredentials),
        }
    }
}

impl AccessRules {
    /// Whether it may be read without a token, so that the Hub lets caches serve its files.
    pub(super) fn is_open(&self) -> bool {
        !self.private && self.gate.is_none()
    }

    /// Whether the visitor may know that the repository exists, and what is in it.
    pub(super) fn may_list(&self, visitor: &Visitor) -> Result<(), HubRefusal> {
        if self.private && !self.is_reader(visitor) {
            Err(HubRefusal::no_repository(visitor))
        } else {
            Ok(())
        }
    }

    /// Whether the visitor may have the files.
    pub(super) fn may_read(&self, visitor: &Visitor, id: &str) -> Result<(), HubRefusal> {
        self.may_list(visitor)?;
        match (self.gate, visitor) {
            (None, _) => Ok(()),
            (Some(_), _) if self.is_reader(visitor) => Ok(()),
            (Some(_), Visitor::Anonymous) => Err(HubRefusal::GateWithoutToken { id: id.to_owned() }),
            (Some(_), Visitor::Known { .. }) => Err(HubRefusal::Gate { id: id.to_owned() }),
        }
    }

    fn is_reader(&self, visitor: &Visitor) -> bool {
        matches!(visitor, Visitor::Known { token } if self.readers.contains(token))
    }
}
