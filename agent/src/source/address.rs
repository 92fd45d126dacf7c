//! Bytes from an address over HTTP: one request, from an address to an answer that is known to be what was asked for.

use hfdown_protocol::{Address, HubNetwork};
use reqwest::header::{ACCEPT_ENCODING, RANGE};
use reqwest::{Response, StatusCode};
use url::Url;

use super::chunk::{Chunk, Extent};
use super::head::Expected;
use super::network::Network;
use crate::fault::FetchFault;
use crate::http::{
    NetworkFault, ProxyServer, RedirectError, innermost_cause, literal_network, redirect_target,
    refusal_body, refusal_text, refused_address,
};

/// The Hub needs two hops, a renamed repository behind a mirror four.
const HOPS: usize = 10;

/// Who says that bytes are at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamedBy {
    /// The controller: it is the Hub's own address.
    Controller,
    /// A Hub in such a network, by a redirect. It may be wherever the Hub is, or where all can go.
    Hub(HubNetwork),
    /// The Xet store of such a Hub, for a while: where it is refused, that is over.
    Store(HubNetwork),
}

/// An answer whose head is right.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) stream: AddressStream,
    /// The address that answered, when it was not the one that was asked, and where the Hub is that led there.
    pub(super) redirected_to: Option<(Address, HubNetwork)>,
}

/// The body of an answer, still to be read.
#[derive(Debug)]
pub(crate) struct AddressStream {
    host: String,
    position: u64,
    response: Response,
    /// The listed size of a file that is no web page, where one comes in its place, or is said to.
    page_for: Option<u64>,
}

/// Asks for an extent of a file of `total` bytes, where that is known, following redirects by hand: no credential is
/// ever sent, an https address never leads to an http one, and this machine connects to none in a private network to which
/// a Hub on the open Internet leads.
pub(super) async fn ask(
    network: &Network,
    address: &Address,
    named_by: NamedBy,
    extent: &Extent,
    total: Option<u64>,
) -> Result<Answered, FetchFault> {
    let mut at = address.clone();
    let mut redirected = false;
    let mut hub = match named_by {
        NamedBy::Controller => None,
        NamedBy::Hub(hub) | NamedBy::Store(hub) => Some(hub),
    };
    for _ in 0..HOPS {
        let host = host_of(at.expose());
        let proxy = network
            .proxies
            .for_url(at.expose())
            .map_err(|error| FetchFault::ProxySetting(Box::new(error)))?;
        // Where a proxy connects, it decides to what.
        if hub == Some(HubNetwork::Public) && proxy.is_none() {
            admit(network, at.expose(), &host)?;
        }
        network.cooldowns.check(&host)?;
        let mut request = network.client.get(at.expose().clone()).header(ACCEPT_ENCODING, "identity");
        if let Extent::Range(range) = extent {
            request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end - 1));
        }
        let waits = network.waiting.enter();
        let response = tokio::time::timeout(network.stall, request.send()).await;
        drop(waits);
        let response = match response {
            Err(_) => {
                let stalled = |host| FetchFault::Stalled { host, after: network.stall };
                return Err(unanswered(network, at.expose(), host, proxy.as_deref(), stalled).await);
            }
            Ok(Err(error)) => {
                let broken = |host| broken(host, &error);
                let trusted = NetworkFault::of(&error) != NetworkFault::Certificate;
                let proxy = proxy.as_deref().filter(|_| trusted);
                return Err(unanswered(network, at.expose(), host, proxy, broken).await);
            }
            Ok(Ok(response)) => response,
        };
        if let (StatusCode::PROXY_AUTHENTICATION_REQUIRED, Some(proxy)) = (response.status(), &proxy) {
            return Err(FetchFault::Proxy { fault: Box::new(proxy.of_407(response.headers())) });
        }
        if !response.status().is_redirection() {
            let has_query = at.expose().query().is_some();
            let expected =
                Expected { host: &host, extent, total, has_query, is_page: is_page(address.expose()) };
            let checked = expected.check(response.status(), response.headers());
            if let Err(fault) = checked {
                network.cooldowns.heed(&fault);
                let fault = with_reason(fault, response).await;
                if let NamedBy::Store(_) = named_by {
                    return Err(stale(fault));
                }
                let was_led = redirected || named_by != NamedBy::Controller;
                let is_at_home =
                    named_by == NamedBy::Controller && at.expose().origin() == address.expose().origin();
                return Err(match (is_at_home, was_led) {
                    (true, _) => unauthorized(fault),
                    (false, true) => without_token(fault, at.expose()),
                    (false, false) => fault,
                });
            }
            let page_for = total.filter(|_| expected.is_foreign_page(response.headers()));
            let position = match extent {
                Extent::Whole => 0,
                Extent::Range(range) => range.start,
            };
            let redirected_to = hub.filter(|_| redirected).map(|hub| (at, hub));
            let stream = AddressStream { host, position, response, page_for };
            return Ok(Answered { stream, redirected_to });
        }
        // Known by now: it has been connected to.
        hub = hub.or_else(|| Some(network.names.network_of(at.expose())));
        at = redirect_target(at.expose(), response.headers()).map_err(|error| {
            let what = match error {
                RedirectError::NoLocation => format!("answered {} {error}", response.status()),
                error => format!("redirects to an address that is {error}"),
            };
            FetchFault::Nonsense { host, what }
        })?;
        redirected = true;
    }
    Err(FetchFault::Nonsense {
        host: host_of(at.expose()),
        what: format!("redirects more than {HOPS} times"),
    })
}

impl AddressStream {
    pub(super) async fn next(&mut self) -> Result<Option<Chunk>, FetchFault> {
        let bytes = self.response.chunk().await.map_err(|error| broken(self.host.clone(), &error))?;
        match (&bytes, self.page_for) {
            (None, Some(listed)) if self.position != listed => {
                let what = format!("{} bytes", self.position);
                return Err(FetchFault::Page { host: self.host.clone(), what, listed });
            }
            (Some(bytes), Some(listed)) if self.position + bytes.len() as u64 > listed => {
                let what = format!("more than {} bytes", self.position);
                return Err(FetchFault::Page { host: self.host.clone(), what, listed });
            }
            _ => {}
        }
        Ok(bytes.map(|bytes| {
            let (offset, wire) = (self.position, bytes.len() as u64);
            self.position += wire;
            Chunk { offset, bytes, wire }
        }))
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }
}

/// Checks where a Hub on the open Internet leads to: not to what only this machine can reach. Behind a name this is seen
/// when it is connected to.
fn admit(network: &Network, url: &Url, host: &str) -> Result<(), FetchFault> {
    let refused = |what: &str| Err(FetchFault::Nonsense { host: host.to_owned(), what: what.to_owned() });
    match (literal_network(url), url.host_str()) {
        (Some(HubNetwork::Public), _) => Ok(()),
        (None, Some(name)) => match network.names.guard(name) {
            Ok(()) => Ok(()),
            Err(_) => refused("is one host of more than a Hub leads to"),
        },
        (Some(HubNetwork::Private), _) | (None, None) => {
            refused("is in a private network, and the Hub that leads there is not")
        }
    }
}

/// A refusal by the Hub itself, at an address that is said to be public.
fn unauthorized(fault: FetchFault) -> FetchFault {
    match fault {
        FetchFault::Refused { host, status: status @ (401 | 403), why }
        | FetchFault::Stale { host, status: status @ (401 | 403), why } => {
            FetchFault::Unauthorized { host, status, why }
        }
        fault => fault,
    }
}

/// What a refusal means at an address that is good for a while.
fn stale(fault: FetchFault) -> FetchFault {
    match fault {
        FetchFault::Refused { host, status: status @ (401 | 403), why }
        | FetchFault::Missing { host, status: status @ 410, why } => FetchFault::Stale { host, status, why },
        fault => fault,
    }
}

/// The host of an address, for messages.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A refusal with what its body says, unless its head has said it.
async fn with_reason(fault: FetchFault, mut response: Response) -> FetchFault {
    let is_mute = matches!(
        &fault,
        FetchFault::Stale { why, .. } | FetchFault::Refused { why, .. } | FetchFault::Missing { why, .. } if why.is_empty()
    );
    if !is_mute {
        return fault;
    }
    let body = refusal_body(&mut response).await;
    fault.with_reason(refusal_text(response.headers(), &body))
}

/// A refusal of a host that the Hub has led to, which may want what it was not sent.
fn without_token(mut fault: FetchFault, url: &Url) -> FetchFault {
    if let FetchFault::Refused { status: 401 | 403, why, .. } = &mut fault {
        let origin = url.origin().ascii_serialization();
        why.push_str(" (the Hub led there, and its token was left behind; if that is the Hub that you mean, set HF_ENDPOINT=");
        why.push_str(&origin);
        why.push(')');
    }
    fault
}

/// Whether a file is a web page, by its name.
fn is_page(url: &Url) -> bool {
    let path = url.path().to_ascii_lowercase();
    [".html", ".htm", ".xhtml"].iter().any(|end| path.ends_with(end))
}

/// Why there was no answer, which may be for the proxy to answer for.
async fn unanswered(
    network: &Network,
    url: &Url,
    host: String,
    proxy: Option<&ProxyServer>,
    fault: impl FnOnce(String) -> FetchFault,
) -> FetchFault {
    let Some(proxy) = proxy else { return fault(host) };
    match proxy.examine(url, &network.names, &network.roots).await {
        Some(fault) => FetchFault::Proxy { fault: Box::new(fault) },
        None => fault(format!("{host} through {proxy}")),
    }
}

/// What failed on the network.
fn broken(host: String, error: &reqwest::Error) -> FetchFault {
    if let Some(address) = refused_address(error) {
        let what = format!("is in a private network ({address}), and the Hub that leads there is not");
        return FetchFault::Nonsense { host, what };
    }
    let why = innermost_cause(error);
    match NetworkFault::of(error) {
        NetworkFault::Broken => FetchFault::Broken { host, why },
        NetworkFault::Certificate => FetchFault::Untrusted { host, why },
        // Of TCP itself: the client bounds only the time to connect.
        NetworkFault::Timeout if !error.is_connect() => FetchFault::Broken { host, why },
        NetworkFault::Name | NetworkFault::Connect | NetworkFault::Timeout => {
            FetchFault::Connect { host, why }
        }
    }
}
