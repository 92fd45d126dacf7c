//! `~/.ssh/config` and `/etc/ssh/ssh_config`, read as OpenSSH reads them: which settings they have for one host.
//!
//! Nothing in them is ever run. `Match` blocks are skipped whole unless they are `Match all`: what such a block asks
//! for (a command's success, another user, a second pass) can't be told here, and its settings must not leak into a
//! host. What a setting means is the table in [`super::ssh_command::option_rules`]; the first value of each wins, so a file's order
//! matters.

mod error;
mod line;
mod reader;
mod tokens;

pub use error::ConfigError;
pub use reader::{ConfigFile, Presence};

pub(super) use line::split_arguments;
pub(super) use reader::{ConfigSetting, settings_for};
pub(super) use tokens::Tokens;

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
