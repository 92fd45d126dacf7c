//! A Hub with one repository of as many files as are asked for. None of them is kept: names, digests and contents are
//! made when they are asked for.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use axum::body::Body;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use data_encoding::HEXLOWER;
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

/// The repository.
pub const CROWD: &str = "acme/crowd";
const COMMIT: &str = "607a30d783dfa663caf39e06633721c8d4cfcd7e";
/// As many entries as a page of the Hub has.
const PAGE: usize = 1_000;

/// What the files are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrowdNames {
    /// As those of data sets: a thousand in each folder.
    Shards,
    /// Nothing in common, and 80 bytes.
    Long,
    /// All in one folder.
    OneFolder,
    /// Each in a folder of its own.
    OwnFolders,
}

impl CrowdNames {
    fn name(self, number: usize) -> String {
        match self {
            Self::Shards => format!("data/shard-{:05}/part-{number:07}.parquet", number / 1_000),
            Self::Long => {
                let noise = HEXLOWER.encode(&Sha256::digest(number.to_le_bytes()));
                format!("{noise}-{number:010}.json")
            }
            Self::OneFolder => format!("{number:07}.bin"),
            Self::OwnFolders => format!("{:04}/{number:07}/file.bin", number / 1_000),
        }
    }
}

/// The Hub. It ends with this value.
#[derive(Debug)]
pub struct Crowd {
    /// Its address.
    pub endpoint: String,
    served: Arc<AtomicUsize>,
    pages: Arc<AtomicUsize>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    /// Begins to serve.
    ///
    /// # Panics
    /// When the system grants no port or no thread.
    pub fn start(names: CrowdNames, files: usize) -> Self {
        let listener = std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        listener.set_nonblocking(true).expect("the port can be used");
        let endpoint = format!("http://{}", listener.local_addr().expect("a bound port has an address"));
        let (served, stop) = (Arc::<AtomicUsize>::default(), CancellationToken::new());
        let (end, origin) = (stop.clone(), endpoint.clone());
        let pages = Arc::<AtomicUsize>::default();
        let counters = [("/resolve/", Arc::clone(&served)), ("/tree/", Arc::clone(&pages))];
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let answer = move |uri: Uri| {
                    let answered = answer(&uri, &origin, names, files);
                    for (part, counter) in &counters {
                        counter.fetch_add(usize::from(uri.path().contains(part)), Ordering::Relaxed);
                    }
                    async move { answered }
                };
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                let serving = axum::serve(listener, axum::Router::new().fallback(answer));
                serving.with_graceful_shutdown(end.cancelled_owned()).await.expect("it serves");
            });
        });
        Self { endpoint, served, pages, stop, thread: Some(thread) }
    }

    /// How many pages of the listing have been asked for.
    pub fn pages(&self) -> usize {
        self.pages.load(Ordering::Relaxed)
    }

    /// How many files have been asked for.
    pub fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.cancel();
        // Its connections end with the programs that have them.
        drop(self.thread.take());
    }
}

fn answer(uri: &Uri, origin: &str, names: CrowdNames, files: usize) -> Response {
    let path = percent_decode_str(uri.path()).decode_utf8_lossy().into_owned();
    if path.contains("/revision/") {
        return Response::new(format!(r#"{{"id":"{CROWD}","sha":"{COMMIT}"}}"#).into());
    }
    if path.contains("/tree/") {
        let cursor =
            uri.query().and_then(|query| query.split('&').find_map(|part| part.strip_prefix("cursor=")));
        let page: usize = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or_default();
        let range = page * PAGE..files.min((page + 1) * PAGE);
        let next = format!("<{origin}{}?recursive=true&cursor={}>; rel=\"next\"", uri.path(), page + 1);
        let link = (range.end < files).then_some(next);
        let response =
            link.into_iter().fold(Response::builder(), |response, link| response.header("link", link));
        return response.body(Body::from(entries(names, range))).expect("a response");
    }
    // A file contains its name.
    if let Some((_, name)) = path.split_once(&format!("/resolve/{COMMIT}/")) {
        return Response::new(name.to_owned().into());
    }
    Response::builder().status(StatusCode::NOT_FOUND).body(Body::empty()).expect("a response")
}

fn entries(names: CrowdNames, range: Range<usize>) -> String {
    let entry = |number: usize| {
        let name = names.name(number);
        let (digest, size) = (HEXLOWER.encode(&Sha256::digest(&name)), name.len());
        let folder = match (names, name.rsplit_once('/')) {
            (CrowdNames::OwnFolders, Some((folder, _))) => {
                format!(r#"{{"type":"directory","oid":"{COMMIT}","size":0,"path":"{folder}"}},"#)
            }
            _ => String::new(),
        };
        format!(
            r#"{folder}{{"type":"file","oid":"{COMMIT}","size":{size},"path":"{name}","lfs":{{"oid":"{digest}","size":{size},"pointerSize":130}}}}"#
        )
    };
    format!("[{}]", range.map(entry).collect::<Vec<_>>().join(","))
}
