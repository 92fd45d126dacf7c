//! A duration as programs are told of it.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// A duration to the millisecond.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seconds(pub(crate) Duration);

impl Seconds {
    /// The number of them.
    pub(crate) fn number(self) -> f64 {
        self.0.as_millis() as f64 / 1_000.0
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.number())
    }
}
