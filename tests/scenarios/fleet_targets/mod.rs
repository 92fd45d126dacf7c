//! Which boxes a command is for.

mod ranges;
