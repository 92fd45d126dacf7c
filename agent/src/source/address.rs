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
    refused_address,
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
}

/// Asks for an extent of a file of `total` bytes, where that is known, following redirects by hand: no credential is
/// ever sent, an https address never leads to an http one, and none from the open Internet into a private network.
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
        NamedBy::Hub(hub) => Some(hub),
    };
    for _ in 0..HOPS {
        let host = host_of(at.expose());
        if hub == Some(HubNetwork::Public) {
            admit(network, at.expose(), &host)?;
        }
        network.cooldowns.check(&host)?;
        let proxy = network
            .proxies
            .for_url(at.expose())
            .map_err(|error| FetchFault::ProxySetting(Box::new(error)))?;
        let mut request = network.client.get(at.expose().clone()).header(ACCEPT_ENCODING, "identity");
        if let Extent::Range(range) = extent {
            request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end - 1));
        }
        let waits = network.waiting.enter();
        let response = tokio::time::timeout(network.stall, request.send()).await;
        drop(waits);
        let response = match response {
            Err(_) => return Err(FetchFault::Stalled { host, after: network.stall }),
            Ok(Err(error)) => {
                return Err(unanswered(network, at.expose(), host, proxy.as_deref(), &error).await);
            }
            Ok(Ok(response)) => response,
        };
        if let (StatusCode::PROXY_AUTHENTICATION_REQUIRED, Some(proxy)) = (response.status(), &proxy) {
            return Err(FetchFault::Proxy { fault: Box::new(proxy.of_407(response.headers())) });
        }
        if !response.status().is_redirection() {
            let expected = Expected { host: &host, extent, total, has_query: at.expose().query().is_some() };
            let checked = expected.check(response.status(), response.headers());
            checked.inspect_err(|fault| network.cooldowns.heed(fault))?;
            let position = match extent {
                Extent::Whole => 0,
                Extent::Range(range) => range.start,
            };
            let redirected_to = hub.filter(|_| redirected).map(|hub| (at, hub));
            return Ok(Answered { stream: AddressStream { host, position, response }, redirected_to });
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

/// The host of an address, for messages.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Why there was no answer, which may be for the proxy to answer for.
async fn unanswered(
    network: &Network,
    url: &Url,
    host: String,
    proxy: Option<&ProxyServer>,
    error: &reqwest::Error,
) -> FetchFault {
    let Some(proxy) = proxy else { return broken(host, error) };
    if NetworkFault::of(error) != NetworkFault::Certificate
        && let Some(fault) = proxy.examine(url, &network.names, &network.roots).await
    {
        return FetchFault::Proxy { fault: Box::new(fault) };
    }
    broken(format!("{host} through {proxy}"), error)
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
