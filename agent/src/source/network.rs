//! What sources need from outside: the way to the network and to the controller.

use std::time::Duration;

use hfdown_protocol::Report;
use reqwest::Client;
use tokio::sync::mpsc;

use super::cooldowns::Cooldowns;
use super::pending::PendingSources;

/// The ways out that all sources of one conversation share.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) client: Client,
    /// Without a byte for this long, a connection is given up.
    pub(crate) stall: Duration,
    pub(crate) cooldowns: Cooldowns,
    pub(crate) pending: PendingSources,
    pub(crate) reports: mpsc::Sender<Report>,
}
