//! Turns: how many logins may be under way at once, at one server, at one machine and in all.
//!
//! All targets of a run share them. OpenSSH drops connections at random from the tenth on that has not logged in
//! (`MaxStartups 10:30:100`), and proxies of those who rent out boxes drop all of a dozen that wait for them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ssh_command::SshTarget;

/// Logins at once at one port: a third of what OpenSSH takes before it drops any, as others log in there as well.
const AT_A_SERVER: usize = 3;
/// The same at one host, whatever the ports: one proxy leads to many boxes.
const AT_A_HOST: usize = 8;
/// Key exchanges at once in all. Each keeps a processor busy for some milliseconds, and the last one is to be done long
/// before its server gives up; servers that take connections and say nothing hold their turns for 15 s.
const KEY_EXCHANGES: usize = 64;
/// Names that are looked up at once: each holds a thread, of which there are few, until the resolver answers.
const LOOKUPS: usize = 8;

/// The turns of a run.
#[derive(Debug)]
pub(super) struct Turns {
    servers: Mutex<HashMap<String, Arc<Semaphore>>>,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
    key_exchanges: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
}

/// For how long one target has waited for others. It does not count as waiting for its box.
#[derive(Debug, Clone, Default)]
pub struct QueueTime(Arc<AtomicU64>);

/// The turn to log in to one server. It is over when this is dropped.
pub(super) struct LoginTurn {
    _server: Option<OwnedSemaphorePermit>,
    _host: Option<OwnedSemaphorePermit>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            servers: Mutex::default(),
            hosts: Mutex::default(),
            key_exchanges: Arc::new(Semaphore::new(KEY_EXCHANGES)),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
        }
    }
}

impl Turns {
    /// Waits for the turn to log in to a server, which is reached by that way.
    pub(super) async fn login(&self, way: &str, target: &SshTarget, queued: &QueueTime) -> LoginTurn {
        let host = format!("{way}{}", target.host);
        let server = semaphore(&self.servers, format!("{host}:{}", target.port), AT_A_SERVER);
        let host = semaphore(&self.hosts, host, AT_A_HOST);
        queued
            .during(async {
                // In this order always, so that none waits for another in a circle. They are never closed.
                LoginTurn {
                    _server: server.acquire_owned().await.ok(),
                    _host: host.acquire_owned().await.ok(),
                }
            })
            .await
    }

    /// Waits for the turn to exchange keys.
    pub(super) async fn key_exchange(&self, queued: &QueueTime) -> Option<OwnedSemaphorePermit> {
        queued.during(Arc::clone(&self.key_exchanges).acquire_owned()).await.ok()
    }

    /// Waits for the turn to look up a name.
    pub(super) async fn lookup(&self, queued: &QueueTime) -> Option<OwnedSemaphorePermit> {
        queued.during(Arc::clone(&self.lookups).acquire_owned()).await.ok()
    }
}

impl QueueTime {
    /// How long it is by now.
    pub(super) fn elapsed(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// Counts the time that this takes.
    pub(super) async fn during<T>(&self, waiting: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let waited = waiting.await;
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.0.fetch_add(micros, Ordering::Relaxed);
        waited
    }
}

fn semaphore(all: &Mutex<HashMap<String, Arc<Semaphore>>>, name: String, most: usize) -> Arc<Semaphore> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(all.entry(name).or_insert_with(|| Arc::new(Semaphore::new(most))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(ssh: &str) -> SshTarget {
        SshTarget::parse(ssh).unwrap().0
    }

    async fn free(turns: &Turns, way: &str, ssh: &str) -> bool {
        let (target, queued) = (target(ssh), QueueTime::default());
        let waiting = turns.login(way, &target, &queued);
        tokio::time::timeout(Duration::from_millis(1), waiting).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn few_log_in_to_one_server_at_once_and_to_all_ports_of_a_host_and_others_do_not_wait_for_them() {
        let (turns, queued) = (Turns::default(), QueueTime::default());
        let mut held = Vec::new();
        for _ in 0..AT_A_SERVER {
            held.push(turns.login("", &target("root@gpu:1"), &queued).await);
        }
        assert!(!free(&turns, "", "root@gpu:1").await);
        assert!(free(&turns, "", "root@gpu:2").await && free(&turns, "", "root@other:1").await);
        // The same name behind a gateway is another host.
        assert!(free(&turns, "gateway:22>", "root@gpu:1").await);
        for port in 2..2 + AT_A_HOST - AT_A_SERVER {
            held.push(turns.login("", &target(&format!("root@gpu:{port}")), &queued).await);
        }
        assert!(!free(&turns, "", "root@gpu:99").await);
        held.pop();
        assert!(free(&turns, "", "root@gpu:99").await);
    }
}
