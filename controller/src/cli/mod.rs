//! What was typed, and what it means together with the environment.

mod arguments;
mod settings;

pub use arguments::{Arguments, Command, Copying, Face, Source, Syncing};
pub use settings::{Settings, there};
