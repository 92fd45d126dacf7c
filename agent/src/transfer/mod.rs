//! The engine: turns jobs into proved files.
//!
//! Large files are fetched as ranges and small ones whole, by one set of connections that the [`board`] hands out work
//! to. Each large file has a [`delivery`] that follows the contiguous front of its part with a digest while later
//! ranges still arrive, and places it when the digest is right. What can go wrong is a [`fault`], which knows whether
//! another attempt is worth it.

mod answers;
mod board;
mod delivery;
mod engine;
mod fault;
mod flight;
mod governor;
mod pace;
mod relief;
mod request;
mod shared;
mod slot;
mod task;
mod throttle;
mod truce;
mod work;
mod worker;

pub(crate) use answers::{Answer, Answers};
pub(crate) use engine::{Engine, Workshop};
pub(crate) use request::Network;
pub(crate) use task::Task;
pub(crate) use truce::Truces;
