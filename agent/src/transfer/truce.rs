//! Hosts that want to be left alone for a while. One says so to one request, and means all of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::fault::Fault;

/// Longer than any transfer goes on with a host that has refused it for so long.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

/// Until when which host is not to be asked.
#[derive(Debug, Default)]
pub(crate) struct Truces(Mutex<HashMap<String, (Instant, u16)>>);

impl Truces {
    /// Hears a refusal that names its time.
    pub(super) fn heed(&self, fault: &Fault) {
        let Fault::RateLimited { host, status, wait: Some(wait) } = fault else { return };
        let until = Instant::now() + (*wait).min(FAR);
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = hosts.entry(host.clone()).or_insert((until, *status));
        known.0 = known.0.max(until);
    }

    /// What a host would answer now, without asking it, where that is known.
    pub(super) fn check(&self, host: &str) -> Result<(), Fault> {
        let hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((until, status)) = hosts.get(host).copied() else { return Ok(()) };
        match until.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => {
                Err(Fault::RateLimited { host: host.to_owned(), status, wait: Some(left) })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_longest_that_a_host_asked_for_counts_and_is_over_then() {
        let truces = Truces::default();
        let said = |seconds| Fault::RateLimited {
            host: "cdn.example".to_owned(),
            status: 429,
            wait: Some(Duration::from_secs(seconds)),
        };
        truces.heed(&said(60));
        truces.heed(&said(5));
        tokio::time::advance(Duration::from_secs(50)).await;
        let refused = truces.check("cdn.example").unwrap_err();
        assert!(matches!(refused, Fault::RateLimited { wait: Some(left), .. } if left.as_secs() == 10));
        assert!(truces.check("hub.example").is_ok(), "it is another one");
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(truces.check("cdn.example").is_ok());
        truces.heed(&said(u64::MAX));
        assert!(truces.check("cdn.example").is_err());
    }
}
