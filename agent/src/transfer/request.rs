//! One request: from an address to an answer that is known to be what was asked for.

use std::ops::Range;
use std::time::Duration;

use hfdown_protocol::{Address, Report};
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue, RANGE,
};
use reqwest::{Client, Response, StatusCode};
use tokio::sync::mpsc;
use url::Url;

use super::cooldowns::Cooldowns;
use crate::fault::Fault;
use crate::http::{NetworkFault, RedirectError, asked_wait, innermost_cause, redirect_target};
use crate::source::PendingSources;

/// The Hub needs two hops, a renamed repository behind a mirror four.
const HOPS: usize = 10;

/// What a request needs from its environment.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) client: Client,
    pub(crate) stall: Duration,
    pub(crate) cooldowns: Cooldowns,
    pub(crate) pending: PendingSources,
    pub(crate) reports: mpsc::Sender<Report>,
}

/// Which bytes to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// All of it, without a `Range`.
    Whole,
    /// These.
    Range(Range<u64>),
}

/// An answer whose head is right; its body is still to be read.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) response: Response,
    /// The address that answered, when it was not the one that was asked.
    pub(crate) redirected_to: Option<Address>,
}

/// Asks for bytes of a file of `size` bytes, following redirects by hand: no credential is ever sent, and an https
/// address never leads to an http one.
pub(crate) async fn send(
    through: &Network,
    address: &Address,
    asked: &Asked,
    size: u64,
) -> Result<Answered, Fault> {
    let mut at = address.clone();
    let mut redirected = false;
    for _ in 0..HOPS {
        let host = host_of(at.expose());
        through.cooldowns.check(&host)?;
        let mut request = through.client.get(at.expose().clone()).header(ACCEPT_ENCODING, "identity");
        if let Asked::Range(range) = asked {
            request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end - 1));
        }
        let response = match tokio::time::timeout(through.stall, request.send()).await {
            Err(_) => return Err(Fault::Stalled { host, after: through.stall }),
            Ok(Err(error)) => return Err(network(host, &error)),
            Ok(Ok(response)) => response,
        };
        if !response.status().is_redirection() {
            check(&host, &at, &response, asked, size).inspect_err(|fault| through.cooldowns.heed(fault))?;
            return Ok(Answered { response, redirected_to: redirected.then_some(at) });
        }
        at = redirect_target(at.expose(), response.headers()).map_err(|error| {
            let what = match error {
                RedirectError::NoLocation => format!("answered {} {error}", response.status()),
                error => format!("redirects to an address that is {error}"),
            };
            Fault::Nonsense { host, what }
        })?;
        redirected = true;
    }
    Err(Fault::Nonsense { host: host_of(at.expose()), what: format!("redirects more than {HOPS} times") })
}

/// The host of an address, for messages.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// What failed on the network.
pub(crate) fn network(host: String, error: &reqwest::Error) -> Fault {
    let why = innermost_cause(error);
    match NetworkFault::of(error) {
        NetworkFault::Broken => Fault::Broken { host, why },
        NetworkFault::Certificate => Fault::Untrusted { host, why },
        // Only the time to connect has a bound in the client.
        NetworkFault::Name | NetworkFault::Connect | NetworkFault::Timeout => Fault::Connect { host, why },
    }
}

fn check(host: &str, at: &Address, response: &Response, asked: &Asked, size: u64) -> Result<(), Fault> {
    let host = host.to_owned();
    let headers = response.headers();
    let status = response.status();
    match (status, asked) {
        (StatusCode::PARTIAL_CONTENT, Asked::Range(range)) => check_range(&host, headers, range, size)?,
        (StatusCode::OK, Asked::Whole) => check_length(&host, headers, size)?,
        // The whole range and the whole file are the same bytes.
        (StatusCode::OK, Asked::Range(range)) if *range == (0..size) => check_length(&host, headers, size)?,
        (StatusCode::OK, Asked::Range(_)) => return Err(Fault::RangeIgnored { host }),
        _ => return Err(refusal(host, at, status, headers)),
    }
    match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(()),
        Some(_) => Err(Fault::Nonsense { host, what: "compresses what was asked for as it is".to_owned() }),
    }
}

fn refusal(host: String, at: &Address, status: StatusCode, headers: &HeaderMap) -> Fault {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let why = match (text("x-error-code"), text("x-error-message")) {
        ("", message) => message.to_owned(),
        (code, "") => code.to_owned(),
        (code, message) => format!("{code}: {message}"),
    };
    // The Hub names its reasons; a CDN that refuses a signed address does not.
    let is_signed = why.is_empty() && at.expose().query().is_some();
    let code = status.as_u16();
    match code {
        401 | 403 | 410 if is_signed => Fault::Stale { host, status: code },
        401 | 403 | 451 => Fault::Refused { host, status: code, why },
        404 | 410 => Fault::Missing { host, status: code, why },
        429 => Fault::RateLimited { host, status: code, wait: asked_wait(headers) },
        408 | 425 | 500..=599 => Fault::Server { host, status: code, wait: asked_wait(headers) },
        _ => Fault::Nonsense { host, what: format!("answered {code}") },
    }
}

fn check_range(host: &str, headers: &HeaderMap, range: &Range<u64>, size: u64) -> Result<(), Fault> {
    let said = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let expected = format!("bytes {}-{}/", range.start, range.end - 1);
    match said.strip_prefix(&expected) {
        Some(total) if total == "*" || total.parse() == Ok(size) => Ok(()),
        _ => {
            let what = format!("answered `Content-Range: {said}` to a request for {expected}{size}");
            Err(Fault::Nonsense { host: host.to_owned(), what })
        }
    }
}

fn check_length(host: &str, headers: &HeaderMap, size: u64) -> Result<(), Fault> {
    let said: Option<u64> = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    match said {
        Some(length) if length != size => {
            let what = format!("sends {length} bytes where the Hub lists {size}");
            Err(Fault::Nonsense { host: host.to_owned(), what })
        }
        _ => Ok(()),
    }
}
