//! A folder on a box, as one of many.

use std::sync::Arc;

/// Where a model is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetTarget {
    /// What it is called on the screen: no other target of the command has that name.
    pub name: Arc<str>,
    /// The SSH command that leads to the box, as it was typed.
    pub ssh: String,
    /// The folder there; none is the hub cache.
    pub folder: Option<String>,
    /// What its traffic costs, where that is known.
    pub price: Option<Price>,
}

/// What a box's incoming traffic costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// Dollars for 10^12 bytes.
    pub dollars_per_tb: f64,
}
