//! Which boxes a command is for.

mod named;
mod ranges;
mod status;
