//! Which requests a fault is meant for.

use super::log::{HubOrigin, HubRequest};

/// Picks requests. Without further words, it picks each one for ever.
#[derive(Clone, Debug, Default)]
pub struct When {
    file: Option<String>,
    path: Option<String>,
    origin: Option<HubOrigin>,
    method: Option<String>,
    ranged: Option<bool>,
    skipped: usize,
    limit: Option<usize>,
}

impl When {
    /// Every request.
    pub fn always() -> Self {
        Self::default()
    }

    /// Requests for this file of a repository: to `resolve`, to the cache behind it, and to the CDN.
    pub fn file(path: &str) -> Self {
        Self { file: Some(path.to_owned()), ..Self::default() }
    }

    /// Requests whose path, as it is sent, contains this.
    pub fn path(part: &str) -> Self {
        Self { path: Some(part.to_owned()), ..Self::default() }
    }

    /// Only those to one of the two servers.
    #[must_use]
    pub fn at(self, origin: HubOrigin) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// Only those with this method.
    #[must_use]
    pub fn method(self, method: &str) -> Self {
        Self { method: Some(method.to_owned()), ..self }
    }

    /// Only those with a `Range` header.
    #[must_use]
    pub fn ranged(self) -> Self {
        Self { ranged: Some(true), ..self }
    }

    /// Only those without one.
    #[must_use]
    pub fn unranged(self) -> Self {
        Self { ranged: Some(false), ..self }
    }

    /// Lets that many pass before the first one.
    #[must_use]
    pub fn after(self, requests: usize) -> Self {
        Self { skipped: requests, ..self }
    }

    /// Strikes that many times and no more.
    #[must_use]
    pub fn first(self, requests: usize) -> Self {
        Self { limit: Some(requests), ..self }
    }

    /// Whether it picks a request, its count apart.
    pub(super) fn picks(&self, request: &HubRequest) -> bool {
        self.file.as_ref().is_none_or(|file| request.file.as_ref() == Some(file))
            && self.path.as_ref().is_none_or(|part| request.path.contains(part))
            && self.origin.is_none_or(|origin| request.origin == origin)
            && self.method.as_ref().is_none_or(|method| request.method == *method)
            && self.ranged.is_none_or(|ranged| request.range().is_some() == ranged)
    }

    /// Whether it strikes the request that this many picked ones came before.
    pub(super) fn strikes(&self, before: usize) -> bool {
        before >= self.skipped && self.limit.is_none_or(|limit| before - self.skipped < limit)
    }
}
