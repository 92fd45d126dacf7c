//! The Hub and its CDN as two listening sockets, from start to stop.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::task::{JoinHandle, JoinSet};

use super::answer::answer;
use super::catalogue::Catalogue;
use super::content::Content;
use super::draft::Draft;
use super::fault::{Armed, Faults, HubFault};
use super::lock;
use super::log::{HubOrigin, HubRequest, RequestLog};
use super::mirror::Mirror;
use super::page::PAGE;
use super::rate::{Bucket, RateLimits};
use super::repository::RepositoryKind;
use super::sign::AddressSigner;
use super::stall::StallHandle;
use super::tls::Front;
use super::when::When;
use super::wire::{ConnectionState, ServedStream};

/// The token of the Xet store.
pub const XET_TOKEN: &str = "xet_of_the_test_hub";

/// What all requests share. Locks are taken in the order of the fields.
#[derive(Debug)]
pub(super) struct ServerState {
    pub(super) catalogue: Mutex<Catalogue>,
    pub(super) signer: Mutex<AddressSigner>,
    pub(super) limits: Mutex<RateLimits>,
    pub(super) log: RequestLog,
    pub(super) faults: Faults,
    pub(super) endpoint: String,
    pub(super) cdn_origin: String,
    pub(super) mirror: Mutex<Option<Mirror>>,
    pub(super) xet_door: Mutex<XetDoor>,
    pub(super) tampering: Mutex<Option<AnswerTampering>>,
    page_size: AtomicUsize,
    counter: AtomicU64,
}

/// How the Hub lets its users into the Xet store.
#[derive(Clone, Debug)]
pub(super) struct XetDoor {
    /// Where it is, where that is not the Hub's own.
    pub(super) store: Option<String>,
    pub(super) token: String,
    pub(super) lifetime: Duration,
}

/// What becomes of the store's answers.
pub(super) struct AnswerTampering(pub(super) Box<dyn Fn(&mut Value) + Send>);

impl std::fmt::Debug for AnswerTampering {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("AnswerTampering")
    }
}

impl Default for XetDoor {
    fn default() -> Self {
        Self { store: None, token: XET_TOKEN.to_owned(), lifetime: Duration::from_secs(3600) }
    }
}

impl ServerState {
    pub(super) fn page_size(&self) -> usize {
        self.page_size.load(Ordering::Relaxed)
    }

    pub(super) fn mirror(&self) -> Option<Mirror> {
        *lock(&self.mirror)
    }

    /// Another number each time.
    pub(super) fn number(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::Relaxed)
    }
}

/// A Hub and its CDN on loopback. Dropping it closes both with all their connections.
#[derive(Debug)]
pub struct TestHub {
    hub: Arc<ServerState>,
    /// The listening sockets, while the Hub is there.
    doors: Mutex<Vec<JoinHandle<()>>>,
    /// Where they are.
    ports: [(u16, HubOrigin); 2],
    /// Taken when it stops.
    runtime: Option<Runtime>,
}

impl TestHub {
    /// Starts on two ports that the system chooses.
    ///
    /// # Panics
    /// When the system gives no loopback port or no thread.
    pub fn start() -> Self {
        Self::start_behind(None, None)
    }

    /// The same with signed addresses that lead to a CDN elsewhere, which has to have [`objects`](Self::objects).
    ///
    /// # Panics
    /// When the system gives no loopback port or no thread.
    pub fn start_with_cdn(main: Option<&Front>, cdn_origin: &str) -> Self {
        Self::try_start(main, None, Some(cdn_origin)).expect("a test Hub can listen on loopback")
    }

    /// The same with a front that speaks https for the Hub, one for its CDN, or both: addresses lead to them.
    ///
    /// # Panics
    /// When the system gives no loopback port or no thread.
    pub fn start_behind(main: Option<&Front>, cdn: Option<&Front>) -> Self {
        Self::try_start(main, cdn, None).expect("a test Hub can listen on loopback")
    }

    fn try_start(
        main_front: Option<&Front>,
        cdn_front: Option<&Front>,
        elsewhere: Option<&str>,
    ) -> io::Result<Self> {
        let (main, cdn) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
        let hub = Arc::new(ServerState {
            catalogue: Mutex::default(),
            signer: Mutex::default(),
            limits: Mutex::default(),
            log: RequestLog::default(),
            faults: Faults::default(),
            endpoint: origin("127.0.0.1", &main, main_front)?,
            // Another name as well as another port, so that no client can take it for the same site.
            cdn_origin: match elsewhere {
                Some(origin) => origin.to_owned(),
                None => origin("localhost", &cdn, cdn_front)?,
            },
            mirror: Mutex::default(),
            xet_door: Mutex::default(),
            tampering: Mutex::default(),
            page_size: AtomicUsize::new(PAGE),
            counter: AtomicU64::new(1),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("test-hub")
            .enable_all()
            .build()?;
        let ports = [(main.local_addr()?.port(), HubOrigin::Hub), (cdn.local_addr()?.port(), HubOrigin::Cdn)];
        let started = Self { hub, doors: Mutex::default(), ports, runtime: Some(runtime) };
        started.open(main, HubOrigin::Hub)?;
        started.open(cdn, HubOrigin::Cdn)?;
        Ok(started)
    }

    fn open(&self, listener: TcpListener, origin: HubOrigin) -> io::Result<()> {
        let Some(runtime) = &self.runtime else { return Ok(()) };
        listener.set_nonblocking(true)?;
        let _inside = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        lock(&self.doors).push(runtime.spawn(accept(listener, Arc::clone(&self.hub), origin)));
        Ok(())
    }

    /// Closes both sockets and all their connections in whatever they are doing. What they have is kept.
    pub async fn go_away(&self) {
        let doors = std::mem::take(&mut *lock(&self.doors));
        for door in doors {
            door.abort();
            // What ends here was told to; its connections end with it.
            let _ = door.await;
        }
    }

    /// Listens again where it did before it went away.
    ///
    /// # Panics
    /// When another program has taken its place.
    pub fn come_back(&self) {
        for (port, origin) in self.ports {
            let listener = TcpListener::bind(("127.0.0.1", port));
            listener.and_then(|listener| self.open(listener, origin)).expect("the port is still free");
        }
    }

    /// What `HF_ENDPOINT` must be.
    pub fn endpoint(&self) -> String {
        let prefix = self.hub.mirror().map_or("", |mirror| mirror.prefix);
        format!("{}{prefix}", self.hub.endpoint)
    }

    /// From now on it is a mirror, and its endpoint is another one.
    pub fn mirror(&self, mirror: Mirror) {
        *lock(&self.hub.mirror) = Some(mirror);
    }

    /// Where signed addresses lead.
    pub fn cdn_origin(&self) -> String {
        self.hub.cdn_origin.clone()
    }

    /// What the CDN has: the path and the bytes of each object.
    pub fn objects(&self) -> Vec<(String, Content)> {
        lock(&self.hub.catalogue).objects()
    }

    /// The next commit of a model.
    pub fn model(&self, id: &str) -> Draft {
        Draft::new(Arc::clone(&self.hub), RepositoryKind::Model, id)
    }

    /// The next commit of a data set.
    pub fn dataset(&self, id: &str) -> Draft {
        Draft::new(Arc::clone(&self.hub), RepositoryKind::Dataset, id)
    }

    /// Lets an old name lead to a new one, and moves what had the old one.
    pub fn rename(&self, old: &str, new: &str) {
        lock(&self.hub.catalogue).rename(old, new);
    }

    /// Gives an account a token that is good, and opens nothing by itself.
    pub fn token(&self, token: &str) {
        lock(&self.hub.catalogue).tokens.insert(token.to_owned());
    }

    /// Leads those who may read to a Xet store elsewhere, with a token that it takes.
    pub fn lead_to_store(&self, store: &str, token: &str) {
        let mut door = lock(&self.hub.xet_door);
        (door.store, door.token) = (Some(store.to_owned()), token.to_owned());
    }

    /// From now on access to the Xet store is good for so long.
    pub fn grant_for(&self, lifetime: Duration) {
        lock(&self.hub.xet_door).lifetime = lifetime;
    }

    /// From now on the Xet store's answers are changed before they are sent.
    pub fn tamper(&self, with: impl Fn(&mut Value) + Send + 'static) {
        *lock(&self.hub.tampering) = Some(AnswerTampering(Box::new(with)));
    }

    /// How many entries a page of `tree` has, instead of 1,000.
    ///
    /// # Panics
    /// When there are none.
    pub fn set_page_size(&self, entries: usize) {
        assert!(entries > 0, "a page has entries");
        self.hub.page_size.store(entries, Ordering::Relaxed);
    }

    /// How long addresses signed from now on are good for, in whole seconds, instead of an hour. With zero they are
    /// stale from the first.
    pub fn sign_for(&self, lifetime: Duration) {
        lock(&self.hub.signer).live_for(lifetime);
    }

    /// Makes all addresses signed so far stale. Bodies that have begun go on.
    pub fn expire_signed_addresses(&self) {
        lock(&self.hub.signer).expire_all();
    }

    /// From now on, answers `429` to what exceeds so many requests in a window of that length.
    pub fn rate_limit(&self, bucket: Bucket, requests: u64, window: Duration) {
        lock(&self.hub.limits).enforce(bucket, requests, window);
    }

    /// Arms a fault.
    pub fn fault(&self, fault: HubFault, when: When) -> Armed {
        self.hub.faults.arm(fault, when)
    }

    /// Arms a [`HubFault::Stall`] and gives its handle.
    pub fn stall(&self, after: u64, when: When) -> StallHandle {
        let stall = StallHandle::after(after);
        self.fault(HubFault::Stall(stall.clone()), when);
        stall
    }

    /// All requests so far, in the order they came.
    pub fn requests(&self) -> Vec<HubRequest> {
        self.hub.log.requests()
    }

    /// The requests for a file: to `resolve`, to the cache behind it, and to the CDN.
    pub fn requests_for(&self, file: &str) -> Vec<HubRequest> {
        self.requests().into_iter().filter(|request| request.file.as_deref() == Some(file)).collect()
    }

    /// How many bytes of body one of the origins sent.
    pub fn bytes_sent(&self, origin: HubOrigin) -> u64 {
        self.requests()
            .iter()
            .filter(|request| request.origin == origin)
            .map(|request| request.bytes_sent)
            .sum()
    }

    /// Empties the log, so that what follows stands alone in it.
    pub fn forget_requests(&self) {
        self.hub.log.forget();
    }
}

impl Drop for TestHub {
    fn drop(&mut self) {
        // To wait here would panic within the runtime of a test. Sockets close as the tasks are dropped.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Where a listener is asked: at its front, if there is one, which it is told of.
fn origin(host: &str, listener: &TcpListener, front: Option<&Front>) -> io::Result<String> {
    let port = listener.local_addr()?.port();
    Ok(match front {
        None => format!("http://{host}:{port}"),
        Some(front) => {
            front.lead_to(port);
            format!("https://{host}:{}", front.port())
        }
    })
}

async fn accept(listener: tokio::net::TcpListener, hub: Arc<ServerState>, origin: HubOrigin) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        // An accept that fails is about the one connection that was refused.
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let line = ConnectionState::new(hub.number());
        let (hub, wire) = (Arc::clone(&hub), TokioIo::new(ServedStream::new(stream, Arc::clone(&line))));
        let service = service_fn(move |request| answer(Arc::clone(&hub), origin, Arc::clone(&line), request));
        connections.spawn(async move {
            // A client that goes away and a connection that a fault cuts are what this is for.
            let _ = http1::Builder::new().serve_connection(wire, service).await;
        });
    }
}
