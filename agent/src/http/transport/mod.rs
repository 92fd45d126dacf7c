//! How bytes come from a CDN: requests of HTTP/1.1 over connections that are read in large pieces.
//!
//! The controller's client (`reqwest`) reads a record of TLS at a time, 16 KiB; there is no setting for that. At a gigabyte per
//! second the system calls, wake-ups and timers of 60,000 pieces cost as much as the decryption. So the agent has its own
//! connector below the same HTTP, which asks the kernel for what there is and hands on many records at once.

mod client;
mod connection;
mod connector;
mod error;
mod sessions;

pub(crate) use client::{HttpAnswer, HttpTransport};
pub(crate) use error::TransportError;

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
