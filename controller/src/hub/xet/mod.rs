//! The Hub's Xet store: who may read it, and which chunks of which xorbs a file consists of.
//!
//! The token of the store never leaves this machine: agents are given signed addresses of xorbs.

mod access;
mod reconstruction;
mod store;

pub use reconstruction::{ReconstructionError, XetReconstruction};
pub use store::{XetError, XetStore};
