//! Globs and quantisations together: what all of them want is wanted.

use super::glob::{Glob, escaped};
use super::globs::Globs;
use super::nearest::nearest;
use super::quantisations::{
    ChosenGguf, MissingShards, NoQuantisation, Projectors, QuantisationFiles, WantedQuantisations,
    missing_shards, quantisations,
};

/// What a user wants of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Criteria {
    /// By the names of files.
    pub globs: Globs,
    /// By the quantisations of GGUF files, where some are named.
    pub quantisations: Option<WantedQuantisations>,
}

/// Something worth knowing of a choice that could be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectionNote {
    /// A pattern of `--include` matches no file, though others do.
    NothingIncluded {
        /// Which.
        glob: Glob,
        /// The names that are most like it.
        nearest: Vec<String>,
    },
    /// A pattern of `--exclude` matches no file, though it names one or is nearly right.
    NothingExcluded {
        /// Which.
        glob: Glob,
        /// The names that are most like it.
        nearest: Vec<String>,
    },
    /// Not all shards of a file are listed.
    MissingShards(MissingShards),
}

/// Why no file is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NothingSelected {
    /// No file matches a pattern of `--include`.
    NotIncluded {
        /// These patterns.
        globs: Vec<Glob>,
        /// How many files there are.
        files: usize,
        /// The names that are most like them.
        nearest: Vec<String>,
    },
    /// Every file that is wanted matches a pattern of `--exclude`.
    Excluded {
        /// How many would be wanted otherwise.
        files: usize,
    },
    /// No GGUF file has what is wanted.
    Quantisation {
        /// Why.
        why: NoQuantisation,
        /// The quantisations of what the globs leave.
        there: Vec<QuantisationFiles>,
        /// What the globs have to do with it.
        globs: GlobShare,
    },
}

/// What globs have to do with a quantisation that can't be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlobShare {
    /// They leave out no GGUF file.
    None,
    /// They leave out some, and without them it would not be there either.
    Others,
    /// They leave out what is wanted.
    Wanted,
}

/// Which files are wanted.
pub(super) struct Choice<'a> {
    globs: &'a Globs,
    gguf: Option<ChosenGguf<'a>>,
    pub(super) notes: Vec<SelectionNote>,
}

impl Choice<'_> {
    /// Whether a file is wanted, by its path in the repository.
    pub(super) fn wants(&self, path: &str) -> bool {
        self.globs.want(path) && self.gguf.as_ref().is_none_or(|gguf| gguf.want(path))
    }
}

impl Criteria {
    /// Whether everything is wanted.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// The words that say it on a command line.
    pub fn words(&self) -> Vec<String> {
        let Self { globs: Globs { include, exclude }, quantisations } = self;
        let option = |name: &str, value: &str| [name.to_owned(), value.to_owned()];
        let include = include.iter().flat_map(|glob| option("--include", glob.as_str()));
        let exclude = exclude.iter().flat_map(|glob| option("--exclude", glob.as_str()));
        let named = quantisations.iter().flat_map(|wanted| &wanted.quantisations);
        let named = named.flat_map(|quantisation| option("--quant", quantisation.as_str()));
        let with = quantisations.as_ref().filter(|wanted| wanted.projectors == Projectors::Wanted);
        include.chain(exclude).chain(named).chain(with.map(|_| "--mmproj".to_owned())).collect()
    }

    /// Finds out what is wanted of these files.
    pub(super) fn choose<'a, I>(&'a self, files: &I) -> Result<Choice<'a>, NothingSelected>
    where
        I: Iterator<Item = (&'a str, u64)> + Clone,
    {
        let globs = &self.globs;
        let paths = || files.clone().map(|(path, _)| path);
        let gguf = match &self.quantisations {
            None => None,
            Some(wanted) => {
                let within = paths().filter(|path| globs.want(path));
                Some(wanted.choose(within).map_err(|why| self.no_quantisation(why, wanted, files))?)
            }
        };
        let mut choice = Choice { globs, gguf, notes: Vec::new() };
        if !paths().any(|path| choice.wants(path)) {
            return Err(self.nothing(&paths()));
        }
        choice.notes = self.notes(&paths(), &choice);
        Ok(choice)
    }

    fn nothing<'a>(&self, paths: &(impl Iterator<Item = &'a str> + Clone)) -> NothingSelected {
        let included = paths.clone().filter(|path| self.globs.include(path)).count();
        if included > 0 {
            return NothingSelected::Excluded { files: included };
        }
        let globs = self.globs.include.clone();
        let nearest = globs.iter().flat_map(|glob| near(glob, paths)).collect();
        NothingSelected::NotIncluded { files: paths.clone().count(), nearest, globs }
    }

    fn no_quantisation<'a>(
        &self,
        why: NoQuantisation,
        wanted: &WantedQuantisations,
        files: &(impl Iterator<Item = (&'a str, u64)> + Clone),
    ) -> NothingSelected {
        let paths = || files.clone().map(|(path, _)| path);
        if !paths().any(|path| self.globs.want(path)) {
            return self.nothing(&paths());
        }
        let there = quantisations(files.clone().filter(|(path, _)| self.globs.want(path)));
        let (why, globs) = match wanted.choose(paths()) {
            Ok(_) => (why, GlobShare::Wanted),
            Err(why) if there == quantisations(files.clone()) => (why, GlobShare::None),
            Err(why) => (why, GlobShare::Others),
        };
        NothingSelected::Quantisation { why, there, globs }
    }

    fn notes<'a>(
        &self,
        paths: &(impl Iterator<Item = &'a str> + Clone),
        choice: &Choice<'_>,
    ) -> Vec<SelectionNote> {
        let is_idle = |glob: &&Glob| !paths.clone().any(|path| glob.matches(path));
        let included = self.globs.include.iter().filter(is_idle);
        let included = included
            .map(|glob| SelectionNote::NothingIncluded { glob: glob.clone(), nearest: near(glob, paths) });
        // A pattern with wildcards may well be for other repositories, unless it is nearly right.
        let excluded = self.globs.exclude.iter().filter(is_idle).map(|glob| (glob, near(glob, paths)));
        let excluded = excluded
            .filter(|(glob, nearest)| glob.literal().is_some() || !nearest.is_empty())
            .map(|(glob, nearest)| SelectionNote::NothingExcluded { glob: glob.clone(), nearest });
        let mut notes: Vec<SelectionNote> = included.chain(excluded).collect();
        if let Some(gguf) = &choice.gguf {
            // What the globs leave out is not missing.
            let missing = missing_shards(paths.clone().filter(|path| gguf.want(path)));
            notes.extend(missing.into_iter().map(SelectionNote::MissingShards));
        }
        notes
    }
}

/// The names that may have been meant by a pattern, as patterns that match them.
fn near<'a>(glob: &Glob, paths: &(impl Iterator<Item = &'a str> + Clone)) -> Vec<String> {
    nearest(glob, paths.clone()).iter().map(|name| escaped(name)).collect()
}
