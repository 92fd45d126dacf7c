//! What was asked of the Hub, for tests to assert on.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use super::lock;

/// Which of the two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HubOrigin {
    /// The Hub itself.
    Hub,
    /// The origin that signed addresses lead to.
    Cdn,
}

/// One request and its answer so far.
#[derive(Clone, Debug)]
pub struct HubRequest {
    /// Who was asked.
    pub origin: HubOrigin,
    /// `GET`, `HEAD`, `POST`.
    pub method: String,
    /// The path as it was sent, percent-encoded.
    pub path: String,
    /// The query as it was sent, empty where there was none.
    pub query: String,
    /// The path within the repository of the file that is meant, on the CDN too.
    pub file: Option<String>,
    /// All headers as they were sent.
    pub headers: HeaderMap,
    /// The answer's status, 0 while there is none.
    pub status: u16,
    /// How many bytes of body went out.
    pub bytes_sent: u64,
    /// When it came.
    pub came: Instant,
    /// How long after that the last of these bytes went out.
    pub lasted: Duration,
    /// A number that requests on one TCP connection share.
    pub connection: u64,
    /// The instant that the answer asked to be left alone until, if it did.
    pub not_before: Option<Instant>,
}

impl HubRequest {
    /// A header's value, if it was sent and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The `Range` header, if one was sent.
    pub fn range(&self) -> Option<&str> {
        self.header("range")
    }

    /// Whether it carried a credential.
    pub fn authorized(&self) -> bool {
        self.headers.contains_key(AUTHORIZATION)
    }
}

/// All requests, in the order they came.
#[derive(Debug, Default)]
pub(super) struct RequestLog(Mutex<Vec<Arc<OpenRequest>>>);

/// A request whose answer is still being written.
#[derive(Debug)]
pub(super) struct OpenRequest {
    request: HubRequest,
    status: AtomicU16,
    bytes_sent: AtomicU64,
    lasted_micros: AtomicU64,
    not_before: OnceLock<Instant>,
}

impl RequestLog {
    pub(super) fn open(&self, request: HubRequest) -> Arc<OpenRequest> {
        let (bytes_sent, lasted_micros) = (AtomicU64::new(0), AtomicU64::new(0));
        let (status, not_before) = (AtomicU16::new(0), OnceLock::new());
        let entry = Arc::new(OpenRequest { request, status, bytes_sent, lasted_micros, not_before });
        lock(&self.0).push(Arc::clone(&entry));
        entry
    }

    pub(super) fn requests(&self) -> Vec<HubRequest> {
        lock(&self.0).iter().map(|entry| entry.snapshot()).collect()
    }

    pub(super) fn forget(&self) {
        lock(&self.0).clear();
    }
}

impl OpenRequest {
    /// The request as it came. Its answer is only in a [`snapshot`](Self::snapshot).
    pub(super) fn request(&self) -> &HubRequest {
        &self.request
    }

    pub(super) fn answered(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// The answer asks to be left alone until then.
    pub(super) fn asks_for_patience(&self, until: Instant) {
        // Faults that ask for it strike a request once.
        let _ = self.not_before.set(until);
    }

    pub(super) fn sent(&self, bytes: u64) {
        self.bytes_sent.fetch_add(bytes, Ordering::Relaxed);
        let lasted = u64::try_from(self.request.came.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.lasted_micros.store(lasted, Ordering::Relaxed);
    }

    fn snapshot(&self) -> HubRequest {
        HubRequest {
            status: self.status.load(Ordering::Relaxed),
            bytes_sent: self.bytes_sent.load(Ordering::Relaxed),
            lasted: Duration::from_micros(self.lasted_micros.load(Ordering::Relaxed)),
            not_before: self.not_before.get().copied(),
            ..self.request.clone()
        }
    }
}
