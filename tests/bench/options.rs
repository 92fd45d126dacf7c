//! What was typed.

use std::path::PathBuf;

use clap::Parser;
use clap::ValueEnum as _;

use crate::scenario::Scenario;
use crate::tool::Tool;

/// Compares hfdown with what people use instead. Each figure is the median of the rounds.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub(crate) struct Options {
    /// Where the destinations are: a folder on a disk, or `/dev/shm`. 5 GiB must be free there, and as much memory
    /// beside it for the Hub's files.
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    pub(crate) on: PathBuf,

    /// How often each program runs. They take turns.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) rounds: u64,

    /// Makes all sizes so many times smaller, for a quick look.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub(crate) size_divisor: u64,

    /// Only these scenarios.
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', ignore_case = true)]
    only: Vec<Scenario>,

    /// Runs nothing: only serves the first scenario's files until Ctrl-C, for a profiler to watch a program by hand.
    #[arg(long)]
    pub(crate) serve: bool,

    /// How many connections hfdown is told to have, instead of as many as it finds worth having.
    #[arg(long, value_name = "N")]
    pub(crate) connections: Option<u16>,

    /// Only these programs.
    #[arg(long, value_name = "TOOL,…", value_delimiter = ',')]
    tools: Vec<Tool>,
}

impl Options {
    /// In an order that needs each set of files once.
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        let wanted = |scenario: &Scenario| self.only.is_empty() || self.only.contains(scenario);
        Scenario::IN_TURN.into_iter().filter(wanted).collect()
    }

    /// The programs, hfdown first.
    pub(crate) fn tools(&self) -> Vec<Tool> {
        let all = Tool::value_variants().iter().copied();
        all.filter(|tool| self.tools.is_empty() || self.tools.contains(tool)).collect()
    }
}
