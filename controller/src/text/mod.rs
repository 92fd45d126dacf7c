//! Text for users: hostile text made harmless, figures in units, and how many columns of a terminal all that takes.
//!
//! Every other room may use this one; it knows none of them.

mod sanitize;
mod seconds;
pub(crate) mod units;
pub(crate) mod width;

pub(crate) use sanitize::{is_hidden, sanitize, sanitize_lines};
pub(crate) use seconds::Seconds;
