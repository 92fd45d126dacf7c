//! What names stand for, as the connections find it: a guarded name leads to no private address, however often its owner
//! changes his mind, because what is checked is what is connected to.
//!
//! Where a proxy is used, what it connects to is its business: no name that is asked of it is guarded, also where the proxy is
//! told addresses that are found here.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use hfdown_protocol::HubNetwork;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{GOOGLE, LookupIpStrategy, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hyper_util::client::legacy::connect::dns;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::OnceCell;
use tower_service::Service;
use url::Url;

use super::network_fault::plain;
use super::private_network::{is_private, literal_network};

type BoxError = Box<dyn Error + Send + Sync>;

/// The most names that are kept. A Hub leads to a handful of hosts; one that leads to more means no good.
const MOST_NAMES: usize = 1024;

/// A resolver of names that remembers what it found. Its clones are one.
#[derive(Clone, Default)]
pub struct Names(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Made when the first name is resolved: it needs a runtime.
    resolver: OnceCell<TokioResolver>,
    known: Mutex<KnownNames>,
    /// Whether addresses of IPv4 come first: some proxies are told one address alone, and know no other kind.
    ipv4_first: AtomicBool,
}

#[derive(Default)]
struct KnownNames {
    guarded: HashSet<String>,
    /// Where names are that are not guarded.
    found: HashMap<String, HubNetwork>,
}

/// A guarded name stands for addresses of private networks alone, of which this is one.
#[derive(Debug, thiserror::Error)]
#[error("it is at {0}, an address of a private network")]
pub(super) struct PrivateAddress(pub(super) IpAddr);

/// A name stands for nothing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UnknownName(NetError);

/// More names were to be guarded than there can be.
#[derive(Debug)]
pub struct TooManyNames;

impl Names {
    /// From now on this name leads to no private address.
    pub fn guard(&self, name: &str) -> Result<(), TooManyNames> {
        let mut known = self.known();
        if known.guarded.contains(name) {
            return Ok(());
        }
        if known.guarded.len() >= MOST_NAMES {
            return Err(TooManyNames);
        }
        known.guarded.insert(name.to_owned());
        Ok(())
    }

    /// In what kind of network the host of an address is that has been asked. A name that ever stood for another address
    /// is not in a private one, nor is one of which nothing is known: behind a proxy, say.
    pub fn network_of(&self, url: &Url) -> HubNetwork {
        let found = || self.known().found.get(url.host_str()?).copied();
        literal_network(url).or_else(found).unwrap_or(HubNetwork::Public)
    }

    /// The addresses of a name that may be connected to.
    fn admit(&self, name: &str, addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, PrivateAddress> {
        let mut known = self.known();
        let (private, public): (Vec<_>, Vec<_>) =
            addresses.into_iter().partition(|address| is_private(*address));
        if known.guarded.contains(name) {
            return match private.first() {
                Some(address) if public.is_empty() => Err(PrivateAddress(*address)),
                _ => Ok(public),
            };
        }
        let network = if public.is_empty() { HubNetwork::Private } else { HubNetwork::Public };
        if known.found.len() < MOST_NAMES || known.found.contains_key(name) {
            let before = known.found.entry(name.to_owned()).or_insert(network);
            if network == HubNetwork::Public {
                *before = network;
            }
        }
        Ok([public, private].concat())
    }

    pub(super) fn put_ipv4_first(&self) {
        self.0.ipv4_first.store(true, Ordering::Relaxed);
    }

    /// The addresses of a proxy, or of what a proxy is told by its address; or why there are none, in words.
    pub(super) async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        let words = |error: NetError| plain(&error.to_string());
        let resolver = self.0.resolver.get_or_try_init(async || new_resolver()).await.map_err(words)?;
        Ok(resolver.lookup_ip(name).await.map_err(words)?.iter().collect())
    }

    fn known(&self) -> MutexGuard<'_, KnownNames> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Names {
    /// What may be connected to, in this order. The port is that of the address that is asked.
    async fn addresses(self, name: String) -> Result<Vec<SocketAddr>, BoxError> {
        let resolver = self.0.resolver.get_or_try_init(async || new_resolver()).await.map_err(UnknownName)?;
        let found = resolver.lookup_ip(name.as_str()).await.map_err(UnknownName)?;
        let mut admitted = self.admit(&name, found.iter().collect())?;
        if self.0.ipv4_first.load(Ordering::Relaxed) {
            admitted.sort_by_key(IpAddr::is_ipv6);
        }
        Ok(admitted.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    }
}

/// For the controller's client.
impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.clone().addresses(name.as_str().to_owned());
        Box::pin(async move { Ok(Box::new(addresses.await?.into_iter()) as Addrs) })
    }
}

/// For the agent's connector.
impl Service<dns::Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: dns::Name) -> Self::Future {
        let addresses = self.clone().addresses(name.as_str().to_owned());
        Box::pin(async move { Ok(addresses.await?.into_iter()) })
    }
}

/// As the machine is set up, or by servers that are always there. Both kinds of addresses, so that the faster one wins.
fn new_resolver() -> Result<TokioResolver, NetError> {
    let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|_| {
        let servers = ResolverConfig::udp_and_tcp(&GOOGLE);
        TokioResolver::builder_with_config(servers, TokioRuntimeProvider::default())
    });
    builder.options_mut().ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
    builder.build()
}

impl std::fmt::Debug for Names {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Names")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{ExtraRoots, HttpTransport, Proxies, TransportError};
    use hyper::header::HeaderMap;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_guarded_name_leads_to_its_public_addresses_alone() {
        let names = Names::default();
        names.guard("cdn.example").unwrap();
        let mixed = addresses(&["10.0.0.1", "1.1.1.1", "::1"]);
        assert_eq!(names.admit("cdn.example", mixed.clone()).unwrap(), addresses(&["1.1.1.1"]));
        assert!(names.admit("cdn.example", addresses(&["::ffff:10.0.0.1"])).is_err());
        assert_eq!(names.admit("other.example", mixed).unwrap().len(), 3);
        for number in 1..MOST_NAMES {
            names.guard(&number.to_string()).unwrap();
        }
        assert!(names.guard("one more").is_err() && names.guard("cdn.example").is_ok());
    }

    #[test]
    fn a_hub_is_in_a_private_network_where_its_name_never_stood_for_anything_else() {
        let names = Names::default();
        let network = |url: &str| names.network_of(&Url::parse(url).unwrap());
        let hub = "http://hub.example:8090/a";
        assert_eq!(network(hub), HubNetwork::Public, "nothing is known");
        for (found, expected) in [
            (&["10.0.0.1"][..], HubNetwork::Private),
            (&["fd00::1", "192.168.0.1"], HubNetwork::Private),
            (&["10.0.0.1", "1.1.1.1"], HubNetwork::Public),
            (&["10.0.0.1"], HubNetwork::Public),
        ] {
            names.admit("hub.example", addresses(found)).unwrap();
            assert_eq!(network(hub), expected, "{found:?}");
        }
        assert_eq!(network("http://127.0.0.1:1/"), HubNetwork::Private);
        assert_eq!(network("http://1.1.1.1/"), HubNetwork::Public);
    }

    #[tokio::test]
    async fn what_is_refused_is_not_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let names = Names::default();
        let transport = HttpTransport::new(&ExtraRoots::default(), &names, &Proxies::none()).unwrap();
        names.guard("localhost").unwrap();
        let refused = transport.get(&Url::parse(&url).unwrap(), HeaderMap::new()).await.unwrap_err();
        assert!(matches!(&refused, TransportError::Private(at) if at.is_loopback()), "{refused:?}");
        let connected = tokio::time::timeout(std::time::Duration::from_millis(50), listener.accept()).await;
        assert!(connected.is_err(), "nothing has come");
    }
}
