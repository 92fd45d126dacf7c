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

/// A [`RepoPath`] that is kept elsewhere, beside many others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepoPathRef<'a>(&'a str);

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

    /// Why no file on Windows can have this name, if none can. Elsewhere `aux.py` and `a:b` are names like others.
    pub fn obstacle_on_windows(&self) -> Option<&'static str> {
        self.0.split('/').find_map(|component| {
            if component.contains(['<', '>', ':', '"', '|', '?', '*']) {
                Some("it has a character that no name on Windows has")
            } else if component.ends_with([' ', '.']) {
                Some("Windows drops spaces and dots at the end of a name")
            } else if is_device(component) {
                Some("it is the name of a device on Windows")
            } else {
                None
            }
        })
    }

    /// The path as the Hub writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same by reference.
    pub fn view(&self) -> RepoPathRef<'_> {
        RepoPathRef(&self.0)
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

impl<'a> RepoPathRef<'a> {
    /// A part of a text that was put together from paths.
    pub(crate) fn known(path: &'a str) -> Self {
        Self(path)
    }

    /// The path as the Hub writes it.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Everything before the last component, if there is more than one.
    pub fn parent(self) -> Option<&'a str> {
        self.0.rsplit_once('/').map(|(parent, _)| parent)
    }

    /// The path by itself.
    pub fn to_path(self) -> RepoPath {
        RepoPath(self.0.to_owned())
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
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{feff}')
}

/// No git repository can contain a `.git` at any depth; a server that lists one wants its hooks to be run. As in git, that
/// goes for every spelling which some disk takes for the same name, wherever the file is to go: what is here today may
/// be copied to such a disk tomorrow.
fn is_reserved(name: &str) -> bool {
    let mut components = name.split('/').map(as_any_disk_sees_it);
    let is_cache = match (components.next().as_deref(), components.next().as_deref()) {
        (Some(".cache"), None) => true,
        (Some(".cache" | "cache~1"), Some(second)) => {
            matches!(second, "hfdown" | "huggingface") || is_short_for_ours(second)
        }
        _ => false,
    };
    is_cache || name.split('/').map(as_any_disk_sees_it).any(|name| matches!(name.as_str(), ".git" | "git~1"))
}

/// What is left of a component on the disks that see least of it: case is folded by many; NTFS takes what follows a `:`
/// for the name of a stream, and drops spaces and dots at the end. The invisible characters that HFS+ passes over never
/// get here: [`is_refused`] has them all.
fn as_any_disk_sees_it(component: &str) -> String {
    let name = component.split(':').next().unwrap_or_default();
    name.trim_end_matches([' ', '.']).to_ascii_lowercase()
}

/// The names in 8.3 form that Windows may give our folders: `hfdown~1`, `huggin~1`, `hu3f2a~1`.
fn is_short_for_ours(name: &str) -> bool {
    name.split_once('~').is_some_and(|(stem, number)| {
        (stem.starts_with("hf") || stem.starts_with("hu"))
            && !number.is_empty()
            && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// Names of devices on Windows, whatever follows behind a dot.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

fn is_device(component: &str) -> bool {
    let stem = component.split('.').next().unwrap_or_default().trim_end_matches(' ').to_ascii_lowercase();
    let numbered = |device: &str| {
        let number = stem.strip_prefix(device).unwrap_or_default();
        let mut digits = number.chars();
        matches!((digits.next(), digits.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
    };
    DEVICES.contains(&stem.as_str()) || numbered("com") || numbered("lpt")
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

impl fmt::Display for RepoPathRef<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl fmt::Debug for RepoPathRef<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, formatter)
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
            ".gitignore",
            ".github/x",
            "git~10",
            "a.git/x",
            "cache~1/x",
            "aux.py",
            "nul",
            "what?.txt",
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
            (".git", PathError::Reserved),
            (".git /config", PathError::Reserved),
            ("a/.git. ./config", PathError::Reserved),
            ("git~1/config", PathError::Reserved),
            ("a/GIT~1", PathError::Reserved),
            (".git::$INDEX_ALLOCATION/config", PathError::Reserved),
            (".GIT:stream", PathError::Reserved),
            (".cache/hfdown /x", PathError::Reserved),
            (".cache./HFDOWN:x/y", PathError::Reserved),
            (".cache/HFDOWN~1/x", PathError::Reserved),
            ("CACHE~1/HUGGIN~1/x", PathError::Reserved),
            (".cache/hu3f2a~2/x", PathError::Reserved),
            (".cache ", PathError::Reserved),
            (".g\u{206a}it/config", PathError::Character),
            (".gi\u{200c}t/config", PathError::Character),
            ("\u{feff}.git/config", PathError::Character),
            ("a/.Git/hooks/post-checkout", PathError::Reserved),
            (&long, PathError::TooLong),
            (&long_component, PathError::TooLong),
        ] {
            assert_eq!(RepoPath::new(name), Err(reason), "{name:?}");
        }
    }

    #[test]
    fn names_that_windows_has_not_are_told_apart() {
        for name in
            ["config.json", "console.log", "com", "com10", "lpt-1", "auxiliary/x", "a.b.c", ".a", "nul_/x"]
        {
            assert_eq!(RepoPath::new(name).unwrap().obstacle_on_windows(), None, "{name}");
        }
        let names = [
            "CON",
            "a/aux.py",
            "nul.tar.gz",
            "Prn ",
            "com1",
            "COM0.x",
            "lpt\u{b9}",
            "LPT\u{b3}.txt",
            "conin$",
            "CONOUT$",
        ];
        for name in names.into_iter().chain(["x:y", "a/b?", "a*b/c", "a|b", "<a", "a>", "a\"b", "a./b", "a "])
        {
            assert!(RepoPath::new(name).unwrap().obstacle_on_windows().is_some(), "{name}");
        }
    }
}
