//! One question to the Hub: its headers, its redirects, its bounds, and trying again.

use bytes::{Bytes, BytesMut};
use hfdown_protocol::Address;
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::{ClientBuilder, Method, Response, redirect};
use tokio::time::timeout;
use url::Url;

use super::answer::Subject;
use super::retry::{Truce, persist};
use super::settings::NetworkAccess;
use super::{Answer, Endpoint, HubError, HubSettings, Nonsense, Reason, Token, Unreached};

/// A client of one Hub, with or without a person's token.
#[derive(Debug)]
pub struct Hub {
    endpoint: Endpoint,
    /// Marked sensitive, so that even `Debug` does not show it.
    authorization: Option<HeaderValue>,
    credential: Credential,
    web: reqwest::Client,
    settings: HubSettings,
    truce: Truce,
}

/// Whether a token goes with the questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// There is none.
    Absent,
    /// It goes with every question to the endpoint.
    Sent,
    /// There is one, and it stays here because the endpoint is neither encrypted nor on this machine.
    Withheld,
}

/// How many redirects one question may lead through; a renamed repository behind a mirror needs three.
const HOPS: u32 = 8;

/// Whether redirects may leave the endpoint's origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Border {
    /// They may, and the token stays behind.
    Open,
    /// They may not: where they lead is the answer.
    Closed,
}

/// Where a question ended.
pub(super) enum Landing {
    /// With an answer, from this address.
    Here(Url, Response),
    /// At the border, before this address.
    Elsewhere(Address),
}

/// A whole answer.
pub(super) struct Page {
    /// Where it came from in the end.
    pub(super) url: Url,
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// Its body.
    pub(super) body: Bytes,
}

impl Hub {
    /// A client. `web` brings the TLS settings; redirects, timeouts and headers are settled here.
    pub fn new(
        endpoint: Endpoint,
        token: Option<&Token>,
        web: ClientBuilder,
        settings: HubSettings,
    ) -> Result<Self, HubError> {
        let credential = match token {
            None => Credential::Absent,
            Some(_) if endpoint.keeps_secrets() => Credential::Sent,
            Some(_) => Credential::Withheld,
        };
        let authorization = token.filter(|_| credential == Credential::Sent).map(Token::header);
        // Compressed answers have no length to compare with the listing's.
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]);
        let web = web
            .user_agent(concat!("hfdown/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .http1_only()
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(settings.connect)
            .read_timeout(settings.idle);
        // A token for this machine must not make a detour through a proxy on another.
        let web = if endpoint.is_loopback() { web.no_proxy() } else { web };
        let web = web.build().map_err(|error| HubError::Setup(innermost(&error)))?;
        Ok(Self { endpoint, authorization, credential, web, settings, truce: Truce::default() })
    }

    /// The Hub that is asked.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether a token goes with the questions.
    pub fn credential(&self) -> Credential {
        self.credential
    }

    /// Reads what an address holds, up to `bound` bytes, with everything that can help: redirects and further tries.
    pub(super) async fn get(&self, subject: Subject, url: &Url, bound: u64) -> Result<Page, HubError> {
        self.persistently(url, || async {
            match self.travel(&Method::GET, url, Border::Open, subject).await? {
                Landing::Here(url, response) => read(url, response, bound).await,
                Landing::Elsewhere(_) => Err(nonsense(url, Nonsense::Location)),
            }
        })
        .await
    }

    /// Asks where a file is, without reading it and without leaving the endpoint's origin.
    pub(super) async fn head(&self, url: &Url) -> Result<Landing, HubError> {
        self.persistently(url, || self.travel(&Method::HEAD, url, Border::Closed, Subject::File)).await
    }

    /// Wraps one attempt in its deadline and in further tries.
    async fn persistently<T, F>(&self, url: &Url, attempt: impl Fn() -> F) -> Result<T, HubError>
    where
        F: Future<Output = Result<T, HubError>>,
    {
        if self.settings.network == NetworkAccess::Forbidden {
            return Err(HubError::Offline { asked: shown(url) });
        }
        let attempt = || async {
            timeout(self.settings.whole, attempt()).await.unwrap_or_else(|_| {
                let detail = format!("not complete after {} s", self.settings.whole.as_secs());
                Err(HubError::Unreachable(Box::new(Unreached::new(shown(url), Reason::Timeout, detail))))
            })
        };
        persist(&self.settings.patience, &self.settings.observer, &self.truce, attempt).await
    }

    /// One attempt: sends, follows redirects by hand, and tells refusals from answers.
    async fn travel(
        &self,
        method: &Method,
        start: &Url,
        border: Border,
        subject: Subject,
    ) -> Result<Landing, HubError> {
        let mut url = start.clone();
        let mut authorization = self.authorization.as_ref();
        for _ in 0..=HOPS {
            // Once left behind it does not come back: a stranger's redirect must not choose what the token opens.
            authorization = authorization.filter(|_| self.endpoint.is_origin_of(&url));
            let mut request = self.web.request(method.clone(), url.clone());
            if let Some(token) = authorization {
                request = request.header(AUTHORIZATION, token.clone());
            }
            let response = request.send().await.map_err(|error| unreached(&url, error))?;
            if response.status().is_success() {
                return Ok(Landing::Here(url, response));
            }
            if !response.status().is_redirection() {
                return Err(Answer::read(shown(&url), self.credential, response).await.into_error(subject));
            }
            let next = redirected(&url, response.headers())?;
            if border == Border::Closed && !self.endpoint.is_origin_of(next.expose()) {
                return Ok(Landing::Elsewhere(next));
            }
            url = next.expose().clone();
        }
        Err(nonsense(start, Nonsense::Redirects(HOPS)))
    }
}

/// Where a redirect leads: never from https to http, and never to an address that carries a credential.
fn redirected(from: &Url, headers: &HeaderMap) -> Result<Address, HubError> {
    let location = headers.get(LOCATION).and_then(|value| str::from_utf8(value.as_bytes()).ok());
    let next = location.and_then(|location| from.join(location).ok());
    let next = next.ok_or_else(|| nonsense(from, Nonsense::Location))?;
    if from.scheme() == "https" && next.scheme() == "http" {
        return Err(nonsense(from, Nonsense::Downgrade));
    }
    Address::new(next.as_str()).map_err(|_| nonsense(from, Nonsense::Location))
}

async fn read(url: Url, mut response: Response, bound: u64) -> Result<Page, HubError> {
    let too_long = || nonsense(&url, Nonsense::TooLong(bound));
    if response.content_length().is_some_and(|length| length > bound) {
        return Err(too_long());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreached(&url, error))? {
        if (body.len() + chunk.len()) as u64 > bound {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Page { headers: response.headers().clone(), body: body.freeze(), url })
}

pub(super) fn nonsense(url: &Url, what: Nonsense) -> HubError {
    HubError::Nonsense { asked: shown(url), what }
}

/// An address as it may be printed: without its query, which may be a signature.
pub(super) fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

fn unreached(url: &Url, error: reqwest::Error) -> HubError {
    let error = error.without_url();
    let reason = if error.is_timeout() {
        Reason::Timeout
    } else if error.is_dns() {
        Reason::Name
    } else if !error.is_connect() {
        Reason::Broken
    } else if causes(&error).any(is_distrust) {
        Reason::Tls
    } else {
        Reason::Connect
    };
    let mut detail = innermost(&error);
    // The resolver goes on with its question, as Rust prints it.
    detail.truncate(detail.find(" for Query {").unwrap_or(detail.len()));
    HubError::Unreachable(Box::new(Unreached::new(shown(url), reason, detail)))
}

/// rustls reports a bad certificate as an I/O error of this kind, and nothing else while connecting does. Connectors
/// wrap it in further I/O errors, whose `source` skips what they wrap.
fn is_distrust(error: &(dyn std::error::Error + 'static)) -> bool {
    let Some(error) = error.downcast_ref::<std::io::Error>() else { return false };
    error.kind() == std::io::ErrorKind::InvalidData || error.get_ref().is_some_and(|inner| is_distrust(inner))
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// The last cause says what happened; the ones before it say that it did.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    #[test]
    fn redirects_stay_encrypted_and_carry_no_credential() {
        let follow = |from: &str, location: &'static str| {
            let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(location))]);
            match redirected(&Url::parse(from).unwrap(), &headers) {
                Ok(address) => Ok(address.expose().to_string()),
                Err(HubError::Nonsense { what, .. }) => Err(what),
                Err(other) => panic!("{other}"),
            }
        };
        let hub = "https://hub.example/a/b?c";
        for (from, location, expected) in [
            (hub, "/x?y", Ok("https://hub.example/x?y")),
            (hub, "https://cdn.example/x?Signature=s", Ok("https://cdn.example/x?Signature=s")),
            (hub, "http://hub.example/x", Err(Nonsense::Downgrade)),
            ("http://hub.example/a", "http://hub.example/x", Ok("http://hub.example/x")),
            ("http://hub.example/a", "https://hub.example/x", Ok("https://hub.example/x")),
            (hub, "https://user:word@cdn.example/x", Err(Nonsense::Location)),
            (hub, "file:///etc/passwd", Err(Nonsense::Location)),
            (hub, "https://[", Err(Nonsense::Location)),
        ] {
            assert_eq!(follow(from, location), expected.map(str::to_owned), "{location}");
        }
        let nowhere = redirected(&Url::parse(hub).unwrap(), &HeaderMap::new());
        assert!(matches!(nowhere, Err(HubError::Nonsense { what: Nonsense::Location, .. })));
    }

    #[test]
    fn distrust_is_found_below_other_errors() {
        let distrust =
            Error::other(Error::other(Error::new(ErrorKind::InvalidData, "invalid peer certificate")));
        assert!(is_distrust(&distrust));
        assert!(!is_distrust(&Error::from(ErrorKind::ConnectionRefused)));
    }

    #[test]
    fn addresses_are_shown_without_their_query() {
        let url = Url::parse("https://cdn.example/a/b?Signature=secret#x").unwrap();
        assert_eq!(shown(&url), "https://cdn.example/a/b");
        assert!(!nonsense(&url, Nonsense::Commit).to_string().contains("secret"));
    }
}
