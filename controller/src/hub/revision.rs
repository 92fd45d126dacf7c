//! Which version of a repository is meant, before the Hub has pinned it to a commit.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{percent_decode_str, utf8_percent_encode};

use super::endpoint::ESCAPED;

/// A branch, a tag, a commit hash (whole or abbreviated), or `refs/pr/N`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revision(String);

/// A text that git allows for no reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a branch, tag, commit or `refs/pr/N`")]
pub struct RevisionError;

/// The longest revision in bytes: a file name's limit, which branches have in git's own store.
const LONGEST: usize = 255;

impl Revision {
    /// Checks a revision by the rules of `git check-ref-format`.
    pub fn new(text: impl Into<String>) -> Result<Self, RevisionError> {
        let text = text.into();
        let is_refused = |character: char| {
            character.is_control() || character.is_whitespace() || "~^:?*[\\".contains(character)
        };
        let is_part =
            |part: &str| !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none();
        let is_reference = text.len() <= LONGEST
            && !text.contains(is_refused)
            && !text.contains("..")
            && !text.contains("@{")
            && !text.starts_with('-')
            && !text.ends_with('.')
            && text.split('/').all(is_part);
        if is_reference { Ok(Self(text)) } else { Err(RevisionError) }
    }

    /// Checks a revision as it is typed and pasted, which may be escaped as in an address. No branch has `%2F` in its name that
    /// was not meant as a slash.
    pub fn typed(text: &str) -> Result<Self, RevisionError> {
        let text = text.trim();
        if !text.to_ascii_lowercase().contains("%2f") {
            return Self::new(text);
        }
        let decoded = percent_decode_str(text).decode_utf8().map_err(|_| RevisionError)?;
        Self::new(decoded)
    }

    /// As one component of a path: slashes are escaped too.
    pub(super) fn escaped(&self) -> String {
        utf8_percent_encode(&self.0, ESCAPED).to_string()
    }
}

impl Default for Revision {
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl FromStr for Revision {
    type Err = RevisionError;

    fn from_str(text: &str) -> Result<Self, RevisionError> {
        Self::new(text)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_references_and_escapes_every_slash() {
        for (text, escaped) in [
            ("main", "main"),
            ("v1.0_a-b", "v1.0_a-b"),
            ("607a30d783dfa663caf39e06633721c8d4cfcd7e", "607a30d783dfa663caf39e06633721c8d4cfcd7e"),
            ("refs/pr/7", "refs%2Fpr%2F7"),
            ("refs/convert/parquet", "refs%2Fconvert%2Fparquet"),
            ("größe#1%", "gr%C3%B6%C3%9Fe%231%25"),
        ] {
            let seen = Revision::new(text).map(|revision| revision.escaped());
            assert_eq!(seen.unwrap_or_default(), escaped, "{text}");
        }
    }

    #[test]
    fn a_typed_revision_may_be_escaped_as_in_an_address() {
        for (text, expected) in [
            ("refs%2Fpr%2F7", "refs/pr/7"),
            ("refs%2fconvert%2fparquet", "refs/convert/parquet"),
            (" main\n", "main"),
            ("100%", "100%"),
            ("a%20b", "a%20b"),
        ] {
            assert_eq!(Revision::typed(text).map(|revision| revision.to_string()).as_deref(), Ok(expected));
        }
        assert_eq!(Revision::typed("a%2F..%2Fb"), Err(RevisionError));
    }

    #[test]
    fn refuses_what_git_refuses() {
        let long = "a".repeat(256);
        let refused = [
            "", "..", "a..b", "/a", "a/", "a//b", "a b", "a\nb", "a:b", "a?b", ".a", "a/.b", "a.lock",
            "a@{1}", "-a", &long,
        ];
        for text in refused {
            assert_eq!(Revision::new(text), Err(RevisionError), "{text:?}");
        }
    }
}
