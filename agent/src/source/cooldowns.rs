//! Hosts that asked to be left alone for a while: no file is asked of them meanwhile.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::fault::FetchFault;
use crate::http::Cooldown;

/// The cooldown of each host that asked for one, and the status it asked with.
#[derive(Debug, Default)]
pub(crate) struct Cooldowns(Mutex<HashMap<String, Cooldown<u16>>>);

impl Cooldowns {
    /// Heeds a refusal that names its time.
    pub(super) fn heed(&self, fault: &FetchFault) {
        let FetchFault::RateLimited { host, status, wait: Some(wait) } = fault else { return };
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.entry(host.clone()).or_default().heed(*wait, *status);
    }

    /// What a host would answer now, without asking it, where that is known.
    pub(super) fn check(&self, host: &str) -> Result<(), FetchFault> {
        let hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match hosts.get(host).and_then(Cooldown::remaining) {
            Some((wait, status)) => {
                Err(FetchFault::RateLimited { host: host.to_owned(), status: *status, wait: Some(wait) })
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn the_longest_that_a_host_asked_for_counts_and_is_over_then() {
        let cooldowns = Cooldowns::default();
        let limited = |seconds| FetchFault::RateLimited {
            host: "cdn.example".to_owned(),
            status: 429,
            wait: Some(Duration::from_secs(seconds)),
        };
        cooldowns.heed(&limited(60));
        cooldowns.heed(&limited(5));
        tokio::time::advance(Duration::from_secs(50)).await;
        let refused = cooldowns.check("cdn.example").unwrap_err();
        assert!(matches!(refused, FetchFault::RateLimited { wait: Some(left), .. } if left.as_secs() == 10));
        assert!(cooldowns.check("hub.example").is_ok(), "it is another one");
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(cooldowns.check("cdn.example").is_ok());
        cooldowns.heed(&limited(u64::MAX));
        assert!(cooldowns.check("cdn.example").is_err());
    }
}
