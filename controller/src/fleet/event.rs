//! What happens to a fleet as a whole, and to its members as such. What happens on a box is told as ever, by its name.

use std::sync::Arc;

use super::outcome::{BoxOutcome, FleetOutcome};
use super::target::FleetTarget;

/// Something that happened.
#[derive(Debug, Clone)]
pub enum FleetEvent {
    /// A command begins.
    Begun {
        /// What it is for.
        targets: Arc<[FleetTarget]>,
        /// How many of them at once.
        jobs: usize,
    },
    /// The turn of the target of this name has come.
    BoxBegun,
    /// It is known what has become of it.
    BoxEnded(BoxOutcome),
    /// The command is over.
    Ended(Arc<FleetOutcome>),
}
