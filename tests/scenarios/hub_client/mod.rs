//! The controller's client of the Hub, against the test Hub, and against servers of other minds.

mod answers;
mod client;
mod strangers;
