//! Requests and their answers.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, HeaderMap, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::Url;

use super::connector::Connector;
use super::error::TransportError;
use crate::http::{ExtraRoots, Names, NetworkFault, Proxies, SetupError};

/// What one connection holds of an answer that is not taken yet. Twice as much is no faster.
const BUFFER: usize = 256 << 10;
/// Kept for the next range; the CDN closes idle connections itself after about a minute.
const IDLE: Duration = Duration::from_secs(50);

/// A client of HTTP/1.1, whose clones share their connections. Redirects and retries are decided by the caller, which knows
/// what a failure costs and where a redirect may lead. One connection per range is what the CDN is fast with.
#[derive(Debug, Clone)]
pub(crate) struct HttpTransport {
    client: Client<Connector, Empty<Bytes>>,
    proxies: Proxies,
}

/// An answer whose body is still to be read.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    head: hyper::http::response::Parts,
    body: Incoming,
}

impl HttpTransport {
    /// Trusts the bundled roots and these, resolves names with those, and asks through these proxies. [`Proxies::for_url`]
    /// is to be asked before each request.
    pub(crate) fn new(roots: &ExtraRoots, names: &Names, proxies: &Proxies) -> Result<Self, SetupError> {
        let connector = Connector::new(roots, names, proxies)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(BUFFER)
            .build(connector);
        Ok(Self { client, proxies: proxies.clone() })
    }

    /// Asks an address, with these headers.
    pub(crate) async fn get(&self, url: &Url, headers: HeaderMap) -> Result<HttpAnswer, TransportError> {
        let broken = |why: &str| TransportError::Network(NetworkFault::Broken, why.to_owned());
        let uri = url.as_str().parse::<Uri>().map_err(|_| broken("the address is no address of HTTP"))?;
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let agent = HeaderValue::from_static(concat!("hfdown/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("*/*"));
        if let Ok(Some(proxy)) = self.proxies.for_url(url)
            && let Some(login) = proxy.login_for_forwarding(url)
        {
            request.headers_mut().insert(PROXY_AUTHORIZATION, login);
        }
        let response = self.client.request(request).await.map_err(|error| TransportError::asking(&error))?;
        let (head, body) = response.into_parts();
        Ok(HttpAnswer { head, body })
    }
}

impl HttpAnswer {
    pub(crate) fn status(&self) -> StatusCode {
        self.head.status
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The next bytes of the body; none at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, TransportError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| TransportError::reading(&error))?;
            // What is no data are trailers.
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}
