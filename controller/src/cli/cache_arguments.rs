//! What can be typed behind `hfdown cache`.

use clap::builder::{NonEmptyStringValueParser as NotEmpty, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use super::arguments::OutputArguments;
use super::folders::parse_path_here;
use crate::cache::CacheOrder;

const LS: &str = "\
Examples:
  hfdown cache ls                     a row per repository
  hfdown cache ls --sort size         the largest first
  hfdown cache ls gpt2 --revisions    a row per revision of one repository
  hfdown cache ls --json              an object per repository, for programs";

/// The verbs of the cache.
#[derive(Debug, Subcommand)]
pub enum CacheVerb {
    /// Show what is in the cache: sizes, revisions, last use
    #[command(visible_alias = "list", after_help = LS)]
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
    /// The cache's folder [default: `HF_HUB_CACHE`, or hub in `HF_HOME`, or ~/.cache/huggingface/hub]
    #[arg(long, value_name = "DIR", value_parser = NotEmpty::new().try_map(parse_path_here))]
    pub cache_dir: Option<String>,
}

impl CacheVerb {
    /// What to show of it.
    pub fn output(&self) -> &OutputArguments {
        match self {
            Self::Ls { output, .. } => output,
        }
    }
}
