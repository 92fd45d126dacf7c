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
    /// What should be there, in the place of the first word: needed for a MODEL without an organisation where boxes are
    /// named without a user
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
    /// The model, and the words behind it: the first word is one that can be no box, or is hardly meant as one.
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
            [first, rest @ ..] if is_short_model(first) && self.follows_model(rest) => (Some(first), rest),
            words => (None, words),
        }
    }

    /// Whether words leave no place for another box before them: boxes are named in a file, or with their users.
    fn follows_model(&self, words: &[String]) -> bool {
        let boxes = match (self.cache.is_wanted(), words.split_last()) {
            (true, _) => words,
            (false, Some((_, boxes))) => boxes,
            (false, None) => return false,
        };
        let is_box =
            |word: &String| word.contains('@') || word.starts_with("ssh ") || word.starts_with("ssh://");
        boxes.iter().all(is_box) && (!boxes.is_empty() || self.fleet.names_boxes())
    }
}

/// Whether a word may be the name of a repository without an organisation.
fn is_short_model(word: &str) -> bool {
    let is_sign = |character: char| "@/[],".contains(character) || character.is_whitespace();
    !word.starts_with(['.', '~', '-']) && !word.contains(is_sign)
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
    fn a_short_model_stands_before_boxes_that_can_be_nothing_else() {
        for (words, expected) in [
            ("gpt2 root@h /w", Some("gpt2")),
            ("gpt2 ssh://root@h /w", Some("gpt2")),
            ("gpt2 root@a root@b /w", Some("gpt2")),
            ("gpt2 --hosts f /w", Some("gpt2")),
            ("gpt2 root@h --hosts f /w", Some("gpt2")),
            ("gpt2 root@h --cache", Some("gpt2")),
            ("gpt2 --hosts f --cache", Some("gpt2")),
            ("gpu1 /w", None),
            ("gpu1 gpu2 /w", None),
            ("gpu[1-2] root@h /w", None),
            ("--hosts f /w", None),
            ("--hosts f model", None),
            ("root@h /w", None),
            ("/w", None),
        ] {
            #[derive(clap::Parser)]
            struct Typed {
                #[command(flatten)]
                status: StatusArguments,
            }
            let typed = <Typed as clap::Parser>::parse_from(["status"].into_iter().chain(words.split(' ')));
            assert_eq!(typed.status.model_and_places().0, expected, "{words}");
        }
    }

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
