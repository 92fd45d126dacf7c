//! What a repository is called: what a user may type for it, and the parts that addresses are built from.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::Url;

use super::{Endpoint, Revision, RevisionError};

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
    /// An address of another site.
    #[error("that address does not belong to {0}")]
    Elsewhere(String),
    /// An address of a file or folder inside a repository.
    #[error("that address leads to something inside `{0}`, not to the whole of it")]
    Inside(RepoId),
    /// The revision in the address.
    #[error("the revision in that address is not one: {0}")]
    Revision(#[from] RevisionError),
}

/// The longest part of a name, as `huggingface_hub`'s `validate_repo_id` has it.
const PART: usize = 96;

impl RepoId {
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

/// What the user typed for MODEL: a name, or an address copied from a browser, which may hold a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoReference {
    /// The repository.
    pub id: RepoId,
    /// The revision of a `…/tree/REVISION` address.
    pub revision: Option<Revision>,
}

impl RepoReference {
    /// Reads what was typed. An address must be one of the endpoint's, or of the Hub's own site.
    pub fn parse(text: &str, endpoint: &Endpoint) -> Result<Self, RepoIdError> {
        let text = text.trim();
        if let Ok(url) = Url::parse(text)
            && matches!(url.scheme(), "http" | "https")
        {
            return Self::from_page(&url, endpoint);
        }
        if text.starts_with("huggingface.co/") || text.starts_with("hf.co/") {
            let page = format!("https://{text}");
            return Url::parse(&page)
                .map_err(|_| RepoIdError::Character)
                .and_then(|url| Self::from_page(&url, endpoint));
        }
        Ok(Self { id: text.trim_end_matches('/').parse()?, revision: None })
    }

    fn from_page(page: &Url, endpoint: &Endpoint) -> Result<Self, RepoIdError> {
        let is_hub = matches!(page.host_str(), Some("huggingface.co" | "hf.co" | "www.huggingface.co"));
        let path = match endpoint.path_below(page) {
            Some(path) => path,
            None if is_hub => page.path(),
            None => return Err(RepoIdError::Elsewhere(endpoint.to_string())),
        };
        let path = path.trim_matches('/');
        let Some((name, place)) = path.split_once("/tree/").or_else(|| path.split_once("/blob/")) else {
            return Ok(Self { id: path.parse()?, revision: None });
        };
        let id: RepoId = name.parse()?;
        if place.contains('/') {
            return Err(RepoIdError::Inside(id));
        }
        let revision = percent_decode_str(place).decode_utf8().map_err(|_| RevisionError)?;
        Ok(Self { id, revision: Some(Revision::new(revision)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(String, Option<String>), RepoIdError> {
        let endpoint = Endpoint::new("https://mirror.example/hub").unwrap();
        let typed = RepoReference::parse(text, &endpoint)?;
        Ok((typed.id.to_string(), typed.revision.map(|revision| revision.to_string())))
    }

    #[test]
    fn reads_what_people_type() {
        for (text, id, revision) in [
            ("gpt2", "gpt2", None),
            ("openai-community/gpt2", "openai-community/gpt2", None),
            ("openai-community/gpt2/", "openai-community/gpt2", None),
            (" org/Name_1.5-b ", "org/Name_1.5-b", None),
            ("models/org/name", "org/name", None),
            ("datasets/squad", "datasets/squad", None),
            ("datasets/org/name", "datasets/org/name", None),
            ("spaces/org/name", "spaces/org/name", None),
            ("https://huggingface.co/gpt2", "gpt2", None),
            ("https://huggingface.co/org/name?library=x#files", "org/name", None),
            ("https://hf.co/org/name/", "org/name", None),
            ("huggingface.co/datasets/org/name", "datasets/org/name", None),
            ("https://huggingface.co/org/name/tree/main", "org/name", Some("main")),
            ("https://huggingface.co/org/name/tree/refs%2Fpr%2F7", "org/name", Some("refs/pr/7")),
            ("https://huggingface.co/datasets/org/name/tree/v1/", "datasets/org/name", Some("v1")),
            ("https://mirror.example/hub/org/name", "org/name", None),
        ] {
            assert_eq!(parse(text), Ok((id.to_owned(), revision.map(str::to_owned))), "{text}");
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
            ("org/name?x", RepoIdError::Character),
            ("org/na%2fme", RepoIdError::Character),
            ("-x/name", RepoIdError::Character),
            ("org/a--b", RepoIdError::Character),
            ("org/ünïcode", RepoIdError::Character),
            (
                "https://evil.example/org/name",
                RepoIdError::Elsewhere("https://mirror.example/hub".to_owned()),
            ),
            (
                "https://mirror.example/org/name",
                RepoIdError::Elsewhere("https://mirror.example/hub".to_owned()),
            ),
            ("https://huggingface.co/org/name/tree/a%20b", RepoIdError::Revision(RevisionError)),
        ] {
            assert_eq!(parse(text), Err(reason), "{text}");
        }
        for inside in ["tree/main/onnx", "blob/main/config.json"] {
            let inside = parse(&format!("https://huggingface.co/org/name/{inside}"));
            assert!(matches!(inside, Err(RepoIdError::Inside(id)) if id.name() == "org/name"));
        }
    }
}
