//! Which files of a repository are wanted: the options of every verb that is about a whole one.

use clap::Args;
use clap::builder::NonEmptyStringValueParser as NotEmpty;

use crate::failure::{Exit, Problem};
use crate::selection::{Criteria, Glob, Globs, Projectors, Quantisation, Selection, WantedQuantisations};

/// Above these options in `--help`. Each names it: the heading of a whole struct would also stand above those that follow.
const WHICH: &str = "Which files";

/// Which files are wanted. What every option wants is wanted.
#[derive(Debug, Default, Args)]
pub struct SelectionArguments {
    /// Only files that match, by their whole path, as `hf download` has it: `*` crosses `/`, `dir/` is a folder; quote it.
    /// Several times
    #[arg(long, help_heading = WHICH, value_name = "GLOB", value_parser = parse_glob)]
    pub include: Vec<Glob>,
    /// No files that match, whatever else is wanted. Several times
    #[arg(long, help_heading = WHICH, value_name = "GLOB", value_parser = parse_glob)]
    pub exclude: Vec<Glob>,
    /// Only the GGUF files of this quantisation, all shards of it, and nothing else (no README, no config), as
    /// `llama.cpp -hf org/name:Q4_K_M` has it; MODEL may be written like that as well. Several times
    #[arg(long, help_heading = WHICH, value_name = "QUANT", value_delimiter = ',', value_parser = NotEmpty::new())]
    pub quant: Vec<String>,
    /// With the quantisation the projector (mmproj) that fits it best: in the nearest folder, of the nearest bits
    #[arg(long, help_heading = WHICH)]
    pub mmproj: bool,
}

impl SelectionArguments {
    /// What is wanted of a repository, with the quantisation that MODEL itself names.
    pub fn selection(&self, named: Option<&Quantisation>) -> Result<Selection, Problem> {
        let criteria = self.criteria(named);
        if criteria.quantisations.is_none() && self.mmproj {
            return Err(Problem::new(Exit::Usage, "cannot choose a projector")
                .because("--mmproj brings the one that fits a quantisation, and none is named")
                .hint("name it with --quant, or choose projectors by name: --include '*mmproj*'"));
        }
        Ok(if criteria.is_everything() { Selection::Everything } else { Selection::Some(criteria) })
    }

    /// The words that say the same again.
    pub fn words(&self) -> Vec<String> {
        self.criteria(None).words()
    }

    fn criteria(&self, named: Option<&Quantisation>) -> Criteria {
        let typed = self.quant.iter().map(|typed| Quantisation::named(typed));
        let quantisations: Vec<_> = named.cloned().into_iter().chain(typed).collect();
        let projectors = if self.mmproj { Projectors::Wanted } else { Projectors::LeftOut };
        Criteria {
            globs: Globs { include: self.include.clone(), exclude: self.exclude.clone() },
            quantisations: (!quantisations.is_empty())
                .then_some(WantedQuantisations { quantisations, projectors }),
        }
    }
}

fn parse_glob(text: &str) -> Result<Glob, String> {
    text.parse().map_err(|error: crate::selection::GlobError| error.to_string())
}
