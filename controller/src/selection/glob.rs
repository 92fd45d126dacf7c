//! Patterns for file names, as `huggingface_hub` has them in `allow_patterns` and `ignore_patterns`: Python's `fnmatch` on
//! the whole path, where `*` crosses `/`.
//!
//! A backslash is a `/`, in patterns and in names, so nothing can be escaped but by a set of one character. A pattern that
//! ends in `/` is all that is in that folder. Matching takes at most the product of both lengths, whatever the pattern.

use std::fmt;
use std::str::FromStr;

use super::glob_token::{GlobToken, tokens};

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    /// As it was typed.
    typed: String,
    tokens: Vec<GlobToken>,
}

/// Why a pattern makes no sense: no file could ever match it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// It is empty.
    #[error("it is empty, and matches no file")]
    Empty,
    /// It begins with a `/`.
    #[error(
        "no file matches it, since paths in a repository do not begin with `/`: write `onnx/*`, or `*/config.json`"
    )]
    Absolute,
    /// It has a component `.`, `..` or none at all.
    #[error(
        "no file matches it, since no path in a repository has a component `.`, `..` or an empty one: write `onnx/*`, or \
         `config.json`"
    )]
    Component,
    /// It has a set with nothing in it.
    #[error("no file matches it, since a set in it has nothing in it: a range goes up, like `[a-z]`")]
    EmptySet,
}

impl Glob {
    /// Reads a pattern, whatever it is: one that no file can match is one.
    pub fn new(typed: &str) -> Self {
        Self { typed: typed.to_owned(), tokens: tokens(typed) }
    }

    /// The pattern of a folder.
    pub fn of_folder(path: &str) -> String {
        format!("{}/", escaped(path.trim_end_matches('/')))
    }

    /// Whether it matches all of a path.
    pub fn matches(&self, path: &str) -> bool {
        let (mut tokens, mut rest) = (&self.tokens[..], path.chars());
        // Where to go on when what follows the last star does not match here: one character further on. What matches at the
        // earliest place leaves the most for what follows, so that earlier stars need not be tried again.
        let mut retry: Option<(&[GlobToken], std::str::Chars<'_>)> = None;
        loop {
            if let [GlobToken::Star, after @ ..] = tokens {
                if after.is_empty() {
                    return true;
                }
                (tokens, retry) = (after, Some((after, rest.clone())));
                continue;
            }
            let mut ahead = rest.clone();
            match (tokens, ahead.next()) {
                ([], None) => return true,
                ([token, after @ ..], Some(character)) if token.stands_for(character) => {
                    (tokens, rest) = (after, ahead);
                }
                (_, None) => return false,
                (_, Some(_)) => {
                    let Some((after, from)) = &mut retry else { return false };
                    from.next();
                    (tokens, rest) = (after, from.clone());
                }
            }
        }
    }

    /// The pattern as it was typed.
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    pub(super) fn tokens(&self) -> &[GlobToken] {
        &self.tokens
    }

    /// Whether it has a `[` that is one character and no set, since no `]` follows it.
    pub fn has_unclosed_bracket(&self) -> bool {
        self.tokens.contains(&GlobToken::Literal('['))
    }

    /// The one path that it matches, if it has no wildcards.
    pub(super) fn literal(&self) -> Option<String> {
        let literal = |token: &GlobToken| match token {
            GlobToken::Literal(character) => Some(*character),
            _ => None,
        };
        self.tokens.iter().map(literal).collect()
    }

    /// Whether some path could match it.
    fn check(&self) -> Result<(), GlobError> {
        let is_empty = |token: &GlobToken| matches!(token, GlobToken::Set { is_negated: false, ranges } if ranges.is_empty());
        let Some(first) = self.tokens.first() else { return Err(GlobError::Empty) };
        if *first == GlobToken::Literal('/') {
            return Err(GlobError::Absolute);
        }
        if self.tokens.iter().any(is_empty) {
            return Err(GlobError::EmptySet);
        }
        let components = self.tokens.split(|token| *token == GlobToken::Literal('/'));
        let dot = GlobToken::Literal('.');
        let is_impossible = |component: &[GlobToken]| {
            component.len() <= 2 && component.iter().all(|token| *token == dot)
                || component.contains(&GlobToken::Literal('\0'))
        };
        if components.into_iter().any(is_impossible) { Err(GlobError::Component) } else { Ok(()) }
    }
}

impl FromStr for Glob {
    type Err = GlobError;

    /// Reads a pattern that a file may match.
    fn from_str(typed: &str) -> Result<Self, GlobError> {
        let glob = Self::new(typed);
        glob.check().map(|()| glob)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.typed)
    }
}

/// A pattern that matches this path and no other.
pub fn escaped(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    for character in path.chars() {
        if "*?[".contains(character) {
            pattern.extend(['[', character, ']']);
        } else {
            pattern.push(character);
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths() {
        for (pattern, path, expected) in [
            ("*", "a/b/c", true),
            ("*.json", "config.json", true),
            ("*.json", "onnx/config.json", true),
            ("*.json", "config.jsonl", false),
            ("config.json", "onnx/config.json", false),
            ("onnx/", "onnx/model.onnx", true),
            ("onnx/", "onnx", false),
            ("onnx\\", "onnx/model.onnx", true),
            ("model-0000[1-3]-of-?????.safetensors", "model-00002-of-00003.safetensors", true),
            ("model-0000[!1-3]*", "model-00002-of-00003.safetensors", false),
            ("*a*a*b", "aaaaaab", true),
            ("a?c", "a\nc", true),
            ("a?c", "aéc", true),
            ("A*", "a", false),
            ("[", "[", true),
            ("", "", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn no_pattern_takes_long() {
        let (stars, name) = ("*a".repeat(2000) + "*b", "a".repeat(4000));
        assert!(!Glob::new(&stars).matches(&name));
        let (late, name) = ("*".to_owned() + &"a".repeat(2000) + "b", "a".repeat(4000));
        assert!(!Glob::new(&late).matches(&name));
    }

    #[test]
    fn a_pattern_that_no_file_can_match_is_refused() {
        for (pattern, expected) in [
            ("", Err(GlobError::Empty)),
            ("/", Err(GlobError::Absolute)),
            ("/config.json", Err(GlobError::Absolute)),
            ("\\config.json", Err(GlobError::Absolute)),
            (".", Err(GlobError::Component)),
            ("./config.json", Err(GlobError::Component)),
            ("../config.json", Err(GlobError::Component)),
            ("*/../x", Err(GlobError::Component)),
            ("onnx//x", Err(GlobError::Component)),
            ("https://huggingface.co/x", Err(GlobError::Component)),
            ("a\0b", Err(GlobError::Component)),
            ("*.[z-a]", Err(GlobError::EmptySet)),
            ("[!z-a]*", Ok(())),
            (".gitattributes", Ok(())),
            ("..x", Ok(())),
            ("*.", Ok(())),
            ("onnx/", Ok(())),
            ("*/", Ok(())),
            ("[", Ok(())),
            (" ", Ok(())),
        ] {
            assert_eq!(pattern.parse::<Glob>().map(|_| ()), expected, "{pattern}");
        }
    }

    #[test]
    fn a_path_that_is_escaped_matches_itself_alone() {
        for path in ["config.json", "a[1].bin", "a*b?c", "[]", "a]b"] {
            let glob = Glob::new(&escaped(path));
            assert!(glob.matches(path), "{path}");
            assert!(
                !glob.matches(&path.replace(['*', '?', '['], "x")) || !path.contains(['*', '?', '[']),
                "{path}"
            );
        }
    }
}
