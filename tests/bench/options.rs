//! What was typed.

use std::path::PathBuf;

use clap::Parser;
use clap::ValueEnum as _;

use crate::scenario::Scenario;
use crate::servers::{CdnKind, Transport};
use crate::tool::Tool;

/// Compares hfdown with what people use instead. Each figure is the median of the rounds.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub(crate) struct Options {
    /// Where the destinations are: a folder on a disk, or `/dev/shm`. 5 GiB must be free there, and as much memory
    /// beside it for the Hub's files.
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    pub(crate) on: PathBuf,

    /// Over what, a table each.
    #[arg(long, value_name = "HTTP,TLS", value_delimiter = ',', default_value = "http")]
    pub(crate) over: Vec<Transport>,

    /// By what the files of LFS are served, a table each.
    #[arg(long, value_name = "HUB,NGINX", value_delimiter = ',', default_value = "hub")]
    pub(crate) cdn: Vec<CdnKind>,

    /// Empties the page cache before each run, for which it takes root.
    #[arg(long)]
    pub(crate) cold: bool,

    /// Gives each program so much memory, its page cache included: a control group, for which it takes root.
    #[arg(long, value_name = "MB")]
    pub(crate) memory: Option<u64>,

    /// Runs the programs on this core alone, by `taskset`. The servers have all of them.
    #[arg(long, value_name = "N")]
    pub(crate) core: Option<usize>,

    /// Runs each program once more under `strace`, for a table of what it called.
    #[arg(long)]
    pub(crate) syscalls: bool,

    /// Another build of hfdown than the one in this program.
    #[arg(long, value_name = "FILE")]
    pub(crate) hfdown: Option<PathBuf>,

    /// One more build of hfdown, beside the first.
    #[arg(long, value_name = "FILE")]
    pub(crate) beside: Option<PathBuf>,

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
        let mut tools: Vec<_> =
            all.filter(|tool| self.tools.is_empty() || self.tools.contains(tool)).collect();
        if self.beside.is_some() {
            tools.insert(tools.len().min(1), Tool::Beside);
        }
        tools
    }
}
