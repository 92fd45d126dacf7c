//! A Hugging Face Hub in miniature: the real one's routes, headers and refusals, on loopback, with faults on demand.
//!
//! ```no_run
//! use hfdown_tests::hub::{Content, HubFault, HubOrigin, TestHub, When};
//!
//! let hub = TestHub::start();
//! let commit = hub
//!     .model("acme/tiny")
//!     .file("config.json", "{}")
//!     .lfs("model.safetensors", Content::random(1, 5_000_000))
//!     .commit();
//! let fault = hub.fault(HubFault::CutAfter(1_000_000), When::file("model.safetensors").first(1));
//! // … point a client at hub.endpoint() …
//! assert_eq!(fault.times_struck(), 1);
//! assert!(hub.requests().iter().all(|request| request.origin == HubOrigin::Hub || !request.authorized()));
//! ```
//!
//! There are two origins, as in life: the Hub itself, and a CDN that knows nothing but signed addresses which expire.
//! Both stop when the [`TestHub`] is dropped. They run on threads of their own, so a test may block or pause its clock.
//! What the real Hub does is written down in the team's reference on it; that this one does the same is shown by
//! `scenarios/hub_is_faithful.rs`, where the real `hf` downloads from it.

mod access;
mod answer;
mod api;
mod body;
mod catalogue;
mod cdn;
mod content;
mod delivery;
mod draft;
mod fault;
mod git;
mod log;
mod mirror;
mod page;
mod range;
mod rate;
mod refusal;
mod reply;
mod repository;
mod resolve;
mod route;
mod server;
mod sign;
mod stall;
mod tls;
#[cfg(test)]
mod trial;
mod when;
mod wire;
mod xet_store;

pub use access::Gate;
pub use content::Content;
pub use draft::Draft;
pub use fault::{Armed, CannedAnswer, HubFault, OddRange, RetryAfterForm};
pub use log::{HubOrigin, HubRequest};
pub use mirror::{AccessClaim, Bodies, Guarded, Mirror};
pub use rate::Bucket;
pub use repository::RepositoryKind;
pub use server::{TestHub, XET_TOKEN};
pub use stall::StallHandle;
pub use tls::{Authority, Front, IssuedCertificate};
pub use when::When;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A test that panicked while it held a lock has failed already; the others need not fail with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
