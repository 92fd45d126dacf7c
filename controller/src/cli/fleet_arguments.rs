//! How a command goes about many boxes.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use clap::Args;

/// As many boxes at once as a fleet mostly has: they download by themselves and cost this machine little, while one that
/// waits for its turn is paid for. Each takes two descriptors here, of which a shell often grants 1,024.
const JOBS: u16 = 256;

/// How to go about many boxes.
#[derive(Debug, Default, Args)]
pub struct FleetArguments {
    /// How many boxes at once [default: 256]
    #[arg(long, value_name = "N", help_heading = "Many boxes")]
    pub jobs: Option<NonZeroU16>,
    /// How long one box may take, from when its turn has come [default: as long as it takes]
    #[arg(long, value_name = "SECONDS", help_heading = "Many boxes")]
    pub timeout: Option<NonZeroU32>,
    /// Stop all boxes as soon as one has failed
    #[arg(long, help_heading = "Many boxes")]
    pub fail_fast: bool,
}

impl FleetArguments {
    /// How many at once.
    pub fn jobs(&self) -> usize {
        self.jobs.map_or(JOBS, NonZeroU16::get).into()
    }

    /// How long one of them may take.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout.map(|seconds| Duration::from_secs(seconds.get().into()))
    }
}
