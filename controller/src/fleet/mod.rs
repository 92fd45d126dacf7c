//! Many boxes of one command: which they are, and what has become of each. Values and pure functions.

mod event;
mod host_fold;
mod host_range;
pub mod hosts_file;
mod outcome;
mod status;
mod target;
mod target_names;
mod vast_instances;

pub use event::FleetEvent;
pub use host_fold::fold;
pub use host_range::{RangeError, expand};
pub use outcome::{BoxEnding, BoxOutcome, FleetOutcome};
pub use status::{BoxStatus, FolderState, usual_commit};
pub use target::{FleetTarget, Price};
pub use target_names::{Unnamed, names};
pub use vast_instances::{LARGEST_INSTANCES, VastError, VastInstance, VastInstances};

/// The most targets of one command. More of them are filled by an engine that has many controllers.
pub const MOST_TARGETS: usize = 4096;
