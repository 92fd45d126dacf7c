//! A `Match` block that was passed over.

use std::fmt;

use crate::link::file_line::FileLine;

/// A `Match` block that was passed over, because of something that is not looked at here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedMatch {
    /// Its line.
    pub place: FileLine,
    /// What it asks for: `exec`, `localnetwork`.
    pub criterion: String,
}

/// ``the `Match exec …` in ~/.ssh/config:7``.
impl fmt::Display for SkippedMatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the `Match {} …` in {}", self.criterion, self.place)
    }
}
