//! What a repository's folder in the hub cache is called.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits;

/// The name of a repository's folder in the hub cache: `models--org--name`. One component of a path, and none that hides
/// or leads elsewhere.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryFolder(String);

/// A text that is no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a repository's folder in a hub cache")]
pub struct RepositoryFolderError;

/// What such names begin with.
const KINDS: [&str; 4] = ["models--", "datasets--", "spaces--", "kernels--"];

impl RepositoryFolder {
    /// Checks a name.
    pub fn new(name: impl Into<String>) -> Result<Self, RepositoryFolderError> {
        let name = name.into();
        let is_part = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        let rest = KINDS.iter().find_map(|kind| name.strip_prefix(kind));
        let is_name = rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(is_part));
        if is_name && name.len() <= limits::PATH_COMPONENT {
            Ok(Self(name))
        } else {
            Err(RepositoryFolderError)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RepositoryFolder {
    type Error = RepositoryFolderError;

    fn try_from(name: String) -> Result<Self, RepositoryFolderError> {
        Self::new(name)
    }
}

impl From<RepositoryFolder> for String {
    fn from(folder: RepositoryFolder) -> Self {
        folder.0
    }
}

impl fmt::Display for RepositoryFolder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for RepositoryFolder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_component_of_a_known_kind() {
        for name in ["models--gpt2", "models--acme--tiny", "datasets--a--b.c_d", "spaces--x--y"] {
            assert_eq!(RepositoryFolder::new(name).map(String::from).as_deref(), Ok(name));
        }
        let long = format!("models--{}", "a".repeat(250));
        for name in
            ["", "models--", "models-x", "gpt2", "models--a/b", "models--../x", "models--a b", "x--y", &long]
        {
            assert!(RepositoryFolder::new(name).is_err(), "{name}");
        }
    }
}
