//! controller

pub mod hub;
pub mod link;
pub mod output;
