//! The path of a file inside a repository, checked once.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits;

/// A file's path inside a repository: relative, `/`-separated, and safe to join to any root.
///
/// The Hub's listing is hostile input, so everything that could leave the root, hide in a terminal, or meddle with the
/// folders that tools keep for themselves is refused by the constructor, which deserialisation goes through as well.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(String);

/// Why a name cannot be a [`RepoPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No bytes at all, or an empty component as in `a//b`.
    #[error("it has an empty component")]
    Empty,
    /// Longer than [`limits::PATH`], or a component longer than [`limits::PATH_COMPONENT`].
    #[error("it is too long")]
    TooLong,
    /// Begins with `/`, or with a drive letter.
    #[error("it is absolute")]
    Absolute,
    /// Has a `.` or `..` component.
    #[error("it has a `.` or `..` component")]
    Dots,
    /// Has a NUL, another control character, a bidirectional override, or a backslash.
    #[error("it has a character that no file name should have")]
    Character,
    /// Lies in a folder that tools keep for themselves: `.git` at any depth, `.cache/hfdown`, `.cache/huggingface`.
    #[error("it lies in a folder that is kept for tools")]
    Reserved,
}

impl RepoPath {
    /// Checks a name as the Hub lists it.
    pub fn new(name: impl Into<String>) -> Result<Self, PathError> {
        let name = name.into();
        if name.len() > limits::PATH {
            return Err(PathError::TooLong);
        }
        if name.starts_with('/') || has_drive_letter(&name) {
            return Err(PathError::Absolute);
        }
        if name.chars().any(is_refused) {
            return Err(PathError::Character);
        }
        for component in name.split('/') {
            match component {
                "" => return Err(PathError::Empty),
                "." | ".." => return Err(PathError::Dots),
                _ if component.len() > limits::PATH_COMPONENT => return Err(PathError::TooLong),
                _ => {}
            }
        }
        if is_reserved(&name) { Err(PathError::Reserved) } else { Ok(Self(name)) }
    }

    /// The path as the Hub writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Everything before the last component, if there is more than one.
    pub fn parent(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(parent, _)| parent)
    }
}

fn has_drive_letter(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() >= 2
        && bytes[0].is_ascii_alphabetic()
        && bytes[1] == b':'
        && matches!(bytes.get(2), None | Some(b'/'))
}

fn is_refused(character: char) -> bool {
    character.is_control()
        || character == '\\'
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Case is folded, so that a disk which folds it as well does not open a way around this. No git repository can contain
/// a `.git` at any depth; a server that lists one wants its hooks to be run.
fn is_reserved(name: &str) -> bool {
    let mut components = name.split('/').map(str::to_ascii_lowercase);
    let is_cache = matches!(
        (components.next().as_deref(), components.next().as_deref()),
        (Some(".cache"), Some("hfdown" | "huggingface") | None)
    );
    is_cache || name.split('/').any(|component| component.eq_ignore_ascii_case(".git"))
}

impl TryFrom<String> for RepoPath {
    type Error = PathError;

    fn try_from(name: String) -> Result<Self, PathError> {
        Self::new(name)
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> Self {
        path.0
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_repositories_contain() {
        for name in [
            "config.json",
            "onnx/model.onnx",
            "a b/ü-模型.bin",
            ".gitattributes",
            "a..b",
            "x:y",
            ".cache/other",
            "..a",
        ] {
            assert_eq!(RepoPath::new(name).map(String::from), Ok(name.to_owned()));
        }
    }

    #[test]
    fn refuses_hostile_names_with_the_reason() {
        let long = "a/".repeat(2100) + "a";
        let long_component = "a".repeat(256);
        for (name, reason) in [
            ("", PathError::Empty),
            ("a//b", PathError::Empty),
            ("a/", PathError::Empty),
            ("../x", PathError::Dots),
            ("a/../../x", PathError::Dots),
            ("a/./b", PathError::Dots),
            ("/etc/x", PathError::Absolute),
            ("C:", PathError::Absolute),
            ("c:/x", PathError::Absolute),
            ("a\0b", PathError::Character),
            ("a\nb", PathError::Character),
            ("a\u{1b}[2Jb", PathError::Character),
            ("a\u{202e}b", PathError::Character),
            ("..\\x", PathError::Character),
            (".cache/hfdown/x", PathError::Reserved),
            (".CACHE/HFdown/x", PathError::Reserved),
            (".cache/huggingface/download/x.metadata", PathError::Reserved),
            (".cache", PathError::Reserved),
            (".git/config", PathError::Reserved),
            ("a/.Git/hooks/post-checkout", PathError::Reserved),
            (&long, PathError::TooLong),
            (&long_component, PathError::TooLong),
        ] {
            assert_eq!(RepoPath::new(name), Err(reason), "{name:?}");
        }
    }
}
