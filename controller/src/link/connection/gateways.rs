//! The way to a box: over TCP, or through other hosts, each of which is verified and logged in to by itself. One connection to each is shared by all targets of a run that go through it: a gateway sees
//! one login, whatever the number of boxes behind it.
//!
//! The last box that goes through a connection closes it. Where one has broken, the first box that notices makes another.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, error::Elapsed, timeout};

use super::client_connection::ClientConnection;
use super::dial::dial;
use crate::link::error::LinkError;
use crate::link::host_key::HostKeyPolicy;
use crate::link::keys::Keyring;
use crate::link::settings::LinkSettings;
use crate::link::ssh_command::SshTarget;
use crate::link::turns::Turns;

/// For how long a failed login is the answer to all boxes behind a gateway, twice as long after each: as few logins as one
/// box alone makes.
const FIRST_PAUSE: Duration = Duration::from_secs(4);
const MOST_DOUBLINGS: u32 = 4;

/// The gateways of a run.
#[derive(Debug, Default)]
pub(in crate::link) struct Gateways(Mutex<Vec<(GatewayKey, Arc<tokio::sync::Mutex<Gateway>>)>>);

/// Everything that decides who is reached, and how.
#[derive(Debug, PartialEq)]
struct GatewayKey {
    /// The hosts before it, and itself.
    way: Vec<SshTarget>,
    user: Option<String>,
    host_keys: HostKeyPolicy,
    known_hosts: [Vec<PathBuf>; 2],
    own_known_hosts: PathBuf,
    agent_socket: Option<PathBuf>,
    default_keys: Vec<PathBuf>,
}

/// Locked while a connection is made: the other boxes wait for it.
#[derive(Debug, Default)]
struct Gateway {
    connection: Weak<ClientConnection>,
    failed: Option<FailedGateway>,
    failures: u32,
}

#[derive(Debug)]
struct FailedGateway {
    error: Arc<LinkError>,
    at: Instant,
    /// Until when nothing else is tried.
    until: Instant,
}

impl Gateways {
    /// Connects to a box, and logs in.
    ///
    /// A user takes time to find a passphrase or a password, and servers hang up meanwhile: then it is done once more,
    /// with the key that is unlocked by now, or the password that was given.
    pub(in crate::link) async fn open(
        &self,
        target: &SshTarget,
        settings: &LinkSettings,
        turns: &Turns,
    ) -> Result<ClientConnection, LinkError> {
        let for_jumps = settings.for_jumps();
        let attempt = || async {
            let through = self.connect(&target.jumps, &for_jumps, turns).await?;
            match hop(through.clone(), target, settings, turns).await {
                // It has gone, and this is the first to notice.
                Err(LinkError::Lost { address, .. })
                    if through.as_ref().is_some_and(|jump| address == jump.address()) =>
                {
                    self.forget(&target.jumps, &for_jumps, through.as_ref()).await;
                    let through = self.connect(&target.jumps, &for_jumps, turns).await?;
                    hop(through, target, settings, turns).await
                }
                reached => reached,
            }
        };
        let reached = patiently(&settings.keyring, attempt).await;
        reached.map_err(|error| error.without(target.skipped_matches.first()))
    }

    /// A connection to the last of these hosts, through those before it; none where there are none.
    async fn connect(
        &self,
        way: &[SshTarget],
        settings: &LinkSettings,
        turns: &Turns,
    ) -> Result<Option<Arc<ClientConnection>>, LinkError> {
        let Some((last, before)) = way.split_last() else { return Ok(None) };
        let began = Instant::now();
        let gateway = self.gateway(GatewayKey::new(way, settings));
        let mut gateway = settings.queued.during(gateway.lock()).await;
        if let Some(connection) = gateway.connection.upgrade().filter(|connection| connection.is_open()) {
            return Ok(Some(connection));
        }
        let named = |source| LinkError::Jump { jump: last.to_string(), source };
        if let Some(failed) = &gateway.failed
            && (failed.at > began || Instant::now() < failed.until)
        {
            return Err(named(Arc::clone(&failed.error)));
        }
        let through = Box::pin(self.connect(before, settings, turns)).await?;
        let connected = patiently(&settings.keyring, || hop(through.clone(), last, settings, turns));
        match Box::pin(connected).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                *gateway = Gateway { connection: Arc::downgrade(&connection), ..Gateway::default() };
                Ok(Some(connection))
            }
            Err(error) => {
                let (at, error) = (Instant::now(), Arc::new(error));
                let pause = if error.has_cost_a_login() {
                    FIRST_PAUSE * 2_u32.pow(gateway.failures.min(MOST_DOUBLINGS))
                } else {
                    Duration::ZERO
                };
                gateway.failures += 1;
                gateway.failed = Some(FailedGateway { error: Arc::clone(&error), at, until: at + pause });
                Err(named(error))
            }
        }
    }

    /// A connection is not given to others any more.
    async fn forget(&self, way: &[SshTarget], settings: &LinkSettings, gone: Option<&Arc<ClientConnection>>) {
        let gateway = self.gateway(GatewayKey::new(way, settings));
        let mut gateway = gateway.lock().await;
        if gone.is_some_and(|gone| std::ptr::eq(Arc::as_ptr(gone), gateway.connection.as_ptr())) {
            gateway.connection = Weak::new();
        }
    }

    fn gateway(&self, key: GatewayKey) -> Arc<tokio::sync::Mutex<Gateway>> {
        let mut gateways = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = gateways.iter().find(|(known, _)| *known == key) {
            return Arc::clone(known);
        }
        let gateway = Arc::default();
        gateways.push((key, Arc::clone(&gateway)));
        gateway
    }
}

/// One step of the way.
async fn hop(
    through: Option<Arc<ClientConnection>>,
    target: &SshTarget,
    settings: &LinkSettings,
    turns: &Turns,
) -> Result<ClientConnection, LinkError> {
    let limit = target.connect_timeout.unwrap_or(settings.connect_timeout);
    let way = through.as_ref().map(|jump| jump.way()).unwrap_or_default();
    let _turn = turns.login(&way, target, &settings.queued).await;
    let Some(jump) = through else {
        let stream = dial(target, limit, turns, &settings.queued).await?;
        return ClientConnection::over(stream, target, settings, turns).await;
    };
    let stream = match timeout(limit, jump.forward(target)).await {
        Ok(stream) => stream?,
        Err(Elapsed { .. }) => {
            return Err(LinkError::Timeout { address: target.to_string(), after: limit });
        }
    };
    let reached = ClientConnection::over(stream, target, settings, turns).await?;
    Ok(reached.behind(jump))
}

/// Makes another attempt where a server has hung up while the user was asked.
async fn patiently<T, F: Future<Output = Result<T, LinkError>>>(
    keyring: &Keyring,
    attempt: impl Fn() -> F,
) -> Result<T, LinkError> {
    loop {
        let answers = keyring.answers();
        match Box::pin(attempt()).await {
            Err(error) if error.hung_up() && keyring.answers() > answers => {}
            reached => return reached,
        }
    }
}

impl GatewayKey {
    fn new(way: &[SshTarget], settings: &LinkSettings) -> Self {
        let LinkSettings {
            user,
            host_keys,
            known_hosts,
            global_known_hosts,
            own_known_hosts,
            agent_socket,
            default_keys,
            ..
        } = settings.clone();
        let known_hosts = [known_hosts, global_known_hosts];
        Self { way: way.to_vec(), user, host_keys, known_hosts, own_known_hosts, agent_socket, default_keys }
    }
}
