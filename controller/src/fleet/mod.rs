//! Many boxes of one command: which they are, and what has become of each. Values and pure functions.

mod event;
mod outcome;
mod target;

pub use event::FleetEvent;
pub use outcome::{BoxEnding, BoxOutcome, FleetOutcome};
pub use target::{FleetTarget, Price};
