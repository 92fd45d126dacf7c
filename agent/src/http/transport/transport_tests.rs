//! Whole requests, to a server of TLS that counts handshakes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hyper::header::HeaderMap;
use rustls::HandshakeKind;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::*;
use crate::http::{ExtraRoots, Names, NetworkFault, Proxies};

/// More than any buffer on the way.
const BODY: usize = 3 << 20;

/// A server whose answers are as long, with a certificate that clients trust which have these roots.
struct CountingServer {
    address: SocketAddr,
    roots: ExtraRoots,
    handshakes: Arc<Mutex<Vec<HandshakeKind>>>,
    /// So many of the next answers break off in the middle.
    to_break: Arc<AtomicUsize>,
}

impl CountingServer {
    async fn start() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let tls =
            rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.clone()], key)
                .unwrap();
        let roots = ExtraRoots::default().and(vec![certificate.to_vec()]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (handshakes, to_break) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<AtomicUsize>::default());
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let (seen, breaks) = (Arc::clone(&handshakes), Arc::clone(&to_break));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen, breaks) = (acceptor.clone(), Arc::clone(&seen), Arc::clone(&breaks));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    seen.lock().unwrap().extend(stream.get_ref().1.handshake_kind());
                    let mut stream = BufReader::new(stream);
                    let mut line = String::new();
                    while stream.read_line(&mut line).await.is_ok_and(|length| length > 0) {
                        if std::mem::take(&mut line).trim().is_empty() {
                            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n");
                            stream.write_all(head.as_bytes()).await.unwrap();
                            let breaks_off = breaks.load(Ordering::SeqCst) > 0;
                            let body = body();
                            let length = if breaks_off { BODY / 2 } else { BODY };
                            if stream.write_all(&body[..length]).await.is_err() || breaks_off {
                                breaks.fetch_sub(1, Ordering::SeqCst);
                                return;
                            }
                            stream.flush().await.unwrap();
                        }
                    }
                });
            }
        });
        Self { address, roots, handshakes, to_break }
    }

    fn url(&self) -> Url {
        Url::parse(&format!("https://{}/x", self.address)).unwrap()
    }
}

fn body() -> Vec<u8> {
    (0..BODY).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

async fn read(mut answer: HttpAnswer) -> Result<Vec<u8>, TransportError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[tokio::test]
async fn a_host_has_one_full_handshake_however_many_connections_begin_at_once() {
    let server = CountingServer::start().await;
    let transport = HttpTransport::new(&server.roots, &Names::default(), &Proxies::none()).unwrap();
    // Answers that are held until all have come, so that no connection serves twice.
    let asked = (0..8).map(|_| {
        let (transport, url) = (transport.clone(), server.url());
        tokio::spawn(async move { transport.get(&url, HeaderMap::new()).await.unwrap() })
    });
    let asked: Vec<_> = asked.collect();
    let mut answers = Vec::new();
    for answer in asked {
        answers.push(answer.await.unwrap());
    }
    for answer in answers {
        assert!(read(answer).await.unwrap() == body());
    }
    let handshakes = server.handshakes.lock().unwrap().clone();
    let full = handshakes.iter().filter(|kind| **kind != HandshakeKind::Resumed).count();
    assert_eq!((handshakes.len(), full), (8, 1), "{handshakes:?}");
}

#[tokio::test]
async fn a_connection_serves_again_and_one_that_broke_is_made_anew_with_the_session_that_there_was() {
    let server = CountingServer::start().await;
    let transport = HttpTransport::new(&server.roots, &Names::default(), &Proxies::none()).unwrap();
    for _ in 0..3 {
        assert!(read(transport.get(&server.url(), HeaderMap::new()).await.unwrap()).await.unwrap() == body());
    }
    assert_eq!(server.handshakes.lock().unwrap().len(), 1);
    server.to_break.store(1, Ordering::SeqCst);
    let broken = read(transport.get(&server.url(), HeaderMap::new()).await.unwrap()).await.unwrap_err();
    assert!(matches!(&broken, TransportError::Network(NetworkFault::Broken, _)), "{broken:?}");
    assert!(read(transport.get(&server.url(), HeaderMap::new()).await.unwrap()).await.unwrap() == body());
    assert_eq!(server.handshakes.lock().unwrap()[1..], [HandshakeKind::Resumed]);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_called_what_it_is() {
    let server = CountingServer::start().await;
    let transport = HttpTransport::new(&ExtraRoots::default(), &Names::default(), &Proxies::none()).unwrap();
    let refused = transport.get(&server.url(), HeaderMap::new()).await.unwrap_err();
    let TransportError::Network(NetworkFault::Certificate, why) = refused else { panic!("{refused:?}") };
    assert!(why.contains("certificate"), "{why}");
}
