//! Which of the wanted files something is so of, a bit for each.

use hfdown_protocol::FileId;

/// Some of the wanted files.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct FileSet(Vec<u64>);

impl FileSet {
    /// Adds one.
    pub(crate) fn insert(&mut self, file: FileId) {
        let word = file.0 as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (file.0 % 64);
    }

    /// Adds those of another set.
    pub(crate) fn extend(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        self.0.iter_mut().zip(&other.0).for_each(|(word, also)| *word |= also);
    }

    /// Whether it is among them.
    pub(crate) fn contains(&self, file: FileId) -> bool {
        self.0.get(file.0 as usize / 64).is_some_and(|word| word & 1 << (file.0 % 64) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_inserted_is_in_it_and_nothing_else() {
        let mut set = FileSet::default();
        for file in [0, 63, 64, 1_000_000] {
            set.insert(FileId(file));
        }
        for (file, expected) in [
            (0, true),
            (1, false),
            (63, true),
            (64, true),
            (65, false),
            (1_000_000, true),
            (2_000_000, false),
        ] {
            assert_eq!(set.contains(FileId(file)), expected, "{file}");
        }
        let mut one = FileSet::default();
        one.insert(FileId(1));
        for (mut one, other) in [(one.clone(), &set), (set.clone(), &one)] {
            one.extend(other);
            assert!([0, 1, 63, 1_000_000].iter().all(|file| one.contains(FileId(*file))));
        }
    }
}
