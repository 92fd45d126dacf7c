//! Rate limits: what is left in a fixed window, told on every answer of the Hub and enforced where a test asks for it.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde_json::json;

use super::reply::Reply;

/// What the Hub counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// `/api/…`
    Api,
    /// `…/resolve/…`
    Resolvers,
}

impl Bucket {
    fn word(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Resolvers => "resolvers",
        }
    }
}

/// Both buckets. Until a limit is set, the figures are those of an anonymous visitor, and no request is refused.
#[derive(Debug)]
pub(super) struct RateLimits {
    api: Window,
    resolvers: Window,
}

#[derive(Debug)]
struct Window {
    quota: u64,
    length: Duration,
    enforced: bool,
    used: u64,
    since: Option<Instant>,
}

/// What the `RateLimit` headers say after a request was counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct RateLimitStatus {
    bucket: Bucket,
    quota: u64,
    window: Duration,
    left: u64,
    renewed_in: Duration,
    pub(super) refused: bool,
}

impl Default for RateLimits {
    fn default() -> Self {
        let window =
            |quota| Window { quota, length: Duration::from_secs(300), enforced: false, used: 0, since: None };
        Self { api: window(500), resolvers: window(3000) }
    }
}

impl RateLimits {
    pub(super) fn enforce(&mut self, bucket: Bucket, quota: u64, length: Duration) {
        *self.window(bucket) = Window { quota, length, enforced: true, used: 0, since: None };
    }

    pub(super) fn count(&mut self, bucket: Bucket) -> RateLimitStatus {
        let window = self.window(bucket);
        let elapsed = window.since.get_or_insert_with(Instant::now).elapsed();
        if elapsed >= window.length {
            window.used = 0;
            window.since = Some(Instant::now());
        }
        let refused = window.enforced && window.used >= window.quota;
        window.used += u64::from(!refused);
        RateLimitStatus {
            bucket,
            quota: window.quota,
            window: window.length,
            left: window.quota.saturating_sub(window.used).max(u64::from(!window.enforced)),
            renewed_in: window.length.saturating_sub(elapsed),
            refused,
        }
    }

    fn window(&mut self, bucket: Bucket) -> &mut Window {
        match bucket {
            Bucket::Api => &mut self.api,
            Bucket::Resolvers => &mut self.resolvers,
        }
    }
}

impl RateLimitStatus {
    /// As if the window were used up.
    pub(super) fn exhausted(self, renewed_in: Duration) -> Self {
        Self { left: 0, renewed_in, refused: true, ..self }
    }

    pub(super) fn told_in(self, reply: Reply) -> Reply {
        // Whole seconds, rounded up: who comes back at `t` must be let in.
        let seconds = self.renewed_in.as_millis().div_ceil(1000);
        let (word, left, quota, window) = (self.bucket.word(), self.left, self.quota, self.window.as_secs());
        reply
            .with("ratelimit", &format!("\"{word}\";r={left};t={seconds}"))
            .with("ratelimit-policy", &format!("\"fixed window\";\"{word}\";q={quota};w={window}"))
    }

    pub(super) fn refusal(self) -> Reply {
        let error =
            "We had to rate limit your IP. To continue using our service, create a HF account or login.";
        self.told_in(Reply::json(StatusCode::TOO_MANY_REQUESTS, &json!({ "error": error })))
    }
}
