//! What an agent finds around it, as a parameter: how it reaches the network, and when it tries again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hfdown_protocol::{FileTable, Limits};

use crate::http::{Backoff, ExtraRoots, HttpTransport, Jitter, Names, Proxies, SetupError, SpeedFloor};
use crate::predecessor::AgentIdentity;

/// The effects an agent may have on the world outside its folder.
#[derive(Debug, Clone)]
pub struct Environment {
    pub(crate) transport: HttpTransport,
    /// What the client's names stand for.
    pub(crate) names: Names,
    /// What addresses are asked through.
    pub(crate) proxies: Proxies,
    pub(crate) timing: RetryTiming,
    pub(crate) roots: ExtraRoots,
    /// The folder that an agent on a box was started from, with records of transfers that were detached. None where
    /// the controller that started this one keeps them.
    pub(crate) private: Option<PathBuf>,
    /// What this agent can be known by, where it is a process of its own.
    pub(crate) identity: Option<AgentIdentity>,
    /// What the controller in this process has listed: files that it orders are not kept twice.
    pub(crate) listing: Arc<FileTable>,
}

/// When a connection is given up, and when its work is tried again. A controller may ask for other figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryTiming {
    /// Without a byte for this long, a connection is given up and its range goes on elsewhere.
    pub(crate) stall: Duration,
    /// With less than this, it is given up as well.
    pub(crate) floor: SpeedFloor,
    /// The waits after failures.
    pub(crate) backoff: Backoff,
}

/// Without a byte for this long, a connection is given up unless a controller says otherwise.
const STALL: Duration = Duration::from_secs(30);
/// The first wait after a failure, and how many times that the longest is.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const GROWTH: u32 = 40;
const JITTER: Jitter = Jitter { least: 0.75, most: 1.25 };

impl Environment {
    /// Trusts the bundled roots, and the certificates of `extra_roots` (what `SSL_CERT_FILE` names) as well, and asks through
    /// these proxies.
    pub fn new(extra_roots: Option<&Path>, proxies: Proxies) -> Result<Self, SetupError> {
        let roots = extra_roots.map_or_else(|| Ok(ExtraRoots::default()), ExtraRoots::read)?;
        let names = Names::default();
        let transport = HttpTransport::new(&roots, &names, &proxies)?;
        let timing = RetryTiming::default();
        Ok(Self {
            transport,
            names,
            proxies,
            timing,
            roots,
            private: None,
            identity: None,
            listing: Arc::default(),
        })
    }

    /// The same for an agent in the process of a controller that has this listing.
    #[must_use]
    pub fn with_listing(self, listing: Arc<FileTable>) -> Self {
        Self { listing, ..self }
    }

    /// The same for an agent that has a folder of its own.
    #[cfg(unix)]
    #[must_use]
    pub(crate) fn with_private(self, private: Option<PathBuf>) -> Self {
        Self { private, ..self }
    }

    /// The same for an agent that a run knows by these words.
    #[must_use]
    pub(crate) fn with_identity(self, identity: Option<AgentIdentity>) -> Self {
        Self { identity, ..self }
    }

    /// The same, trusting these certificates in DER as well.
    pub(crate) fn trusting(&self, handed_down: Vec<Vec<u8>>) -> Result<Self, SetupError> {
        let roots = self.roots.and(handed_down)?;
        let transport = HttpTransport::new(&roots, &self.names, &self.proxies)?;
        Ok(Self { transport, roots, ..self.clone() })
    }

    /// The same, as patient as a controller asks for.
    #[must_use]
    pub(crate) fn limited_by(mut self, limits: &Limits) -> Self {
        if let Some(seconds) = limits.stall_seconds {
            self.timing.stall = Duration::from_secs(seconds.get().into());
        }
        let floor = &mut self.timing.floor;
        if let Some(bytes_per_second) = limits.speed_limit {
            floor.bytes_per_second = bytes_per_second;
        }
        floor.time = match limits.speed_seconds {
            Some(seconds) => Duration::from_secs(seconds.get().into()),
            // A server that may be silent for so long may be slow for so long.
            None => floor.time.max(self.timing.stall),
        };
        if let Some(millis) = limits.first_wait_millis {
            self.timing.backoff = backoff(Duration::from_millis(millis.get().into()));
        }
        self
    }
}

fn backoff(first: Duration) -> Backoff {
    Backoff { first, longest: first * GROWTH, jitter: JITTER }
}

impl Default for RetryTiming {
    fn default() -> Self {
        Self { stall: STALL, floor: SpeedFloor::default(), backoff: backoff(FIRST_WAIT) }
    }
}
