//! From an address to a connection: name, TCP, a proxy where one is asked for, TLS.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::client::Resumption;
use tokio_rustls::TlsConnector;
use tower_service::Service;
use url::Url;

use super::connection::{Connection, read_ahead};
use super::error::TransportError;
use super::sessions::Sessions;
use crate::http::tunnel::{Wire, server_name};
use crate::http::{ExtraRoots, Names, NetworkFault, Proxies, SetupError};

/// To connect, TLS included. The Hub answers within a second; a box behind a bad link within ten.
const CONNECT: Duration = Duration::from_secs(15);
/// A machine that is gone is noticed while nothing is expected of it, too.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Makes connections. Clones are one.
#[derive(Clone)]
pub(super) struct Connector(Arc<ConnectorState>);

struct ConnectorState {
    tcp: HttpConnector<Names>,
    tls: Arc<ClientConfig>,
    sessions: Arc<Sessions>,
    names: Names,
    proxies: Proxies,
}

impl Connector {
    pub(super) fn new(roots: &ExtraRoots, names: &Names, proxies: &Proxies) -> Result<Self, SetupError> {
        let sessions = Arc::new(Sessions::default());
        let mut tls = roots.tls()?;
        tls.resumption = Resumption::store(Arc::clone(&sessions) as _);
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        if proxies.take_one_address() {
            names.put_ipv4_first();
        }
        let mut tcp = HttpConnector::new_with_resolver(names.clone());
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_connect_timeout(Some(CONNECT));
        let (names, proxies) = (names.clone(), proxies.clone());
        Ok(Self(Arc::new(ConnectorState { tcp, tls: Arc::new(tls), sessions, names, proxies })))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Connection>;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let connecting = tokio::time::timeout(CONNECT, shared.connect(uri));
            let connected = connecting.await.unwrap_or_else(|_| {
                let why = format!("not within {} s", CONNECT.as_secs());
                Err(TransportError::Network(NetworkFault::Timeout, why))
            });
            connected.map(TokioIo::new)
        })
    }
}

impl ConnectorState {
    async fn connect(&self, uri: Uri) -> Result<Connection, TransportError> {
        let failed = |why: String| TransportError::Network(NetworkFault::Connect, why);
        let url = Url::parse(&uri.to_string()).map_err(|error| failed(error.to_string()))?;
        let proxy = self.proxies.for_url(&url).map_err(|error| failed(error.to_string()))?;
        let wire = if let Some(proxy) = &proxy {
            proxy.tunnel(&url, &self.names, &self.tls).await.map_err(TransportError::Proxy)?
        } else {
            let connected = self.tcp.clone().call(uri).await;
            let stream = connected.map_err(|error| TransportError::connecting(&error))?.into_inner();
            Box::new(stream) as Box<dyn Wire>
        };
        if url.scheme() != "https" {
            let is_proxy = proxy.is_some_and(|proxy| proxy.forwards(&url));
            return Ok(Connection::plain(wire, is_proxy));
        }
        let host = url
            .host()
            .and_then(|host| server_name(&host.to_owned()))
            .ok_or_else(|| failed("the address names no host".to_owned()))?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let handshake = || connector.connect(host.clone(), read_ahead(wire));
        let (handshake, tickets) = self.sessions.begin(&host, handshake).await;
        let stream = handshake.await.map_err(|error| TransportError::connecting(&error))?;
        Ok(Connection::encrypted(stream, tickets))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Connector")
    }
}
