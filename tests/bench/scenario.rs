//! What is compared, by the letters of the issue.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;

use crate::tool::Tool;
use crate::workspace::Set;

/// What a connection to the CDN carries in [`Scenario::SlowConnections`], in bytes a second.
pub(crate) const CAP: u64 = 40_000_000;
/// How much later each answer begins there.
pub(crate) const DELAY: Duration = Duration::from_millis(50);

/// Something to do for each program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// One large file.
    #[value(name = "A")]
    OneFile,
    /// Several large files.
    #[value(name = "B")]
    Shards,
    /// Thousands of small files, every other one in LFS: both of the Hub's ways to serve.
    #[value(name = "C")]
    ManySmall,
    /// Connections that are slow each, and answers that are late.
    #[value(name = "D")]
    SlowConnections,
    /// A second sync of B and C, with nothing to do.
    #[value(name = "E")]
    Again,
    /// A dry run for one file in ten of 100,000: what it takes to list them and to choose.
    #[value(name = "G")]
    Chosen,
    /// A killed with SIGKILL when half of it has been written; what is measured is the run after that.
    #[value(name = "F")]
    Killed,
}

impl Scenario {
    /// Neighbours share their files.
    pub(crate) const IN_TURN: [Self; 7] = [
        Self::OneFile,
        Self::Killed,
        Self::Shards,
        Self::ManySmall,
        Self::Again,
        Self::SlowConnections,
        Self::Chosen,
    ];

    /// The files it needs.
    pub(crate) fn sets(self) -> &'static [Set] {
        match self {
            Self::OneFile | Self::Killed => &[Set::Large],
            Self::Shards => &[Set::Shards],
            Self::ManySmall => &[Set::Small],
            Self::SlowConnections => &[Set::Capped],
            Self::Again => &[Set::Shards, Set::Small],
            Self::Chosen => &[Set::Listed],
        }
    }

    /// The pattern that files are chosen by, where nothing is fetched.
    pub(crate) fn choice(self) -> Option<&'static str> {
        (self == Self::Chosen).then_some("*7.bin")
    }

    /// Whether its programs are run under a tracer as well: where they fetch all there is.
    pub(crate) fn is_traced(self) -> bool {
        matches!(self, Self::OneFile | Self::Shards | Self::ManySmall)
    }

    /// Why a program takes no part.
    pub(crate) fn refuses(self, tool: Tool) -> Option<&'static str> {
        match (self, tool) {
            (Self::ManySmall, Tool::HfTransfer) => Some("huggingface_hub gave it only files over 50 MB"),
            (Self::ManySmall, Tool::CurlPiped) => Some("starts three programs for each file"),
            (Self::Again, Tool::HfTransfer | Tool::Curl | Tool::CurlPiped) => {
                Some("does not look at what is there, and fetches all")
            }
            (Self::Chosen, Tool::Aria2c | Tool::Curl | Tool::CurlPiped | Tool::HfTransfer) => {
                Some("lists nothing")
            }
            (Self::Killed, Tool::HfTransfer | Tool::CurlPiped) => Some("does not resume, and fetches all"),
            _ => None,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::OneFile => "A, one large file",
            Self::Shards => "B, several large files",
            Self::ManySmall => "C, many small files, every other one in LFS",
            Self::SlowConnections => "D, 40 MB/s per connection, answers 50 ms late",
            Self::Again => "E, nothing to do, after B + C",
            Self::Killed => "F, A again after SIGKILL at 50 %",
            Self::Chosen => "G, --include of 100,000 files, --dry-run",
        })
    }
}
