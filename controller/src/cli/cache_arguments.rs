//! What can be typed behind `hfdown cache`.

use clap::builder::{NonEmptyStringValueParser as NotEmpty, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Args, Subcommand};

use super::arguments::OutputArguments;
use super::folders::parse_path_here;
use crate::cache::CacheOrder;

const LS: &str = "\
Examples:
  hfdown cache ls                     a row per repository
  hfdown cache ls --sort size         the largest first
  hfdown cache ls gpt2 --revisions    a row per revision of one repository
  hfdown cache ls --json              an object per repository, for programs";

const RM: &str = "\
TARGET is a repository (org/name, datasets/org/name, as hf has it: model/org/name, or its address
at huggingface.co), a commit or its first 7 digits, or org/name@REF. Blobs that other revisions need stay.

Examples:
  hfdown cache rm gpt2 --dry-run                 what would go, and what that frees
  hfdown cache rm datasets/org/name              all of a repository
  hfdown cache rm gpt2@refs/pr/1 607a30d --yes   two revisions, without a question";
const PRUNE: &str = "\
What goes: revisions that no ref names; incomplete files of hf that no run is writing; blobs of no
revision; parts that no run of hfdown would go on from; shared files that no repository links to.

Examples:
  hfdown cache prune --dry-run    what would go, and what that frees
  hfdown cache prune --yes        without a question";

const VERIFY: &str = "\
Reads everything on all cores and compares it with the digests that blobs are named for, and with
the listings of revisions that are kept beside them. The Hub is not asked. Exit code 7 says that
something is wrong or missing, and a hint has the command that fetches it: `hfdown verify MODEL
--repair` with --cache, or with the --cache-dir that was typed here.

Examples:
  hfdown cache verify                    everything
  hfdown cache verify gpt2 org/name@v1   all revisions of one repository, and one of another";

/// The verbs of the cache.
#[derive(Debug, Subcommand)]
pub enum CacheVerb {
    /// Show what is in the cache: sizes, revisions, last use
    #[command(visible_alias = "list", after_help = LS, mut_arg("verbose", say_more))]
    Ls {
        /// Only these repositories: org/name, datasets/org/name
        #[arg(value_name = "MODEL", value_parser = NotEmpty::new())]
        models: Vec<String>,
        /// A row per revision instead of one per repository
        #[arg(long)]
        revisions: bool,
        /// What comes first
        #[arg(long, value_name = "ORDER", default_value = "name", value_parser = order())]
        sort: CacheOrder,
        /// Which cache.
        #[command(flatten)]
        place: CachePlace,
        /// How to show it.
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Remove repositories or revisions
    #[command(visible_alias = "remove", alias = "delete", after_help = RM, mut_arg("verbose", say_more))]
    Rm {
        /// What to remove: org/name, datasets/org/name, a commit, org/name@REF
        #[arg(value_name = "TARGET", required = true, value_parser = NotEmpty::new())]
        targets: Vec<String>,
        /// How to go about it.
        #[command(flatten)]
        how: RemovalArguments,
        /// Which cache.
        #[command(flatten)]
        place: CachePlace,
        /// How to show it.
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Read everything, and say what is wrong or missing
    #[command(after_help = VERIFY, mut_arg("verbose", |arg| arg.help("Say more: every file")))]
    Verify {
        /// Only these: org/name, datasets/org/name, a commit, org/name@REF
        #[arg(value_name = "MODEL", value_parser = NotEmpty::new())]
        models: Vec<String>,
        /// Which cache.
        #[command(flatten)]
        place: CachePlace,
        /// How to show it.
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Remove what nothing needs: revisions without a ref, and what cut-off runs have left
    #[command(after_help = PRUNE, mut_arg("verbose", say_more))]
    Prune {
        /// Remove also what a later run of hfdown would go on from
        #[arg(long)]
        parts: bool,
        /// How to go about it.
        #[command(flatten)]
        how: RemovalArguments,
        /// Which cache.
        #[command(flatten)]
        place: CachePlace,
        /// How to show it.
        #[command(flatten)]
        output: OutputArguments,
    },
}

/// How to go about a removal.
#[derive(Debug, Args)]
pub struct RemovalArguments {
    /// Remove without asking
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Show what would go and what that frees, remove nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

/// No file is fetched or retried here.
fn say_more(verbose: Arg) -> Arg {
    verbose.help("Say more")
}

fn order() -> impl TypedValueParser<Value = CacheOrder> {
    PossibleValuesParser::new(["name", "size", "used", "changed"]).map(|word| match word.as_str() {
        "size" => CacheOrder::Size,
        "used" => CacheOrder::Used,
        "changed" => CacheOrder::Changed,
        _ => CacheOrder::Name,
    })
}

/// Where the cache is.
#[derive(Debug, Args)]
pub struct CachePlace {
    /// The cache's folder [default: `HF_HUB_CACHE`, or hub in `HF_HOME`, or huggingface/hub in
    /// `XDG_CACHE_HOME`, or in ~/.cache]
    #[arg(long, value_name = "DIR", value_parser = NotEmpty::new().try_map(parse_path_here))]
    pub cache_dir: Option<String>,
}

impl CacheVerb {
    /// What to show of it.
    pub fn output(&self) -> &OutputArguments {
        match self {
            Self::Ls { output, .. }
            | Self::Verify { output, .. }
            | Self::Rm { output, .. }
            | Self::Prune { output, .. } => output,
        }
    }
}
