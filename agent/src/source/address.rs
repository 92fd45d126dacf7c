//! Bytes from an address over HTTP: one request, from an address to an answer that is known to be what was asked for.

use hfdown_protocol::Address;
use reqwest::Response;
use reqwest::header::{ACCEPT_ENCODING, RANGE};
use url::Url;

use super::chunk::{Chunk, Extent};
use super::head::Expected;
use super::network::Network;
use crate::fault::FetchFault;
use crate::http::{NetworkFault, RedirectError, innermost_cause, redirect_target};

/// The Hub needs two hops, a renamed repository behind a mirror four.
const HOPS: usize = 10;

/// An answer whose head is right.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) stream: AddressStream,
    /// The address that answered, when it was not the one that was asked.
    pub(super) redirected_to: Option<Address>,
}

/// The body of an answer, still to be read.
#[derive(Debug)]
pub(crate) struct AddressStream {
    host: String,
    position: u64,
    response: Response,
}

/// Asks for an extent of a file of `total` bytes, where that is known, following redirects by hand: no credential is
/// ever sent, and an https address never leads to an http one.
pub(super) async fn ask(
    network: &Network,
    address: &Address,
    extent: &Extent,
    total: Option<u64>,
) -> Result<Answered, FetchFault> {
    let mut at = address.clone();
    let mut redirected = false;
    for _ in 0..HOPS {
        let host = host_of(at.expose());
        network.cooldowns.check(&host)?;
        let mut request = network.client.get(at.expose().clone()).header(ACCEPT_ENCODING, "identity");
        if let Extent::Range(range) = extent {
            request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end - 1));
        }
        let response = match tokio::time::timeout(network.stall, request.send()).await {
            Err(_) => return Err(FetchFault::Stalled { host, after: network.stall }),
            Ok(Err(error)) => return Err(broken(host, &error)),
            Ok(Ok(response)) => response,
        };
        if !response.status().is_redirection() {
            let expected = Expected { host: &host, extent, total, has_query: at.expose().query().is_some() };
            let checked = expected.check(response.status(), response.headers());
            checked.inspect_err(|fault| network.cooldowns.heed(fault))?;
            let position = match extent {
                Extent::Whole => 0,
                Extent::Range(range) => range.start,
            };
            let redirected_to = redirected.then_some(at);
            return Ok(Answered { stream: AddressStream { host, position, response }, redirected_to });
        }
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

/// The host of an address, for messages.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// What failed on the network.
fn broken(host: String, error: &reqwest::Error) -> FetchFault {
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
