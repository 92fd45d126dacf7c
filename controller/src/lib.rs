//! The voice of hfdown: everything that touches the Hub's API, the person, and SSH.
//!
//! The controller never downloads; it talks to an agent that is here or there. See [`run`] for the road of a command.

pub mod event;
pub mod hub;
pub mod link;
pub mod output;
pub mod plan;
