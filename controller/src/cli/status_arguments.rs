//! What is typed behind `hfdown status`.

use clap::Args;
use clap::builder::NonEmptyStringValueParser as NotEmpty;

use super::arguments::OutputArguments;
use super::box_arguments::{CacheArguments, LoginArguments};
use super::fleet_arguments::FleetArguments;
use super::selection::SelectionArguments;

/// What should be there, and where.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// What should be there (organisation/name; without it, what the last sync has recorded), the SSH command of each box,
    /// quoted, or a range like root@gpu[001-064]; then the folder
    #[arg(value_name = "DIR", value_parser = NotEmpty::new())]
    pub words: Vec<String>,
    /// What should be there, in the place of the first word: needed for a MODEL without an organisation
    #[arg(long, value_name = "MODEL", value_parser = NotEmpty::new())]
    pub model: Option<String>,
    /// A branch, tag, commit or refs/pr/N [default: main]
    #[arg(long, value_name = "REVISION")]
    pub revision: Option<String>,
    /// A Hub token; better in `HF_TOKEN`: what is typed here, other users of this machine can see
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// The hub cache, in the place of DIR.
    #[command(flatten)]
    pub cache: CacheArguments,
    /// Which of the files.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// How to get into boxes.
    #[command(flatten)]
    pub login: LoginArguments,
    /// Which boxes beside these, and how to go about many.
    #[command(flatten)]
    pub fleet: FleetArguments,
    /// What to show of it.
    #[command(flatten)]
    pub output: OutputArguments,
}

impl StatusArguments {
    /// The model, and the words behind it: the first word is one that can be no box, before others.
    pub fn model_and_places(&self) -> (Option<&str>, &[String]) {
        if let Some(model) = &self.model {
            return (Some(model), &self.words);
        }
        match &self.words[..] {
            [first, rest @ ..]
                if is_model(first)
                    && (!rest.is_empty() || self.cache.is_wanted() || self.fleet.names_boxes()) =>
            {
                (Some(first), rest)
            }
            words => (None, words),
        }
    }
}

/// Whether a word is the name of a repository, or its address, and can be neither a box nor a folder.
fn is_model(word: &str) -> bool {
    let is_address = ["https://", "http://", "hf://"].iter().any(|scheme| word.starts_with(scheme));
    let is_path = word.starts_with(['/', '.', '~', '-']) || word.ends_with('/');
    let is_command = word.starts_with("ssh://") || word.contains(char::is_whitespace);
    // A revision stands behind the name, a user before a host.
    let name = word.split('@').next().unwrap_or_default();
    is_address || name.contains('/') && !is_path && !is_command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_told_from_boxes_and_folders() {
        for (word, expected) in [
            ("acme/tiny", true),
            ("acme/tiny@v1", true),
            ("datasets/acme/tiny", true),
            ("https://huggingface.co/acme/tiny", true),
            ("acme/tiny:Q4_K_M", true),
            ("gpt2", false),
            ("root@h", false),
            ("gpu1", false),
            ("ssh -i a/b root@h", false),
            ("ssh://root@h:22", false),
            ("/data/model", false),
            ("./a/b", false),
            ("~/a", false),
        ] {
            assert_eq!(is_model(word), expected, "{word}");
        }
    }
}
