//! What can be wrong with a configuration file.

use std::io;
use std::path::PathBuf;

use crate::link::file_line::FileLine;

/// Why a configuration file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The system does not let it be read.
    #[error("cannot read {}: {kind}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        kind: io::ErrorKind,
    },
    /// More than any real one.
    #[error("{} is larger than 1 MiB", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// Files that include each other.
    #[error("{place}: too many files include each other")]
    TooDeep {
        /// The `Include`.
        place: FileLine,
    },
    /// A quote that is not closed.
    #[error("{place}: a quote is not closed")]
    Quote {
        /// Its line.
        place: FileLine,
    },
    /// A keyword alone.
    #[error("{place}: {keyword} needs a value")]
    NoValue {
        /// Its line.
        place: FileLine,
        /// The keyword.
        keyword: String,
    },
}
