//! What the Hub says about a repository, and the commit that a revision is pinned to.

use hfdown_protocol::Commit;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::client::nonsense;
use super::error_response::{Resource, printable};
use super::interception::json;
use super::{Hub, HubError, Nonsense, RepoId, Revision};

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
/// The header of the commit that an answer is about.
const COMMIT: &str = "x-repo-commit";
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
        let answer = Answer { body: &page.body, headers: &page.headers, url: &page.url };
        answer.read(repo, revision)
    }
}

/// The answer, as far as it is used. Any of it may be missing or of another type.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    id: Value,
    #[serde(default, rename = "modelId")]
    model_id: Value,
    #[serde(default)]
    sha: Value,
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

/// An answer as it came.
struct Answer<'a> {
    body: &'a [u8],
    headers: &'a HeaderMap,
    url: &'a Url,
}

impl Answer<'_> {
    /// Reads what was asked about a repository at a revision.
    fn read(&self, repo: &RepoId, revision: &Revision) -> Result<RepoInfo, HubError> {
        let said: Said = json(self.body, self.headers, self.url)?;
        let tags: Vec<_> = strings(&said.tags).take(TAGS).collect();
        // A mirror that does not say what it is called has no other name for it.
        let id = match said.id.as_str().or(said.model_id.as_str()) {
            Some(id) => RepoId::new(repo.kind(), id).map_err(|_| nonsense(self.url, Nonsense::Repo))?,
            None => repo.clone(),
        };
        Ok(RepoInfo {
            id,
            commit: self.commit(&said, revision).ok_or_else(|| nonsense(self.url, Nonsense::Commit))?,
            private: flag(&said.private) == Flag::Set,
            gating: match flag(&said.gated) {
                Flag::Unset => Gating::Open,
                Flag::Word("auto") => Gating::Auto,
                Flag::Set | Flag::Word(_) => Gating::Manual,
            },
            license: license(&said.card, &tags),
            last_modified: said.last_modified.as_str().map(printable),
            tags,
        })
    }

    /// The commit that it speaks of: by its own word, by its header, or because one was asked for.
    fn commit(&self, said: &Said, revision: &Revision) -> Option<Commit> {
        let header = self.headers.get(COMMIT).and_then(|value| value.to_str().ok());
        let asked = revision.to_string();
        let words = [said.sha.as_str(), header, Some(&asked)];
        words.into_iter().flatten().find_map(|word| Commit::new(word.trim().to_ascii_lowercase()).ok())
    }
}

/// What a flag says that some servers write as a text or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flag<'a> {
    Unset,
    Set,
    Word(&'a str),
}

fn flag(value: &Value) -> Flag<'_> {
    match value {
        Value::Null | Value::Bool(false) => Flag::Unset,
        Value::Number(number) if number.as_u64() == Some(0) => Flag::Unset,
        Value::String(word) => match word.trim() {
            "" | "0" => Flag::Unset,
            word if ["false", "none", "null", "no"].iter().any(|no| word.eq_ignore_ascii_case(no)) => {
                Flag::Unset
            }
            word if word.eq_ignore_ascii_case("true") || word == "1" => Flag::Set,
            word => Flag::Word(word),
        },
        _ => Flag::Set,
    }
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
    use crate::hub::RepoKind;

    const SHA: &str = "607a30d783dfa663caf39e06633721c8d4cfcd7e";

    fn read(body: &str, headers: &HeaderMap, revision: &str) -> Result<RepoInfo, Nonsense> {
        let url = Url::parse("https://hub.example/api").unwrap();
        let repo = RepoId::new(RepoKind::Model, "org/asked").unwrap();
        let answer = Answer { body: body.as_bytes(), headers, url: &url };
        answer.read(&repo, &Revision::new(revision).unwrap()).map_err(|error| match error {
            HubError::Nonsense { what, .. } => what,
            other => panic!("{other}"),
        })
    }

    fn info(rest: &str) -> Result<RepoInfo, Nonsense> {
        read(&format!(r#"{{"id":"org/name","sha":"{SHA}"{rest}}}"#), &HeaderMap::new(), "main")
    }

    #[test]
    fn reads_the_least_that_a_mirror_says() {
        let info = info("").unwrap();
        assert_eq!((info.id.to_string().as_str(), info.commit.as_str()), ("org/name", SHA));
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
            (r#""false""#, Gating::Open),
            (r#""None""#, Gating::Open),
            (r#""""#, Gating::Open),
            ("0", Gating::Open),
            (r#""true""#, Gating::Manual),
            ("1", Gating::Manual),
            ("{}", Gating::Manual),
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
    fn privacy_is_a_truth_however_it_is_written() {
        for (private, expected) in [
            ("true", true),
            (r#""true""#, true),
            (r#""True""#, true),
            ("1", true),
            ("false", false),
            (r#""false""#, false),
            (r#""False""#, false),
            ("null", false),
            ("0", false),
            (r#""""#, false),
        ] {
            let info = info(&format!(r#","private":{private},"disabled":null"#)).unwrap();
            assert_eq!(info.private, expected, "{private}");
        }
    }

    #[test]
    fn a_commit_is_named_by_the_body_the_header_or_the_question() {
        let other = "0123456789012345678901234567890123456789";
        let none = HeaderMap::new();
        let header = HeaderMap::from_iter([(COMMIT.parse().unwrap(), SHA.parse().unwrap())]);
        let upper = format!(r#"{{"sha":"{}"}}"#, SHA.to_uppercase());
        for (body, headers, revision, expected) in [
            (upper.as_str(), &none, "main", Ok(SHA)),
            ("{}", &header, "main", Ok(SHA)),
            (r#"{"sha":null}"#, &header, other, Ok(SHA)),
            (r#"{"sha":"607a30d"}"#, &none, other, Ok(other)),
            ("{}", &none, other, Ok(other)),
            ("{}", &none, "main", Err(Nonsense::Commit)),
            (r#"{"sha":"main"}"#, &none, "main", Err(Nonsense::Commit)),
        ] {
            let commit = read(body, headers, revision).map(|info| info.commit.to_string());
            assert_eq!(commit.as_deref(), expected.as_ref().copied(), "{body} {revision}");
        }
    }

    #[test]
    fn a_name_is_the_servers_own_or_the_one_that_was_asked_for() {
        let named = |id: &str| read(&format!(r#"{{"sha":"{SHA}"{id}}}"#), &HeaderMap::new(), "main");
        for (id, expected) in [
            ("", Ok("org/asked")),
            (r#","id":null,"modelId":"org/name""#, Ok("org/name")),
            (r#","id":"org/name","modelId":"x/y""#, Ok("org/name")),
            (r#","id":7"#, Ok("org/asked")),
            (r#","id":"../../x""#, Err(Nonsense::Repo)),
        ] {
            let seen = named(id).map(|info| info.id.to_string());
            assert_eq!(seen.as_deref(), expected.as_ref().copied(), "{id}");
        }
        assert!(matches!(read("<Error>", &HeaderMap::new(), "main"), Err(Nonsense::Json(_))));
        let empty = Nonsense::Json("it is empty".to_owned());
        assert_eq!(read(" ", &HeaderMap::new(), "main").unwrap_err(), empty);
        let marked = format!("\u{feff}{{\"id\":\"org/name\",\"sha\":\"{SHA}\"}}");
        assert!(read(&marked, &HeaderMap::new(), "main").is_ok());
    }
}
