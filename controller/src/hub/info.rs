//! What the Hub says about a repository, and the commit that a revision is pinned to.

use hfdown_protocol::Commit;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::client::nonsense;
use super::error_response::{Resource, printable};
use super::{Hub, HubError, Nonsense, RepoId, RepoKind, Revision};

/// A repository at one commit. Texts are the Hub's own, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoInfo {
    /// Its name today, and its kind; an old name is answered with the new one.
    pub id: RepoId,
    /// What the revision was when it was asked for. Everything after this speaks of it alone.
    pub commit: Commit,
    /// Whether only its owners see it.
    pub private: bool,
    /// Whether its files are kept behind conditions.
    pub gating: Gating,
    /// Its licence, from its card or its tags.
    pub license: Option<String>,
    /// When it last changed, as the Hub writes it: RFC 3339.
    pub last_modified: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
}

/// Whether a repository's files are kept behind conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gating {
    /// They are not.
    Open,
    /// Who accepts the conditions is let in.
    Auto,
    /// The owners let accounts in one by one.
    Manual,
}

/// The most bytes of an answer about one repository. The Hub's are a few hundred KB at worst: it lists all file names.
const BOUND: u64 = 64 << 20;
/// The most tags that are kept; models have a few dozen.
const TAGS: usize = 1000;

impl RepoInfo {
    /// Whether its files are read without a token: an agent needs nothing but their plain addresses then.
    pub fn is_public(&self) -> bool {
        !self.private && self.gating == Gating::Open
    }
}

impl Hub {
    /// Asks what a repository is at a revision. The answer holds the commit to use from then on.
    pub async fn info(&self, repo: &RepoId, revision: &Revision) -> Result<RepoInfo, HubError> {
        let url = self.endpoint().info(repo, revision);
        let page = self.get(Resource::Repository, &url, BOUND).await?;
        read(&page.body, repo.kind(), &page.url)
    }
}

/// The answer, as far as it is used. What is only shown may be missing or of another type.
#[derive(Deserialize)]
struct Said {
    id: String,
    sha: String,
    #[serde(default)]
    private: Value,
    #[serde(default)]
    gated: Value,
    #[serde(default, rename = "cardData")]
    card: Value,
    #[serde(default, rename = "lastModified")]
    last_modified: Value,
    #[serde(default)]
    tags: Value,
}

fn read(body: &[u8], kind: RepoKind, url: &Url) -> Result<RepoInfo, HubError> {
    let said: Said = serde_json::from_slice(body)
        .map_err(|error| nonsense(url, Nonsense::Json(printable(&error.to_string()))))?;
    let tags: Vec<_> = strings(&said.tags).take(TAGS).collect();
    Ok(RepoInfo {
        id: RepoId::new(kind, &said.id).map_err(|_| nonsense(url, Nonsense::Repo))?,
        commit: Commit::new(said.sha).map_err(|_| nonsense(url, Nonsense::Commit))?,
        private: said.private == Value::Bool(true),
        gating: match &said.gated {
            Value::Null | Value::Bool(false) => Gating::Open,
            Value::String(how) if how == "auto" => Gating::Auto,
            _ => Gating::Manual,
        },
        license: license(&said.card, &tags),
        last_modified: said.last_modified.as_str().map(printable),
        tags,
    })
}

/// Cards name one licence or several; `other` has its own name beside it.
fn license(card: &Value, tags: &[String]) -> Option<String> {
    let named: Vec<_> = match &card["license"] {
        Value::String(other) if other == "other" && card["license_name"].is_string() => {
            strings(&card["license_name"]).collect()
        }
        license => strings(license).collect(),
    };
    let tagged = || tags.iter().find_map(|tag| tag.strip_prefix("license:").map(str::to_owned));
    if named.is_empty() { tagged() } else { Some(named.join(", ")) }
}

/// A string as one, an array as its strings, anything else as none.
fn strings(value: &Value) -> impl Iterator<Item = String> {
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    values.iter().filter_map(Value::as_str).map(printable)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "607a30d783dfa663caf39e06633721c8d4cfcd7e";

    fn info(rest: &str) -> Result<RepoInfo, HubError> {
        let body = format!(r#"{{"id":"org/name","sha":"{COMMIT}"{rest}}}"#);
        read(body.as_bytes(), RepoKind::Model, &Url::parse("https://hub.example/api").unwrap())
    }

    #[test]
    fn reads_the_least_that_a_mirror_says() {
        let info = info("").unwrap();
        assert_eq!((info.id.to_string().as_str(), info.commit.as_str()), ("org/name", COMMIT));
        assert!(info.is_public());
        assert_eq!((info.license, info.last_modified, info.tags), (None, None, vec![]));
    }

    #[test]
    fn reads_what_the_hub_says() {
        let info = info(
            r#","private":true,"lastModified":"2026-11-22T21:31:34.000Z","tags":["safetensors",7,"license:apache-2.0"],
                "siblings":[{"rfilename":"../x"}],"cardData":{"license":"mit"},"unknown":{}"#,
        )
        .unwrap();
        assert!(info.private && !info.is_public());
        assert_eq!(info.last_modified.as_deref(), Some("2026-11-22T21:31:34.000Z"));
        assert_eq!(info.tags, ["safetensors", "license:apache-2.0"]);
        assert_eq!(info.license.as_deref(), Some("mit"));
    }

    #[test]
    fn gating_is_a_word_or_a_truth() {
        for (gated, expected) in [
            ("false", Gating::Open),
            ("null", Gating::Open),
            (r#""auto""#, Gating::Auto),
            (r#""manual""#, Gating::Manual),
            ("true", Gating::Manual),
            (r#""something new""#, Gating::Manual),
        ] {
            let info = info(&format!(r#","gated":{gated}"#)).unwrap();
            assert_eq!((info.gating, info.is_public()), (expected, expected == Gating::Open), "{gated}");
        }
    }

    #[test]
    fn licences_come_from_cards_and_tags() {
        for (rest, expected) in [
            (r#","cardData":{"license":["mit","bsd"]}"#, Some("mit, bsd")),
            (r#","cardData":{"license":"other","license_name":"llama3"}"#, Some("llama3")),
            (r#","cardData":{"license":"other"}"#, Some("other")),
            (r#","cardData":{},"tags":["a","license:cc0-1.0"]"#, Some("cc0-1.0")),
            (r#","cardData":"text","tags":"license:x""#, Some("x")),
            (r#","cardData":{"license":7}"#, None),
        ] {
            assert_eq!(info(rest).unwrap().license.as_deref(), expected, "{rest}");
        }
    }

    #[test]
    fn refuses_answers_without_a_usable_name_or_commit() {
        let url = Url::parse("https://hub.example/api").unwrap();
        let said = |body: &str| match read(body.as_bytes(), RepoKind::Model, &url) {
            Err(HubError::Nonsense { what, .. }) => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(said(&format!(r#"{{"id":"../../x","sha":"{COMMIT}"}}"#)), Nonsense::Repo);
        assert_eq!(said(r#"{"id":"org/name","sha":"main"}"#), Nonsense::Commit);
        assert!(matches!(said("<html>"), Nonsense::Json(_)));
        assert!(matches!(said(r#"{"id":"org/name"}"#), Nonsense::Json(_)));
    }
}
