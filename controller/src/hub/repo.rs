//! What a repository is called, and the parts that addresses are built from.

use std::fmt;
use std::str::FromStr;

use hfdown_protocol::RepositoryFolder;

/// The kinds of repositories the Hub keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RepoKind {
    /// Weights and what belongs to them.
    Model,
    /// Data.
    Dataset,
    /// An application.
    Space,
}

impl RepoKind {
    /// The plural that addresses and typed names use.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
            Self::Space => "spaces",
        }
    }

    /// What stands before the name in a page's or a file's address; models stand bare.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
            Self::Space => "spaces/",
        }
    }
}

impl fmt::Display for RepoKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
        })
    }
}

/// A repository's kind and name. Prints as it is typed: `gpt2`, `org/name`, `datasets/org/name`.
///
/// The printed form is also a relative folder that stays below where it is joined to, because no part of a name can be
/// `..` or begin with a dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepoId {
    kind: RepoKind,
    name: String,
}

/// Why a text does not name a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RepoIdError {
    /// Nothing was typed.
    #[error("the name is empty")]
    Empty,
    /// More than an organisation and a name.
    #[error("it has more parts than `organisation/name`")]
    Parts,
    /// A part is empty or longer than the Hub allows.
    #[error("each part of a name has 1 to {PART} characters")]
    Length,
    /// A character other than letters, digits, `-`, `_` and `.`, or one of these where the Hub allows none.
    #[error(
        "a name has letters, digits, `-`, `_` and `.`, neither `--` nor `..`, and no `-` or `.` at its ends"
    )]
    Character,
}

/// The longest part of a name, as `huggingface_hub`'s `validate_repo_id` has it.
const PART: usize = 96;

impl RepoId {
    /// What its folder in a hub cache is called.
    pub fn cache_folder(&self) -> RepositoryFolder {
        let folder = format!("{}--{}", self.kind.plural(), self.name.replace('/', "--"));
        RepositoryFolder::new(folder)
            .unwrap_or_else(|_| unreachable!("each part of a name is short and plain"))
    }

    /// Checks a name without a kind: `gpt2` or `org/name`.
    pub fn new(kind: RepoKind, name: &str) -> Result<Self, RepoIdError> {
        if name.is_empty() {
            return Err(RepoIdError::Empty);
        }
        if name.split('/').count() > 2 {
            return Err(RepoIdError::Parts);
        }
        name.split('/').try_for_each(check_part)?;
        Ok(Self { kind, name: name.to_owned() })
    }

    /// What kind of repository it is.
    pub fn kind(&self) -> RepoKind {
        self.kind
    }

    /// The name without the kind, as the API has it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn check_part(part: &str) -> Result<(), RepoIdError> {
    if part.is_empty() || part.len() > PART {
        return Err(RepoIdError::Length);
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let ends_badly = |part: &str| part.starts_with(['-', '.']) || part.ends_with(['-', '.']);
    if !part.bytes().all(is_allowed) || ends_badly(part) || part.contains("--") || part.contains("..") {
        return Err(RepoIdError::Character);
    }
    Ok(())
}

impl FromStr for RepoId {
    type Err = RepoIdError;

    /// Reads `gpt2`, `org/name`, and both behind `models/`, `datasets/` or `spaces/`.
    fn from_str(text: &str) -> Result<Self, RepoIdError> {
        for kind in [RepoKind::Model, RepoKind::Dataset, RepoKind::Space] {
            if let Some(name) = text.strip_prefix(kind.plural()).and_then(|rest| rest.strip_prefix('/')) {
                return Self::new(kind, name);
            }
        }
        Self::new(RepoKind::Model, text)
    }
}

impl fmt::Display for RepoId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.kind.prefix(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        for (text, printed) in [
            ("gpt2", "gpt2"),
            ("org/Name_1.5-b", "org/Name_1.5-b"),
            ("models/org/name", "org/name"),
            ("datasets/squad", "datasets/squad"),
            ("spaces/org/name", "spaces/org/name"),
        ] {
            assert_eq!(text.parse::<RepoId>().map(|id| id.to_string()).as_deref(), Ok(printed), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_name() {
        let long = "a".repeat(97);
        for (text, reason) in [
            ("", RepoIdError::Empty),
            ("a/b/c", RepoIdError::Parts),
            ("org//name", RepoIdError::Parts),
            ("/name", RepoIdError::Length),
            (&long, RepoIdError::Length),
            ("..", RepoIdError::Character),
            ("../etc", RepoIdError::Character),
            ("org/.hidden", RepoIdError::Character),
            ("org/na me", RepoIdError::Character),
            ("org/na%2fme", RepoIdError::Character),
            ("-x/name", RepoIdError::Character),
            ("org/a--b", RepoIdError::Character),
            ("org/ünïcode", RepoIdError::Character),
        ] {
            assert_eq!(text.parse::<RepoId>(), Err(reason), "{text}");
        }
    }
}
