//! Bytes from an address over HTTP: one request, from an address to an answer that is known to be what was asked for.

use hfdown_protocol::{Address, HubNetwork};
use reqwest::StatusCode;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, RANGE};
use url::Url;

use super::chunk::{Chunk, Extent};
use super::head::Expected;
use super::network::Network;
use crate::fault::FetchFault;
use crate::http::{
    HttpAnswer, NetworkFault, ProxyServer, RedirectError, TransportError, literal_network, redirect_target,
    refusal_body, refusal_text,
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
    answer: HttpAnswer,
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
        let waits = network.waiting.enter();
        let asked = network.transport.get(at.expose(), headers(extent));
        let answer = tokio::time::timeout(network.stall, asked).await;
        drop(waits);
        let answer = match answer {
            Err(_) => {
                let host = through(host, proxy.as_deref());
                return Err(FetchFault::Stalled { host, after: network.stall });
            }
            Ok(Err(error)) => return Err(broken(through(host, proxy.as_deref()), error)),
            Ok(Ok(answer)) => answer,
        };
        if let (StatusCode::PROXY_AUTHENTICATION_REQUIRED, Some(proxy)) = (answer.status(), &proxy) {
            return Err(FetchFault::Proxy { fault: Box::new(proxy.of_407(answer.headers())) });
        }
        if !answer.status().is_redirection() {
            let has_query = at.expose().query().is_some();
            let expected =
                Expected { host: &host, extent, total, has_query, is_page: is_page(address.expose()) };
            let checked = expected.check(answer.status(), answer.headers());
            if let Err(fault) = checked {
                network.cooldowns.heed(&fault);
                let fault = with_reason(fault, answer).await;
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
            let page_for = total.filter(|_| expected.is_foreign_page(answer.headers()));
            let position = match extent {
                Extent::Whole => 0,
                Extent::Range(range) => range.start,
            };
            let redirected_to = hub.filter(|_| redirected).map(|hub| (at, hub));
            let stream = AddressStream { host, position, answer, page_for };
            return Ok(Answered { stream, redirected_to });
        }
        // Known by now: it has been connected to.
        hub = hub.or_else(|| Some(network.names.network_of(at.expose())));
        at = redirect_target(at.expose(), answer.headers()).map_err(|error| {
            let what = match error {
                RedirectError::NoLocation => format!("answered {} {error}", answer.status()),
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
        let bytes = self.answer.chunk().await.map_err(|error| broken(self.host.clone(), error))?;
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
async fn with_reason(fault: FetchFault, mut answer: HttpAnswer) -> FetchFault {
    let is_mute = matches!(
        &fault,
        FetchFault::Stale { why, .. } | FetchFault::Refused { why, .. } | FetchFault::Missing { why, .. } if why.is_empty()
    );
    if !is_mute {
        return fault;
    }
    let body = refusal_body(&mut answer).await;
    fault.with_reason(refusal_text(answer.headers(), &body))
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

/// What a request says beside its address.
fn headers(extent: &Extent) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]);
    if let Extent::Range(range) = extent {
        let range = HeaderValue::from_str(&format!("bytes={}-{}", range.start, range.end - 1));
        headers.extend(range.ok().map(|range| (RANGE, range)));
    }
    headers
}

/// A host as it is reached, for messages.
fn through(host: String, proxy: Option<&ProxyServer>) -> String {
    match proxy {
        Some(proxy) => format!("{host} through {proxy}"),
        None => host,
    }
}

/// What failed on the network.
fn broken(host: String, error: TransportError) -> FetchFault {
    let (fault, why) = match error {
        TransportError::Network(fault, why) => (fault, why),
        TransportError::Private(address) => {
            let what = format!("is in a private network ({address}), and the Hub that leads there is not");
            return FetchFault::Nonsense { host, what };
        }
        TransportError::Proxy(fault) => return FetchFault::Proxy { fault },
    };
    match fault {
        NetworkFault::Broken => FetchFault::Broken { host, why },
        NetworkFault::Certificate => FetchFault::Untrusted { host, why },
        NetworkFault::Name | NetworkFault::Connect | NetworkFault::Timeout => {
            FetchFault::Connect { host, why }
        }
    }
}
