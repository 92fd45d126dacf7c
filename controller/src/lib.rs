//! controller

pub mod hub;
