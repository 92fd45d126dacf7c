//! The voice of hfdown: everything that touches the Hub's API, the user, and SSH.
//!
//! The controller never downloads; it talks to an agent that is here or there. [`main`] reads what was typed, and every
//! transfer takes the path of [`commands`]: list, select, connect, survey, plan, execute.

mod board;
pub mod cache;
pub mod cli;
pub mod commands;
pub mod detached_records;
pub mod display;
pub mod event;
pub mod failure;
pub mod fleet;
pub mod hub;
mod interrupt;
pub mod link;
pub mod output;
mod own_files;
pub mod plan;
pub mod problem;
mod report;
pub mod routes;
pub mod selection;
pub mod session;
mod system;
pub mod tally;
mod text;
pub mod verification;

pub use commands::main;
