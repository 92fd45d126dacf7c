//! `--include` and `--exclude`: which names are wanted, by the name alone.

use super::glob::Glob;

/// Patterns of names that are wanted, and of names that are not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Globs {
    /// What is wanted; all where there are none.
    pub include: Vec<Glob>,
    /// What is not, of these.
    pub exclude: Vec<Glob>,
}

impl Globs {
    /// Whether a file is wanted, by its path in the repository.
    pub fn want(&self, path: &str) -> bool {
        self.include(path) && !self.exclude.iter().any(|glob| glob.matches(path))
    }

    /// Whether it would be wanted if nothing were excluded.
    pub(super) fn include(&self, path: &str) -> bool {
        self.include.is_empty() || self.include.iter().any(|glob| glob.matches(path))
    }
}
