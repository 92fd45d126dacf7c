//! What was typed, and what it means together with the environment.

mod arguments;
mod log;
mod settings;
mod values;

pub use arguments::{
    Arguments, BoxArguments, Command, LinkArguments, OutputArguments, RepoArguments, SyncArguments,
    TransferArguments,
};
pub use log::begin_log;
pub use settings::{Settings, host_to_forget, there};
