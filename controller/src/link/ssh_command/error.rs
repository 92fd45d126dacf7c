//! Why a pasted string, or a configuration file, names no SSH server that can be reached.

use crate::link::config::ConfigError;
use crate::link::file_line::FileLine;

/// How many jump hosts there can be on the way to one host.
pub(in crate::link) const MOST_JUMPS: usize = 8;

/// Why a string names no SSH server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// A quote that is not closed.
    #[error("a quote is not closed")]
    Quote,
    /// No host in it.
    #[error("it names no host")]
    NoHost,
    /// A host name with characters that no host name has.
    #[error("`{0}` is not a host name")]
    Host(String),
    /// A user name with characters that no user name has.
    #[error("`{0}` is not a user name")]
    User(String),
    /// Not a number from 1 to 65535.
    #[error("`{0}` is not a port")]
    Port(String),
    /// An option without the value it needs.
    #[error("{0} needs a value")]
    NoValue(String),
    /// An option with a value that makes no sense.
    #[error("{option} can't be `{value}`")]
    BadValue {
        /// The option.
        option: String,
        /// Its value.
        value: String,
    },
    /// A variable of the environment that is not set.
    #[error("{option} needs the variable {name}, which is not set")]
    NoVariable {
        /// The option.
        option: String,
        /// The variable.
        name: String,
    },
    /// An option that `ssh` does not have.
    #[error("ssh has no option {0}")]
    NoSuchOption(String),
    /// An option that hfdown does not honour, and that must not be dropped silently.
    #[error("{option} is not supported: {reason}")]
    Refused {
        /// The option.
        option: String,
        /// Why not.
        reason: &'static str,
    },
    /// A configuration file that can't be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A line of a configuration file that makes no sense.
    #[error("{place}: {error}")]
    At {
        /// The line.
        place: FileLine,
        /// What is wrong with it.
        error: Box<TargetError>,
    },
    /// Jump hosts without end.
    #[error("the jump hosts lead in a circle, or are more than {MOST_JUMPS}")]
    TooManyJumps,
    /// Words after the host: a command for the box.
    #[error("it ends in a command for the box (`{0}`), and hfdown runs only its own agent there")]
    Command(String),
}

impl TargetError {
    /// Whether it is about a configuration file, and not about what was pasted.
    pub fn is_of_a_file(&self) -> bool {
        matches!(self, Self::Config(_) | Self::At { .. })
    }
}
