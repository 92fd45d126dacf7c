//! What the agent and the controller share of HTTP: one rule for redirects, one reading of what goes wrong on the network, one
//! reading of what proxies the environment asks for, and how long to wait before asking again.
//!
//! The agent asks CDNs by a client of its own (`transport`) and the controller asks the Hub by [`client_builder`]'s client, each
//! with a loop of its own.

mod asked_wait;
mod backoff;
mod client;
mod cooldown;
mod extra_roots;
mod names;
mod network_fault;
mod no_proxy;
mod private_network;
mod proxies;
mod proxy_fault;
mod proxy_login;
mod proxy_server;
mod redirect;
mod refusal_text;
mod speed;
mod transport;
mod tunnel;

pub use asked_wait::{asked_wait, wait_in_words};
pub use backoff::{Backoff, Jitter};
pub use client::client_builder;
pub use cooldown::Cooldown;
pub use extra_roots::{ExtraRoots, SetupError};
pub use names::{Names, TooManyNames};
pub use network_fault::{NetworkFault, innermost_cause};
pub use private_network::{is_private, literal_network};
pub use proxies::{EnvironmentOwner, Proxies, ProxyError, ProxyVariable};
pub use proxy_fault::{ProxyFault, ProxyTrouble, SentLogin};
pub use proxy_server::{ProxyFlaw, ProxyServer};
pub use redirect::{RedirectError, redirect_target};
pub use refusal_text::{is_said_to_be_a_page, is_web_page, page_title, refusal_body, refusal_text};
pub use speed::{RecentSpeed, SLICE, SpeedFloor};
pub(crate) use transport::{HttpAnswer, HttpTransport, TransportError};
