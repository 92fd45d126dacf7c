//! How long the client waits, how often it tries, and who is told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hfdown_agent::http::{Backoff, Jitter, SpeedFloor};

use super::Retrying;

/// What a [`Hub`](super::Hub) may take its time for. `Default` is what a user at a terminal wants.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// How long nothing at all may arrive.
    pub idle: Duration,
    /// The least that an answer must bring while it comes.
    pub floor: SpeedFloor,
    /// How long one whole answer may take, however busily it drips.
    pub whole: Duration,
    /// When and how often to try again.
    pub retries: RetryPolicy,
    /// Told of every attempt that failed and will be repeated.
    pub observer: Observer,
    /// Told of every page of a listing.
    pub paging: PagingObserver,
    /// Whether every question is refused (`HF_HUB_OFFLINE`).
    pub network: NetworkAccess,
}

/// Whether the Hub may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NetworkAccess {
    /// It may.
    #[default]
    Allowed,
    /// It may not: every question ends in [`HubError::Offline`](super::HubError::Offline).
    Forbidden,
}

impl Default for HubSettings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(10),
            floor: SpeedFloor::default(),
            whole: Duration::from_secs(300),
            retries: RetryPolicy::default(),
            observer: Observer::default(),
            paging: PagingObserver::default(),
            network: NetworkAccess::default(),
        }
    }
}

/// When and how often to try again.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// How many attempts there are, the first included.
    pub attempts: u32,
    /// The waits after failures.
    pub backoff: Backoff,
    /// Added to a wait that the Hub named, because it names whole seconds.
    pub margin: Duration,
    /// How long all attempts and waits for one question may take before no further attempt is begun.
    pub total: Duration,
}

impl Default for RetryPolicy {
    /// Five waits of together 15 seconds at most, unless the Hub names one: its windows are 5 minutes long.
    fn default() -> Self {
        Self {
            attempts: 6,
            backoff: Backoff {
                first: Duration::from_millis(500),
                longest: Duration::from_secs(8),
                jitter: Jitter { least: 0.5, most: 1.0 },
            },
            margin: Duration::from_secs(1),
            total: Duration::from_secs(330),
        }
    }
}

/// What is told of retries.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(Retrying<'_>) + Send + Sync>);

impl Observer {
    /// Calls this for every retry, before the wait.
    pub fn new(told: impl Fn(Retrying<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    pub(super) fn tell(&self, retrying: Retrying<'_>) {
        (self.0)(retrying);
    }
}

/// What is told of a listing that has many pages.
#[derive(Clone)]
pub struct PagingObserver(Arc<dyn Fn(usize) + Send + Sync>);

impl PagingObserver {
    /// Calls this after every page, with how many files there are so far.
    pub fn new(told: impl Fn(usize) + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    pub(super) fn tell(&self, files: usize) {
        (self.0)(files);
    }
}

impl Default for PagingObserver {
    /// Nothing is.
    fn default() -> Self {
        Self::new(|_| {})
    }
}

impl fmt::Debug for PagingObserver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PagingObserver")
    }
}

impl Default for Observer {
    /// Nothing is.
    fn default() -> Self {
        Self::new(|_| {})
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Observer")
    }
}
