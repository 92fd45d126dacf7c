//! Many boxes of one command: which they are beside those that are named, and how it goes about them.

use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser as NotEmpty;

/// Where `--help` has these options.
const HEADING: &str = "Many boxes";

/// As many boxes at once as a fleet mostly has: they download by themselves and cost this machine little, while one that
/// waits for its turn is paid for. Each takes two descriptors here, of which a shell often grants 1,024.
const JOBS: u16 = 256;

/// Which boxes, and how to go about many.
#[derive(Debug, Clone, Default, Args)]
pub struct FleetArguments {
    /// Boxes from a file, or `-` for standard input; a line each: an SSH command, or `NAME = SSH`, and behind it ` -> DIR` where
    /// the folder is another one there. `#` begins a comment
    #[arg(long, value_name = "FILE", help_heading = HEADING, value_parser = NotEmpty::new())]
    pub hosts: Option<String>,
    /// The running instances of `vastai show instances --raw`, from a file, or `-` for standard input
    #[arg(long, value_name = "FILE", help_heading = HEADING, value_parser = NotEmpty::new())]
    pub vast_json: Option<String>,
    /// Of all these boxes only those whose name matches: `gpu0*`, `gpu[001-016]`; may be repeated
    #[arg(long, value_name = "GLOB", help_heading = HEADING, value_parser = NotEmpty::new())]
    pub select: Vec<String>,
    /// How many boxes at once [default: 256]
    #[arg(long, value_name = "N", help_heading = HEADING)]
    pub jobs: Option<NonZeroU16>,
    /// How long one box may take, from when its turn has come [default: as long as it takes]
    #[arg(long, value_name = "SECONDS", help_heading = HEADING)]
    pub timeout: Option<NonZeroU32>,
    /// Stop all boxes as soon as one has failed
    #[arg(long, help_heading = HEADING)]
    pub fail_fast: bool,
    /// Write down at the end what became of each box, and how it came to that over time: for programs (.json) or as a page
    /// for a browser (.html); may be repeated
    #[arg(long, value_name = "FILE", help_heading = HEADING, value_parser = clap::value_parser!(PathBuf))]
    pub report: Vec<PathBuf>,
}

impl FleetArguments {
    /// Whether boxes are named elsewhere than on the command line.
    pub fn names_boxes(&self) -> bool {
        self.hosts.is_some() || self.vast_json.is_some()
    }

    /// Whether it is a fleet that is meant, of however many boxes.
    pub fn is_fleet(&self) -> bool {
        self.names_boxes() || !self.select.is_empty()
    }

    /// The first option that makes sense of many boxes alone, if one was typed.
    pub fn of_many(&self) -> Option<&'static str> {
        let typed = [
            (!self.select.is_empty(), "--select"),
            (self.jobs.is_some(), "--jobs"),
            (self.fail_fast, "--fail-fast"),
        ];
        typed.into_iter().find_map(|(is_typed, option)| is_typed.then_some(option))
    }

    /// How many at once.
    pub fn jobs(&self) -> usize {
        self.jobs.map_or(JOBS, NonZeroU16::get).into()
    }

    /// How long one of them may take.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout.map(|seconds| Duration::from_secs(seconds.get().into()))
    }
}
