//! What a repository contains that a user would choose from, and the commands that do it.

use super::duplicates::{Duplicates, duplicates};
use super::quantisation::Quantisation;
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
    /// Looks at files with their sizes. `command` makes a command of options.
    pub fn of<'a>(
        files: impl Iterator<Item = (&'a str, u64)> + Clone,
        command: impl Fn(Vec<&str>) -> String,
    ) -> Self {
        let quantised = |group: QuantisationFiles| {
            let name = group.quantisation.as_ref().map(Quantisation::as_str);
            let fetch = name.map(|name| command(vec!["--quant", name]));
            (group, fetch)
        };
        let duplicates = duplicates(&files);
        let exclude: Vec<&str> =
            duplicates.iter().flat_map(|group| &group.exclude).flat_map(|glob| ["--exclude", glob]).collect();
        let without_duplicates = (!exclude.is_empty()).then(|| command(exclude));
        Self {
            quantisations: quantisations(files).into_iter().map(quantised).collect(),
            without_duplicates,
            duplicates,
        }
    }
}
