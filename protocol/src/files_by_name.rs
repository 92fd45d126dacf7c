//! Files of a listing, found by their names: four bytes for each, and no copy of a name.

use crate::{FileId, FileRow, WantedFiles};

/// Files in the order of their names.
#[derive(Debug, Clone, Default)]
pub struct FilesByName {
    files: WantedFiles,
    /// Their numbers.
    order: Vec<u32>,
}

impl FilesByName {
    /// Sorts them.
    pub fn new(files: WantedFiles) -> Self {
        let mut order: Vec<u32> = files.iter().map(|(id, _)| id.0).collect();
        let name = |id: &u32| files.get(FileId(*id)).map(|file| file.path);
        order.sort_unstable_by(|one, other| name(one).cmp(&name(other)));
        Self { files, order }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The file of this name, with its number.
    pub fn find(&self, name: &str) -> Option<(FileId, FileRow<'_>)> {
        let position = self.order.binary_search_by(|id| self.name(*id).cmp(name)).ok()?;
        let id = FileId(self.order[position]);
        Some((id, self.files.get(id)?))
    }

    /// Whether one of them lies in this folder, which ends in `/`.
    pub fn has_below(&self, folder: &str) -> bool {
        let first = self.order.partition_point(|id| self.name(*id) < folder);
        self.order.get(first).is_some_and(|id| self.name(*id).starts_with(folder))
    }

    fn name(&self, id: u32) -> &str {
        self.files.get(FileId(id)).map_or("", |file| file.path.as_str())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, FileRow<'_>)> {
        self.order.iter().filter_map(|id| Some((FileId(*id), self.files.get(FileId(*id))?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, RepoPath};

    #[test]
    fn each_is_found_and_no_other() {
        let names = ["b", "a/x", "a", "c d", "\u{fc}"];
        let mut files = WantedFiles::default();
        for name in names {
            let path = RepoPath::new(name).unwrap();
            files.push(FileRow { path: path.view(), size: 1, digest: Digest::GitSha1([0; 20]) }).unwrap();
        }
        let by_name = FilesByName::new(files);
        for (id, name) in (0..).map(FileId).zip(names) {
            assert_eq!(by_name.find(name).map(|(id, file)| (id, file.path.as_str())), Some((id, name)));
        }
        for other in ["", "a/", "B", "zz"] {
            assert!(by_name.find(other).is_none(), "{other}");
        }
        let order: Vec<_> = by_name.iter().map(|(_, file)| file.path.as_str()).collect();
        assert_eq!(order, ["a", "a/x", "b", "c d", "\u{fc}"]);
    }
}
