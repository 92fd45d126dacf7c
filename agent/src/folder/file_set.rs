//! Which of the wanted files something is so of, a bit for each.

use hfdown_protocol::FileId;

/// Some of the wanted files.
#[derive(Debug, Default)]
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
    }
}
