//! Where the Hub is, and how its addresses are built.

use std::fmt;
use std::str::FromStr;

use hfdown_protocol::{Commit, RepoPath};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Url};

use super::{RepoId, Revision};

/// What is escaped in a component of a path: everything but the characters that never need it.
pub(super) const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same for a path of several components.
const ESCAPED_IN_PATH: &AsciiSet = &ESCAPED.remove(b'/');

/// The root of a Hub: <https://huggingface.co>, or what `HF_ENDPOINT` names. It may have a path of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why a text cannot be an [`Endpoint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It does not parse, or is longer than any address needs to be.
    #[error("the endpoint is not an address like {DEFAULT}")]
    Malformed,
    /// Neither `http` nor `https`.
    #[error("the endpoint is neither http nor https")]
    Scheme,
    /// It has a user name, a password, a query or a fragment.
    #[error("the endpoint has more than a host and a path")]
    Surplus,
}

const DEFAULT: &str = "https://huggingface.co";
/// The longest endpoint in bytes; it leaves room for the longest path within the longest address of the protocol.
const LONGEST: usize = 1024;

impl Endpoint {
    /// Checks an endpoint. Slashes at its end are dropped.
    pub fn new(text: &str) -> Result<Self, EndpointError> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(EndpointError::Malformed);
        }
        let mut url = Url::parse(text).map_err(|_| EndpointError::Malformed)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(EndpointError::Scheme);
        }
        let has_credential = !url.username().is_empty() || url.password().is_some();
        if has_credential || url.query().is_some() || url.fragment().is_some() {
            return Err(EndpointError::Surplus);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The Hub itself.
    pub fn hub() -> Result<Self, EndpointError> {
        Self::new(DEFAULT)
    }

    /// Whether it is that one.
    pub fn is_hub(&self) -> bool {
        Self::hub().is_ok_and(|hub| hub == *self)
    }

    /// Its address.
    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// Its host, and its port where that is not the usual one.
    pub(super) fn authority(&self) -> &str {
        self.0.authority()
    }

    /// Whether what is asked there is encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether it is on this very machine.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Whether an address has this endpoint's scheme, host and port.
    pub(super) fn is_origin_of(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }

    /// Whether a question may be taken there by a redirect: within this origin, or to the same host by https where it was
    /// asked by http, each at its usual port.
    pub(super) fn may_lead_to(&self, url: &Url) -> bool {
        let has_usual_port = |url: &Url| url.port().is_none();
        let is_upgrade = self.0.scheme() == "http"
            && url.scheme() == "https"
            && self.0.host() == url.host()
            && has_usual_port(&self.0)
            && has_usual_port(url);
        self.is_origin_of(url) || is_upgrade
    }

    /// The path of an address below this endpoint, if it is there.
    pub(super) fn path_below<'a>(&self, url: &'a Url) -> Option<&'a str> {
        let base = self.0.path().trim_end_matches('/');
        let rest = url.path().strip_prefix(base)?;
        (self.is_origin_of(url) && (rest.is_empty() || rest.starts_with('/'))).then_some(rest)
    }

    /// The page for browsers.
    pub fn page(&self, repo: &RepoId) -> Url {
        self.at(&repo.to_string())
    }

    /// What the API says about a repository at a revision.
    pub(super) fn info(&self, repo: &RepoId, revision: &Revision) -> Url {
        self.at(&format!("api/{}/{}/revision/{}", repo.kind().plural(), repo.name(), revision.escaped()))
    }

    /// The first page of the list of a commit's files.
    pub(super) fn tree(&self, repo: &RepoId, commit: &Commit) -> Url {
        let mut url = self.at(&format!("api/{}/{}/tree/{commit}", repo.kind().plural(), repo.name()));
        url.set_query(Some("recursive=true&expand=false"));
        url
    }

    /// Access to the Xet store of a repository at a commit.
    pub(super) fn xet_read_token(&self, repo: &RepoId, commit: &Commit) -> Url {
        self.at(&format!("api/{}/{}/xet-read-token/{commit}", repo.kind().plural(), repo.name()))
    }

    /// A file at a commit.
    pub(super) fn resolve(&self, repo: &RepoId, commit: &Commit, path: &RepoPath) -> Url {
        self.at(&format!("{repo}/resolve/{commit}/{}", utf8_percent_encode(path.as_str(), ESCAPED_IN_PATH)))
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{path}", self.0.path().trim_end_matches('/')));
        url
    }
}

/// Whether an address is on this very machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Self::new(text)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_the_hubs_addresses() {
        let endpoint = Endpoint::new("http://127.0.0.1:8090/hub//").unwrap();
        let commit = Commit::new("607a30d783dfa663caf39e06633721c8d4cfcd7e").unwrap();
        let repo: RepoId = "datasets/org/name".parse().unwrap();
        let path = RepoPath::new("a b/ü#1?%.json").unwrap();
        let base = "http://127.0.0.1:8090/hub";
        assert_eq!(endpoint.to_string(), base);
        assert_eq!(endpoint.page(&repo).as_str(), format!("{base}/datasets/org/name"));
        assert_eq!(
            endpoint.info(&repo, &Revision::new("refs/pr/7").unwrap()).as_str(),
            format!("{base}/api/datasets/org/name/revision/refs%2Fpr%2F7")
        );
        assert_eq!(
            endpoint.tree(&repo, &commit).as_str(),
            format!("{base}/api/datasets/org/name/tree/{commit}?recursive=true&expand=false")
        );
        assert_eq!(
            endpoint.resolve(&repo, &commit, &path).as_str(),
            format!("{base}/datasets/org/name/resolve/{commit}/a%20b/%C3%BC%231%3F%25.json")
        );
        let gpt2: RepoId = "gpt2".parse().unwrap();
        assert_eq!(Endpoint::hub().unwrap().page(&gpt2).as_str(), "https://huggingface.co/gpt2");
    }

    #[test]
    fn refuses_what_is_no_endpoint() {
        for (text, reason) in [
            ("", EndpointError::Malformed),
            ("huggingface.co", EndpointError::Malformed),
            ("https://", EndpointError::Malformed),
            ("ftp://hub.example", EndpointError::Scheme),
            ("https://user:word@hub.example", EndpointError::Surplus),
            ("https://hub.example/?a", EndpointError::Surplus),
            ("https://hub.example/#a", EndpointError::Surplus),
        ] {
            assert_eq!(Endpoint::new(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn redirects_are_followed_within_the_origin() {
        for (endpoint, target, follows) in [
            ("https://hub.example/x", "https://hub.example/y", true),
            ("https://hub.example", "https://hub.example:443/", true),
            ("https://hub.example", "https://HUB.example/", true),
            ("https://hub.example", "http://hub.example/", false),
            ("https://hub.example", "https://hub.example:8443/", false),
            ("https://hub.example", "https://hub.example./", false),
            ("https://hub.example", "https://cdn.hub.example/", false),
            ("http://hub.example", "https://hub.example/", true),
            ("http://hub.example", "https://hub.example:8443/", false),
            ("http://hub.example:8090", "https://hub.example/", false),
            ("http://127.0.0.1:8090", "http://127.0.0.1:8091/", false),
            ("http://127.0.0.1:8090", "http://localhost:8090/", false),
        ] {
            let target = Url::parse(target).unwrap();
            assert_eq!(Endpoint::new(endpoint).unwrap().may_lead_to(&target), follows, "{endpoint} {target}");
        }
    }

    #[test]
    fn what_is_on_this_machine_is_known_by_its_address() {
        for (text, is_here) in [
            ("https://hub.example", false),
            ("http://10.0.0.5:8090", false),
            ("http://127.0.0.1:8090", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:80", true),
            ("http://localhost:80", true),
            ("http://localhost.evil.example", false),
            ("http://127.0.0.1.evil.example", false),
        ] {
            assert_eq!(Endpoint::new(text).unwrap().is_loopback(), is_here, "{text}");
        }
    }
}
