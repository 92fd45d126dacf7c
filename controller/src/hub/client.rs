//! One question to the Hub: its headers, its redirects, its bounds, and trying again.

use std::sync::Mutex;
use std::time::Duration;

use hfdown_agent::http::{
    ExtraRoots, Names, NetworkFault, Proxies, ProxyError, ProxyServer, RedirectError, SetupError,
    client_builder, innermost_cause, redirect_target,
};
use hfdown_protocol::{Address, HubNetwork};
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, RANGE};
use reqwest::{Method, Response, StatusCode};
use tokio::time::timeout;
use url::Url;

use super::body::{Page, read};
use super::error_response::{Resource, printable};
use super::head::UseOfHead;
use super::retry::{HubCooldown, Retrying, retry};
use super::settings::NetworkAccess;
use super::{
    Endpoint, ErrorResponse, HubError, HubSettings, Interception, Nonsense, OtherOrigin, ProxyRefusal, Token,
    TokenSource, Unreached,
};

/// A client of one Hub, with or without a user's token.
#[derive(Debug)]
pub struct Hub {
    endpoint: Endpoint,
    /// Marked sensitive, so that even `Debug` does not show it.
    authorization: Option<HeaderValue>,
    credential: Credential,
    token_source: Option<TokenSource>,
    pub(super) client: reqwest::Client,
    /// The same for bytes that are read as fast as an agent takes them, which decides how long it waits.
    pub(super) patient: reqwest::Client,
    pub(super) use_of_head: Mutex<UseOfHead>,
    names: Names,
    proxies: Proxies,
    roots: ExtraRoots,
    pub(super) settings: HubSettings,
    pub(super) cooldown: HubCooldown,
}

/// Why a Hub can't be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum HubSetupError {
    /// The network can't be used.
    #[error(transparent)]
    Network(#[from] SetupError),
    /// A variable names a proxy that can't be understood.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
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

/// How a question ended.
pub(super) enum FinalResponse {
    /// With an answer of this address.
    Answered(Url, Response),
    /// With a redirect to this address of another origin, which was not asked.
    OtherOrigin(Address),
}

impl Hub {
    /// A client that trusts these roots beside the bundled ones.
    pub fn new(
        endpoint: Endpoint,
        token: Option<&Token>,
        roots: &ExtraRoots,
        proxies: Proxies,
        settings: HubSettings,
    ) -> Result<Self, HubSetupError> {
        proxies.check(endpoint.url())?;
        let proxy = proxies.for_url(endpoint.url())?;
        // A plain question to this machine stays on it, unless a proxy elsewhere takes it.
        let keeps_secrets = endpoint.is_encrypted()
            || (endpoint.is_loopback() && proxy.is_none_or(|proxy| proxy.is_on_this_machine()));
        let credential = match token {
            None => Credential::Absent,
            Some(_) if keeps_secrets => Credential::Sent,
            Some(_) => Credential::Withheld,
        };
        let authorization = token.filter(|_| credential == Credential::Sent).map(Token::header);
        // Compressed answers have no length to compare with the listing's.
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]);
        let names = Names::default();
        let build = |idle: Option<Duration>| {
            let client = client_builder(roots, &names, &proxies)?
                .default_headers(headers.clone())
                .connect_timeout(settings.connect);
            let client = match idle {
                Some(idle) => client.read_timeout(idle),
                None => client,
            };
            client.build().map_err(|error| SetupError::Client(innermost_cause(&error)))
        };
        let (client, patient) = (build(Some(settings.idle))?, build(None)?);
        let (cooldown, use_of_head) = (HubCooldown::default(), Mutex::default());
        let roots = roots.clone();
        let token_source = token.map(|token| token.source().clone());
        Ok(Self {
            endpoint,
            authorization,
            credential,
            token_source,
            client,
            patient,
            use_of_head,
            names,
            proxies,
            roots,
            settings,
            cooldown,
        })
    }

    /// The Hub that is asked.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Its host, and its port where that is not the usual one.
    pub fn host(&self) -> String {
        let url = self.endpoint.url();
        let host = url.host_str().unwrap_or_default();
        url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// In what kind of network it is, once it has been asked.
    pub fn network(&self) -> HubNetwork {
        self.names.network_of(self.endpoint.url())
    }

    /// Whether a question to this machine stays on it: no proxy elsewhere takes it.
    pub(super) fn stays_here(&self, url: &Url) -> bool {
        let proxy = self.proxies.for_url(url);
        proxy.is_ok_and(|proxy| proxy.is_none_or(|proxy| proxy.is_on_this_machine()))
    }

    /// What its names stand for.
    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// Where the token came from, if there is one.
    pub fn token_source(&self) -> Option<&TokenSource> {
        self.token_source.as_ref()
    }

    /// The proxy that the Hub is asked through, in words.
    pub fn proxy(&self) -> Option<String> {
        Some(self.proxies.for_url(self.endpoint.url()).ok().flatten()?.to_string())
    }

    /// The proxy that keeps a token from being sent to a Hub on this machine, if one does.
    pub fn withheld_for(&self) -> Option<String> {
        self.proxy().filter(|_| self.endpoint.is_loopback())
    }

    /// Whether a token goes with the questions.
    pub fn credential(&self) -> Credential {
        self.credential
    }

    /// Reads what an address holds, up to `bound` bytes, with everything that can help: redirects within the endpoint's
    /// origin and further tries. Whatever is read is the Hub's own word: where a redirect leads out of its origin, only
    /// this machine may be able to go there, and what is there is not for a box.
    pub(super) async fn get(&self, resource: Resource, url: &Url, bound: u64) -> Result<Page, HubError> {
        self.with_retries(url, || async {
            match self.exchange(&self.client, &Method::GET, url, resource, None).await? {
                FinalResponse::Answered(url, response) => {
                    Interception::check(&url, response.headers())?;
                    read(url, response, bound, self.settings.floor).await
                }
                FinalResponse::OtherOrigin(address) => Err(self.elsewhere(url, &address)),
            }
        })
        .await
    }

    /// A question that another origin is to answer.
    pub(super) fn elsewhere(&self, asked: &Url, address: &Address) -> HubError {
        let target = address.expose();
        let origin = printable(&target.origin().ascii_serialization());
        // The same question, below another path.
        let endpoint = self.endpoint.path_below(asked).and_then(|path| target.path().strip_suffix(path));
        let endpoint = endpoint.map(|prefix| printable(&format!("{origin}{prefix}")));
        let credential = self.credential;
        nonsense(asked, Nonsense::OtherOrigin(OtherOrigin { origin, endpoint, credential }))
    }

    /// Wraps one attempt in its deadline and in further tries.
    pub(super) async fn with_retries<T, F>(&self, url: &Url, attempt: impl Fn() -> F) -> Result<T, HubError>
    where
        F: Future<Output = Result<T, HubError>>,
    {
        if self.settings.network == NetworkAccess::Forbidden {
            return Err(HubError::Offline { asked: shown(url) });
        }
        let attempt = || async {
            timeout(self.settings.whole, attempt()).await.unwrap_or_else(|_| {
                let detail = format!("not complete after {} s", self.settings.whole.as_secs());
                Err(HubError::Unreachable(Box::new(Unreached::new(
                    shown(url),
                    NetworkFault::Timeout,
                    detail,
                ))))
            })
        };
        retry(&self.settings.retries, &self.settings.observer, &self.cooldown, attempt).await
    }

    /// Says that a question will be asked again.
    pub(super) fn tell_listed(&self, files: usize) {
        self.settings.paging.tell(files);
    }

    pub(super) fn tell(&self, retrying: Retrying<'_>) {
        self.settings.observer.tell(retrying);
    }

    /// One attempt: sends, follows redirects by hand within the endpoint's origin, and tells refusals from answers.
    pub(super) async fn exchange(
        &self,
        client: &reqwest::Client,
        method: &Method,
        start: &Url,
        resource: Resource,
        range: Option<&str>,
    ) -> Result<FinalResponse, HubError> {
        let mut url = start.clone();
        for _ in 0..=HOPS {
            let proxy = self.proxies.for_url(&url).map_err(|error| misconfigured(&url, &error))?;
            let mut request = client.request(method.clone(), url.clone());
            if let Some(range) = range {
                request = request.header(RANGE, range);
            }
            if let Some(token) = self.authorization.as_ref().filter(|_| self.endpoint.is_origin_of(&url)) {
                request = request.header(AUTHORIZATION, token.clone());
            }
            let response = match request.send().await {
                Ok(response) => response,
                Err(error) => return Err(self.unanswered(&url, proxy.as_deref(), &error).await),
            };
            if let (StatusCode::PROXY_AUTHENTICATION_REQUIRED, Some(proxy)) = (response.status(), &proxy) {
                return Err(HubError::Proxy(Box::new(ProxyRefusal::new(
                    shown(&url),
                    proxy.of_407(response.headers()),
                ))));
            }
            if response.status().is_success() {
                return Ok(FinalResponse::Answered(url, response));
            }
            if !response.status().is_redirection() {
                return Err(ErrorResponse::read(shown(&url), self.credential, response)
                    .await
                    .into_error(resource));
            }
            let next = redirected(&url, response.headers())?;
            if !self.endpoint.may_lead_to(next.expose()) {
                return Ok(FinalResponse::OtherOrigin(next));
            }
            url = next.expose().clone();
        }
        Err(nonsense(start, Nonsense::Redirects(HOPS)))
    }
}

impl Hub {
    /// Why there was no answer, which may be for the proxy to answer for.
    async fn unanswered(&self, url: &Url, proxy: Option<&ProxyServer>, error: &reqwest::Error) -> HubError {
        let mut unreached = Unreached::new(shown(url), NetworkFault::of(error), innermost_cause(error));
        if let Some(proxy) = proxy {
            if unreached.fault != NetworkFault::Certificate
                && let Some(fault) = proxy.examine(url, &self.names, &self.roots).await
            {
                return HubError::Proxy(Box::new(ProxyRefusal::new(shown(url), fault)));
            }
            unreached.through = Some(proxy.to_string());
        }
        HubError::Unreachable(Box::new(unreached))
    }
}

fn redirected(from: &Url, headers: &HeaderMap) -> Result<Address, HubError> {
    redirect_target(from, headers).map_err(|error| {
        let what = match error {
            RedirectError::Downgrade => Nonsense::Downgrade,
            RedirectError::NoLocation | RedirectError::Address(_) => Nonsense::Location,
        };
        nonsense(from, what)
    })
}

pub(super) fn nonsense(url: &Url, what: Nonsense) -> HubError {
    HubError::Nonsense { asked: shown(url), what }
}

/// An address as it may be printed: without its query, which may be a signature.
pub(super) fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Requests are not made where a proxy can't be understood; that was checked for those of the Hub.
fn misconfigured(url: &Url, error: &ProxyError) -> HubError {
    HubError::Unreachable(Box::new(Unreached::new(shown(url), NetworkFault::Connect, error.to_string())))
}

pub(super) fn unreached(url: &Url, error: &reqwest::Error) -> HubError {
    let unreached = Unreached::new(shown(url), NetworkFault::of(error), innermost_cause(error));
    HubError::Unreachable(Box::new(unreached))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::LOCATION;

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
    fn addresses_are_shown_without_their_query() {
        let url = Url::parse("https://cdn.example/a/b?Signature=secret#x").unwrap();
        assert_eq!(shown(&url), "https://cdn.example/a/b");
        assert!(!nonsense(&url, Nonsense::Commit).to_string().contains("secret"));
    }
}
