//! The engine: turns jobs into proved files.
//!
//! Large files are fetched as ranges and small ones whole, by one set of connections that the [`scheduler`] hands out
//! work to. Each large file has a [`delivery`] that follows the contiguous front of its part with a digest while later
//! ranges still arrive, and places it when the digest is right. What can go wrong is a [`FetchFault`](crate::fault::FetchFault),
//! which knows whether another attempt is worth it.

mod basis;
mod claim;
mod concurrency;
mod context;
mod delivery;
mod engine;
mod file_state;
mod file_transfer;
mod inline_writes;
mod jobs;
mod lease;
mod leased_part;
mod part_sink;
mod queue;
mod receive;
mod retries;
mod scheduler;
mod seed;
mod straggler;
mod throttle;
mod waiting;
mod worker;

pub(crate) use basis::Basis;
pub(crate) use engine::{Engine, Workshop};
pub(crate) use jobs::{FilesToFetch, Jobs};
