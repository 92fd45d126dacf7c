//! Https: an authority that a test makes up, and fronts that open TLS and pass on what is in it.

#![expect(clippy::missing_panics_doc, reason = "what can't be set up fails its test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{HandshakeKind, ServerConfig};
use tokio::io::{AsyncReadExt as _, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

/// An authority that signs certificates, and is trusted nowhere.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "hfdown's test authority");
        let key = KeyPair::generate().expect("ring makes keys");
        Self(CertifiedIssuer::self_signed(params, key).expect("nothing is wrong with it"))
    }

    /// Its certificate, as `SSL_CERT_FILE` has it.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `127.0.0.1` and `localhost`, and its key.
    pub fn issue(&self) -> IssuedCertificate {
        let (leaf, key) = self.leaf();
        IssuedCertificate { certificate: leaf.pem(), key: key.serialize_pem() }
    }

    fn leaf(&self) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().expect("ring makes keys");
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let params = CertificateParams::new(names).expect("both are names");
        (params.signed_by(&key, &self.0).expect("nothing is wrong with it"), key)
    }

    fn server(&self) -> ServerConfig {
        let (leaf, key) = self.leaf();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .expect("the key is the certificate's")
    }
}

/// What an authority has signed, in PEM, for servers of other programs.
pub struct IssuedCertificate {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// How much of a request is passed on at once, and of an answer: some records of 16 KiB, as servers send them.
const PASSED_ON: [usize; 2] = [8 << 10, 256 << 10];

/// A port that speaks TLS, with a certificate for `127.0.0.1` and `localhost`, in front of one that does not. It ends
/// with its connections when it is dropped.
pub struct Front {
    port: u16,
    state: Arc<FrontState>,
    _end: DropGuard,
}

struct FrontState {
    acceptor: TlsAcceptor,
    behind: AtomicU16,
    connections: AtomicUsize,
    full_handshakes: AtomicUsize,
    to_cut: AtomicUsize,
}

impl Front {
    /// Opens one on a port that the system chooses.
    pub async fn open(authority: &Authority) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("the loopback has a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        let state = Arc::new(FrontState {
            acceptor: TlsAcceptor::from(Arc::new(authority.server())),
            behind: AtomicU16::new(0),
            connections: AtomicUsize::new(0),
            full_handshakes: AtomicUsize::new(0),
            to_cut: AtomicUsize::new(0),
        });
        let end = CancellationToken::new();
        tokio::spawn(end.clone().run_until_cancelled_owned(accept(listener, Arc::clone(&state))));
        Self { port, state, _end: end.drop_guard() }
    }

    /// Closes so many of the connections to come in the middle of their handshakes.
    pub fn cut_handshakes(&self, connections: usize) {
        self.state.to_cut.store(connections, Ordering::Relaxed);
    }

    /// How many handshakes are still to be cut.
    pub fn still_to_cut(&self) -> usize {
        self.state.to_cut.load(Ordering::Relaxed)
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// How many of them went through a whole handshake, instead of taking up the session of an earlier one.
    pub fn full_handshakes(&self) -> usize {
        self.state.full_handshakes.load(Ordering::Relaxed)
    }

    /// Its port on the loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Passes on to this port of the loopback.
    pub fn lead_to(&self, port: u16) {
        self.state.behind.store(port, Ordering::Relaxed);
    }
}

async fn accept(listener: TcpListener, state: Arc<FrontState>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        // An accept that fails is about the one connection that was refused.
        let Ok((stream, _)) = accepted else { continue };
        connections.spawn(serve(stream, Arc::clone(&state)));
    }
}

/// Whatever ends this ends the connection: that is all there is to say about it.
async fn serve(mut stream: TcpStream, state: Arc<FrontState>) -> Option<()> {
    state.connections.fetch_add(1, Ordering::Relaxed);
    stream.set_nodelay(true).ok()?;
    let cut = |left: usize| left.checked_sub(1);
    if state.to_cut.fetch_update(Ordering::Relaxed, Ordering::Relaxed, cut).is_ok() {
        // The client has begun to speak, and gets no answer.
        let _ = stream.read_u8().await;
        return None;
    }
    let mut outside = state.acceptor.accept(stream).await.ok()?;
    if outside.get_ref().1.handshake_kind() != Some(HandshakeKind::Resumed) {
        state.full_handshakes.fetch_add(1, Ordering::Relaxed);
    }
    let behind = SocketAddr::from(([127, 0, 0, 1], state.behind.load(Ordering::Relaxed)));
    let mut inside = TcpStream::connect(behind).await.ok()?;
    inside.set_nodelay(true).ok()?;
    let [request, answer] = PASSED_ON;
    copy_bidirectional_with_sizes(&mut outside, &mut inside, request, answer).await.ok()?;
    Some(())
}
