//! What a repository contains that a user would choose from, and the commands that do it.

use super::Selection;
use super::duplicates::{Duplicates, duplicates};
use super::quantisations::{QuantisationFiles, quantisations};

/// What can be chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// The quantisations of its GGUF files, smallest first, each with the command that fetches it alone.
    pub quantisations: Vec<(QuantisationFiles, Option<String>)>,
    /// Weights that are there again in another format, largest first.
    pub duplicates: Vec<Duplicates>,
    /// The command that fetches the rest.
    pub without_duplicates: Option<String>,
}

impl Contents {
    /// Looks at files with their sizes, of which a selection was shown. `command` makes a command of options.
    pub fn of<'a>(
        files: impl Iterator<Item = (&'a str, u64)> + Clone,
        selection: &Selection,
        command: impl Fn(&[String]) -> String,
    ) -> Self {
        let quantised = |group: QuantisationFiles| {
            let fetch = group.quantisation.as_ref().map(|one| command(&selection.words_for(one)));
            (group, fetch)
        };
        let duplicates = duplicates(&files);
        let globs = duplicates.iter().flat_map(|group| &group.exclude);
        let exclude: Vec<String> = globs.flat_map(|glob| ["--exclude".to_owned(), glob.clone()]).collect();
        let without_duplicates =
            (!exclude.is_empty()).then(|| command(&[selection.words(), exclude].concat()));
        Self {
            quantisations: quantisations(files).into_iter().map(quantised).collect(),
            without_duplicates,
            duplicates,
        }
    }
}
