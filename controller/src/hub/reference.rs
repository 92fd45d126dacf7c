//! What people type and paste for MODEL: names, addresses of pages and files, and what other tools call a repository.
//!
//! What means one thing is understood. Everything else is an error that tells what it is, so that no odd form ever becomes
//! a question to the Hub, or a folder.

use percent_encoding::percent_decode_str;
use url::Url;

use super::pasted_text::{bare, is_local};
use super::{Endpoint, RepoId, RepoIdError, RepoKind, Revision, RevisionError};

/// A repository, as it was typed, with what else was said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoReference {
    /// The repository.
    pub id: RepoId,
    /// The revision in it.
    pub revision: Option<Revision>,
    /// The file or folder inside of the repository that it leads to.
    pub inner: Option<InnerPath>,
}

/// A path inside of a repository, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerPath {
    /// The path.
    pub path: String,
    /// What stands there.
    pub kind: InnerPathKind,
}

/// What a pasted path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InnerPathKind {
    /// A file: `…/blob/…`, `…/resolve/…`.
    File,
    /// A folder: `…/tree/…`, or a slash at its end.
    Folder,
    /// One of these: `org/name/onnx`.
    Either,
}

/// Why a text refers to no repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// No name that a repository can have.
    #[error(transparent)]
    Name(#[from] RepoIdError),
    /// An address of another site.
    #[error("that address does not belong to {0}")]
    Elsewhere(String),
    /// A page of the Hub's that is about something else.
    #[error("it leads to the Hub's `{0}`, and to no model, dataset or space")]
    Section(String),
    /// The revision in it.
    #[error("the revision in it is not one: {0}")]
    Revision(#[from] RevisionError),
    /// The Docker-like form of a quantisation.
    #[error("`:{tag}` is no part of a repository's name: other tools choose one of its quantisations by it")]
    Tag {
        /// The repository before it.
        id: RepoId,
        /// The revision, where one was typed on either side of it.
        revision: Option<Revision>,
        /// What stands behind the colon.
        tag: String,
    },
    /// A discussion, which may be a pull request.
    #[error("it leads to discussion {number} of `{id}`")]
    Discussion {
        /// The repository.
        id: RepoId,
        /// The number of the discussion.
        number: u64,
    },
    /// A path of this machine.
    #[error("it is a path of this machine")]
    LocalPath,
    /// An SSH command, or a host.
    #[error("it is the way to a box")]
    Box,
}

/// The Hub's own site, whatever `HF_ENDPOINT` says.
const SITES: [&str; 3] = ["huggingface.co", "www.huggingface.co", "hf.co"];
/// What stands between a repository and a revision in addresses.
const VIEWS: [&str; 9] = ["tree", "blob", "resolve", "raw", "blame", "edit", "commits", "commit", "revision"];
/// Pages of a repository as a whole.
const PAGES: [&str; 7] = ["discussions", "settings", "viewer", "activity", "community", "upload", "embed"];
/// What the first component of an address may be that is neither an organisation nor a kind of repository.
const SECTIONS: [&str; 18] = [
    "buckets",
    "kernels",
    "collections",
    "papers",
    "docs",
    "blog",
    "learn",
    "chat",
    "tasks",
    "posts",
    "settings",
    "organizations",
    "enterprise",
    "pricing",
    "login",
    "join",
    "new",
    "api",
];
/// The kinds of repositories.
const KINDS: [RepoKind; 3] = [RepoKind::Model, RepoKind::Dataset, RepoKind::Space];
/// References of git that have three components, as they are written out in addresses.
const REFERENCES: [&str; 4] = ["pr", "convert", "heads", "tags"];

/// Where a text comes from, which decides how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A name. Behind an `@` everything is the revision.
    Typed,
    /// `hf://…`. Behind an `@` one component is the revision.
    Uri,
    /// The address of a page.
    Page,
}

impl RepoReference {
    /// Reads what was typed. An address must be one of the endpoint's, or of the Hub's own site.
    pub fn parse(text: &str, endpoint: &Endpoint) -> Result<Self, ReferenceError> {
        let text = bare(text);
        if is_local(text) {
            return Err(ReferenceError::LocalPath);
        }
        if text.starts_with("ssh ") {
            return Err(ReferenceError::Box);
        }
        let text = ["git clone ", "git+"].iter().find_map(|start| text.strip_prefix(start)).unwrap_or(text);
        let elsewhere = || ReferenceError::Elsewhere(endpoint.to_string());
        if let Some((scheme, rest)) = text.split_once("://") {
            return match scheme.to_ascii_lowercase().as_str() {
                "hf" => Self::read(rest, Form::Uri),
                "http" | "https" => Self::from_page(text, endpoint),
                "ssh" => match Url::parse(text) {
                    Ok(url) if is_hub(url.host_str(), endpoint) => Self::read(url.path(), Form::Page),
                    _ => Err(ReferenceError::Box),
                },
                "file" => Err(ReferenceError::LocalPath),
                _ => Err(elsewhere()),
            };
        }
        if let Some((host, path)) = text.strip_prefix("git@").and_then(|rest| rest.split_once(':')) {
            return if is_hub(Some(host), endpoint) {
                Self::read(path, Form::Page)
            } else {
                Err(elsewhere())
            };
        }
        let host = text.split('/').next().unwrap_or_default().to_ascii_lowercase();
        if SITES.contains(&host.as_str()) && host != text {
            return Self::from_page(&format!("https://{text}"), endpoint);
        }
        if endpoint.authority() == host && host != text {
            return Self::from_page(&format!("{}://{text}", endpoint.url().scheme()), endpoint);
        }
        Self::read(text, Form::Typed)
    }

    fn from_page(text: &str, endpoint: &Endpoint) -> Result<Self, ReferenceError> {
        let mut page = Url::parse(text).map_err(|_| RepoIdError::Character)?;
        let is_site = page.host_str().is_some_and(|host| SITES.contains(&host));
        // `http` is typed for `https`; which of them is asked is the endpoint's matter.
        let _ = page.set_scheme(endpoint.url().scheme());
        match endpoint.path_below(&page) {
            Some(path) => Self::read(path, Form::Page),
            None if is_site => Self::read(page.path(), Form::Page),
            None => Err(ReferenceError::Elsewhere(endpoint.to_string())),
        }
    }

    /// Reads `[kind/]org/name` with what may follow it.
    fn read(path: &str, form: Form) -> Result<Self, ReferenceError> {
        let components = components(path, form)?;
        let mut parts: Vec<&str> = components.iter().map(String::as_str).collect();
        if let ([only], Form::Typed) = (&parts[..], form) {
            if let Some(id) = cached(only) {
                return Ok(Self { id: id?, revision: None, inner: None });
            }
            if only.to_ascii_lowercase().contains("%2f") {
                return Self::read(&decode(only)?, form);
            }
        }
        if form == Form::Page && parts.len() > 2 && parts[0] == "api" {
            parts.remove(0);
        }
        // Where the Hub leads to for a small file: the commit follows the name at once.
        let is_cached = form == Form::Page && parts.len() > 5 && parts[0] == "resolve-cache";
        if is_cached {
            parts.remove(0);
        }
        let kind = take_kind(&mut parts, form)?;
        if is_cached {
            return Self::viewed(repository(kind, &parts[..2])?, "resolve", &parts[2..]);
        }
        if let Some(at) = parts.iter().take(2).position(|part| part.contains('@')) {
            return Self::at_revision(kind, &parts, at, form);
        }
        if let Some(length) = view(&parts, form) {
            return Self::viewed(repository(kind, &parts[..length])?, parts[length], &parts[length + 1..]);
        }
        let (name, inner) = parts.split_at(parts.len().min(2));
        if inner.contains(&"") {
            return Err(RepoIdError::Parts.into());
        }
        let is_folder = path.ends_with('/') && form != Form::Page;
        let what = if is_folder { InnerPathKind::Folder } else { InnerPathKind::Either };
        let id = repository(kind, name)?;
        Ok(Self { id, revision: None, inner: InnerPath::new(inner.join("/"), what) })
    }

    /// `org/name@revision`, of which the component number `at` has the `@`.
    fn at_revision(kind: RepoKind, parts: &[&str], at: usize, form: Form) -> Result<Self, ReferenceError> {
        let (last, first) = parts[at].split_once('@').unwrap_or_default();
        if form == Form::Typed && at == 0 && (last == "root" || first.contains(':')) {
            return Err(ReferenceError::Box);
        }
        let name: Vec<&str> = parts[..at].iter().copied().chain([last]).collect();
        let id = repository(kind, &name);
        let rest: Vec<&str> = [first].into_iter().chain(parts[at + 1..].iter().copied()).collect();
        let (revision, inner) = match revision(&rest) {
            (first, _) if form == Form::Typed && !first.contains('/') => (rest.join("/"), &[][..]),
            split => split,
        };
        let revision = if form == Form::Page { revision } else { decode(&revision)? };
        let (id, revision) = match (id, revision.rsplit_once(':')) {
            (Ok(id), Some((revision, tag))) if is_tag(tag) => {
                let revision = Some(Revision::new(revision.to_owned())?);
                return Err(ReferenceError::Tag { id, revision, tag: tag.to_owned() });
            }
            (Err(ReferenceError::Tag { id, tag, .. }), None) => {
                let revision = Some(Revision::new(revision)?);
                return Err(ReferenceError::Tag { id, revision, tag });
            }
            (id, _) => (id?, Revision::new(revision)?),
        };
        let inner = InnerPath::new(inner.join("/"), InnerPathKind::Either);
        Ok(Self { id, revision: Some(revision), inner })
    }

    /// A view of a repository: what comes before it, its word, and what comes behind.
    fn viewed(id: RepoId, view: &str, rest: &[&str]) -> Result<Self, ReferenceError> {
        match (view, rest) {
            ("discussions", [number, tab @ ..]) if number.parse::<u64>().is_ok() => {
                let number = number.parse().unwrap_or_default();
                if !tab.contains(&"files") {
                    return Err(ReferenceError::Discussion { id, number });
                }
                // Only pull requests have that tab.
                Ok(Self { id, revision: Some(Revision::new(format!("refs/pr/{number}"))?), inner: None })
            }
            (page, _) if PAGES.contains(&page) => Ok(Self { id, revision: None, inner: None }),
            (_, []) => Ok(Self { id, revision: None, inner: None }),
            _ => {
                let (text, inner) = revision(rest);
                let kind = if view == "tree" { InnerPathKind::Folder } else { InnerPathKind::File };
                let inner = if view == "commit" { None } else { InnerPath::new(inner.join("/"), kind) };
                Ok(Self { id, revision: Some(Revision::new(text)?), inner })
            }
        }
    }
}

impl InnerPath {
    fn new(path: String, kind: InnerPathKind) -> Option<Self> {
        (!path.is_empty()).then_some(Self { path, kind })
    }
}

/// The components of a path. Those of an address are escaped, and an empty one means nothing there.
fn components(path: &str, form: Form) -> Result<Vec<String>, ReferenceError> {
    match form {
        Form::Page => path.split('/').filter(|part| !part.is_empty()).map(decode).collect(),
        Form::Typed | Form::Uri => Ok(path.trim_end_matches('/').split('/').map(str::to_owned).collect()),
    }
}

/// The kind of repository that the first component says.
fn take_kind(parts: &mut Vec<&str>, form: Form) -> Result<RepoKind, ReferenceError> {
    let first = parts.first().copied().unwrap_or_default();
    let is_kind = |kind: &RepoKind| {
        parts.len() > 1 && first == kind.plural() || parts.len() > 2 && first == kind.to_string()
    };
    if let Some(kind) = KINDS.into_iter().find(is_kind) {
        parts.remove(0);
        return Ok(kind);
    }
    let is_list = KINDS.iter().any(|kind| first == kind.plural());
    if is_list || form != Form::Typed && SECTIONS.contains(&first) {
        return Err(ReferenceError::Section(first.to_owned()));
    }
    Ok(RepoKind::Model)
}

/// How many components the name has that a view of the repository follows.
fn view(parts: &[&str], form: Form) -> Option<usize> {
    let is_view = |at: usize| parts.get(at).is_some_and(|part| VIEWS.contains(part) || PAGES.contains(part));
    if form == Form::Uri {
        return None;
    }
    // A name of two components comes first: `gpt2/tree/main`, but `org/tree/tree/main`.
    if is_view(2) && (parts.len() > 3 || !is_view(1)) {
        Some(2)
    } else if is_view(1) && (parts.len() > 2 || form == Form::Page && parts[1] == "discussions") {
        Some(1)
    } else {
        None
    }
}

/// The revision at the beginning of a path, and what follows it.
fn revision<'a>(parts: &'a [&'a str]) -> (String, &'a [&'a str]) {
    let length = if parts.len() > 2 && parts[0] == "refs" && REFERENCES.contains(&parts[1]) { 3 } else { 1 };
    (parts[..length].join("/"), &parts[length..])
}

/// Whether a text may be the tag of a container.
fn is_tag(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn repository(kind: RepoKind, parts: &[&str]) -> Result<RepoId, ReferenceError> {
    let name = parts.join("/");
    let name = name.strip_suffix(".git").unwrap_or(&name);
    if let Some((name, tag)) = name.split_once(':')
        && let Ok(id) = RepoId::new(kind, name)
        && is_tag(tag)
    {
        return Err(ReferenceError::Tag { id, revision: None, tag: tag.to_owned() });
    }
    if let Some((host, path)) = name.split_once(':')
        && !host.contains(['/', ' '])
        && !path.starts_with(|first: char| first.is_ascii_digit())
        && !["http", "https", "hf"].contains(&host)
    {
        return Err(ReferenceError::Box);
    }
    Ok(RepoId::new(kind, name)?)
}

/// What `huggingface_hub` calls a repository's folder in its cache: `models--org--name`. No part of a name has `--`.
fn cached(name: &str) -> Option<Result<RepoId, ReferenceError>> {
    let (plural, name) = name.split_once("--")?;
    let kind = KINDS.into_iter().find(|kind| kind.plural() == plural)?;
    Some(RepoId::new(kind, &name.replace("--", "/")).map_err(ReferenceError::from))
}

fn decode(part: &str) -> Result<String, ReferenceError> {
    let decoded = percent_decode_str(part).decode_utf8().map_err(|_| RepoIdError::Character)?;
    Ok(decoded.into_owned())
}

fn is_hub(host: Option<&str>, endpoint: &Endpoint) -> bool {
    let host = host.map(str::to_ascii_lowercase);
    host.is_some()
        && (host.as_deref() == endpoint.url().host_str() || host.is_some_and(|host| SITES.contains(&&*host)))
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
