//! `~/.ssh/config` and `/etc/ssh/ssh_config`, read as OpenSSH reads them: which settings they have for one host.
//!
//! Nothing in them is ever run. `Match` blocks are judged by `all`, `host`, `originalhost`, `user` and `localuser`; one
//! that asks for something else (a command's success, a network, a second pass) is skipped whole, for its settings must
//! not leak into a host. What a setting means is the table in [`super::ssh_command::option_rules`]; the first value of each wins, so a file's order
//! matters.

mod error;
mod line;
mod reader;
mod skipped_match;
mod tokens;

pub use error::ConfigError;
pub use reader::{ConfigFile, Presence};

pub(super) use line::split_arguments;
pub(super) use reader::{ConfigQuery, ConfigSetting, settings_for};
pub use skipped_match::SkippedMatch;
pub use tokens::EnvironmentVariables;

pub(super) use tokens::Tokens;

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
