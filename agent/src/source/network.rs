//! What sources need from outside: the way to the network and to the controller.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hfdown_protocol::Report;
use tokio::sync::mpsc;

use super::cooldowns::Cooldowns;
use super::pending::PendingSources;
use super::relayed::Streams;
use crate::http::{HttpTransport, Names, Proxies, SpeedFloor};

/// The ways out that all sources of one conversation share.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) transport: HttpTransport,
    /// What its names stand for.
    pub(crate) names: Names,
    /// What addresses are asked through.
    pub(crate) proxies: Proxies,
    /// Without a byte for this long, a connection is given up.
    pub(crate) stall: Duration,
    /// With less than this, it is given up as well.
    pub(crate) floor: SpeedFloor,
    /// Connections that wait for a server at this moment.
    pub(crate) waiting: WaitingConnections,
    pub(crate) cooldowns: Cooldowns,
    pub(crate) pending: PendingSources,
    /// Whether a public address wanted a token: then the controller is asked for every file.
    pub(crate) wants_token: WantsToken,
    pub(crate) streams: Arc<Streams>,
    pub(crate) reports: mpsc::Sender<Report>,
}

/// Whether the Hub wants a token also for what is public, as far as it was seen.
#[derive(Debug, Default)]
pub(crate) struct WantsToken(AtomicBool);

impl WantsToken {
    pub(super) fn learn(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_known(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many wait.
#[derive(Debug, Default)]
pub(crate) struct WaitingConnections(AtomicUsize);

/// One of them. It waits until this is dropped.
#[derive(Debug)]
pub(crate) struct Waiter<'a>(&'a WaitingConnections);

impl WaitingConnections {
    pub(crate) fn enter(&self) -> Waiter<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Waiter(self)
    }

    pub(crate) fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A network that is this machine, with patience for a second.
#[cfg(test)]
pub(super) fn for_tests(reports: mpsc::Sender<Report>) -> Arc<Network> {
    use crate::environment::Environment;

    let environment = Environment::new(None, Proxies::none()).unwrap();
    let Environment { transport, names, proxies, .. } = environment;
    Arc::new(Network {
        transport,
        names,
        proxies,
        stall: Duration::from_secs(1),
        floor: SpeedFloor::default(),
        waiting: WaitingConnections::default(),
        cooldowns: Cooldowns::default(),
        pending: PendingSources::default(),
        wants_token: WantsToken::default(),
        streams: Arc::default(),
        reports,
    })
}
