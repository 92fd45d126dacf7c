//! Sessions of TLS that later connections take up: one full handshake per host, however many connections there are.
//!
//! A ticket serves once, and comes with the first bytes of an answer. So connections that begin at the same time would each
//! have a handshake of its own. They wait for the tickets of those before them, and not for long: on a link with long
//! round trips a full handshake is sooner done.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The longest wait for a ticket. No test is to depend on a machine's speed.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 60_000 } else { 300 });
/// Hosts whose sessions are kept: a Hub leads to a handful.
const HOSTS: usize = 32;
/// Tickets of one host: as many as there are connections.
const TICKETS: usize = 16;

/// The sessions of one client.
#[derive(Default)]
pub(super) struct Sessions {
    hosts: Mutex<HashMap<ServerName<'static>, HostSessions>>,
    /// Held from the look at what there is until a handshake has taken it.
    beginning: Mutex<()>,
    changed: Notify,
}

#[derive(Default)]
struct HostSessions {
    key_exchange: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    tickets: VecDeque<Tls13ClientSessionValue>,
    /// Connections whose tickets may still come.
    pending: usize,
}

/// A connection whose tickets may still come, until this is dropped.
pub(super) struct PendingTickets {
    sessions: Arc<Sessions>,
    host: ServerName<'static>,
}

impl Sessions {
    /// Begins a handshake as soon as there is a session to take up, or none is to be expected soon.
    pub(super) async fn begin<T>(
        self: &Arc<Self>,
        host: &ServerName<'static>,
        handshake: impl FnOnce() -> T,
    ) -> (T, PendingTickets) {
        let until = Instant::now() + PATIENCE;
        let mut handshake = Some(handshake);
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(begun) = self.try_begin(host, Instant::now() >= until, &mut handshake) {
                return begun;
            }
            // Late is no fault.
            let _ = tokio::time::timeout_at(until, changed).await;
        }
    }

    fn try_begin<T>(
        self: &Arc<Self>,
        host: &ServerName<'static>,
        is_late: bool,
        handshake: &mut Option<impl FnOnce() -> T>,
    ) -> Option<(T, PendingTickets)> {
        let _beginning = self.beginning.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = self.edit(host, |sessions| {
            let is_due =
                is_late || sessions.pending == 0 || sessions.tls12.is_some() || !sessions.tickets.is_empty();
            sessions.pending += usize::from(is_due);
            is_due
        });
        let handshake = handshake.take_if(|_| is_due)?;
        Some((handshake(), PendingTickets { sessions: Arc::clone(self), host: host.clone() }))
    }

    fn edit<T>(&self, host: &ServerName<'_>, edit: impl FnOnce(&mut HostSessions) -> T) -> T {
        let mut hosts = self.hosts();
        if hosts.len() >= HOSTS && !hosts.contains_key(host) {
            hosts.retain(|_, sessions| sessions.pending > 0);
        }
        edit(hosts.entry(host.to_owned()).or_default())
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<ServerName<'static>, HostSessions>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PendingTickets {
    fn drop(&mut self) {
        self.sessions.edit(&self.host, |host| host.pending = host.pending.saturating_sub(1));
        self.sessions.changed.notify_waiters();
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, host: ServerName<'static>, group: NamedGroup) {
        self.edit(&host, |host| host.key_exchange = Some(group));
    }

    fn kx_hint(&self, host: &ServerName<'_>) -> Option<NamedGroup> {
        self.edit(host, |host| host.key_exchange)
    }

    fn set_tls12_session(&self, host: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.edit(&host, |host| host.tls12 = Some(session));
        self.changed.notify_waiters();
    }

    fn tls12_session(&self, host: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.edit(host, |host| host.tls12.clone())
    }

    fn remove_tls12_session(&self, host: &ServerName<'static>) {
        self.edit(host, |host| host.tls12 = None);
    }

    fn insert_tls13_ticket(&self, host: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.edit(&host, |host| {
            host.tickets.truncate(TICKETS - 1);
            host.tickets.push_front(ticket);
        });
        self.changed.notify_waiters();
    }

    fn take_tls13_ticket(&self, host: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.edit(host, |host| host.tickets.pop_front())
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sessions")
    }
}

impl fmt::Debug for PendingTickets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PendingTickets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> ServerName<'static> {
        ServerName::try_from(name.to_owned()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn connections_wait_for_the_tickets_of_the_first_one() {
        let sessions = Arc::new(Sessions::default());
        let (host, other) = (host("cdn.example"), host("hub.example"));
        let began = Instant::now();
        let ((), first) = sessions.begin(&host, || ()).await;
        let (second, ()) = tokio::join!(sessions.begin(&host, Instant::now), async {
            // Another host has nothing to do with it.
            sessions.begin(&other, || ()).await;
            assert_eq!(Instant::now(), began);
            tokio::time::advance(PATIENCE / 2).await;
            // It has answered, or broken: no more tickets are to be expected.
            drop(first);
        });
        assert_eq!(second.0, began + PATIENCE / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_does_not_answer_is_not_waited_for_for_long() {
        let sessions = Arc::new(Sessions::default());
        let host = host("cdn.example");
        let ((), _silent) = sessions.begin(&host, || ()).await;
        let began = Instant::now();
        sessions.begin(&host, || ()).await;
        assert_eq!(Instant::now(), began + PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_without_end_are_forgotten() {
        let sessions = Arc::new(Sessions::default());
        for number in 0..10 * HOSTS {
            sessions.begin(&host(&format!("cdn{number}.example")), || ()).await;
        }
        assert!(sessions.hosts().len() <= HOSTS);
    }
}
