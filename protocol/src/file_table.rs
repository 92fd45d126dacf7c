//! Many files, close together: a listing may have a million of them, and each side of a conversation holds it.
//!
//! A file takes the bytes of its name and 45 more. As a `RepoPath`, a size and a digest of its own it would take 80, and
//! an allocation.

use std::sync::Arc;

use crate::{Digest, FileId, RepoPathRef, Wanted, limits};

/// Files with their paths, sizes and digests, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileTable {
    /// All names, one after the other.
    names: String,
    /// Where each ends.
    ends: Vec<u32>,
    sizes: Vec<u64>,
    digests: Vec<Digest>,
}

/// One file of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRow<'a> {
    /// Where it belongs.
    pub path: RepoPathRef<'a>,
    /// Its size in bytes.
    pub size: u64,
    /// What proves it.
    pub digest: Digest,
}

/// More files than [`limits::FILES`], or more bytes of names than [`limits::NAMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are more files than one conversation may speak of")]
pub struct TooManyFiles;

impl FileTable {
    /// How many files.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a file behind the others.
    pub fn push(&mut self, file: FileRow<'_>) -> Result<(), TooManyFiles> {
        let FileRow { path, size, digest } = file;
        let end = self.names.len() + path.as_str().len();
        let end = u32::try_from(end).ok().filter(|_| self.len() < limits::FILES && end <= limits::NAMES);
        self.ends.push(end.ok_or(TooManyFiles)?);
        self.names.push_str(path.as_str());
        self.sizes.push(size);
        self.digests.push(digest);
        Ok(())
    }

    /// A table of one file.
    pub fn of_one(file: FileRow<'_>) -> Self {
        let mut table = Self::default();
        // The first always fits.
        let _ = table.push(file);
        table
    }

    /// The file in this row.
    pub fn get(&self, row: usize) -> Option<FileRow<'_>> {
        let end = *self.ends.get(row)? as usize;
        let begin = row.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let path = RepoPathRef::known(&self.names[begin..end]);
        Some(FileRow { path, size: self.sizes[row], digest: self.digests[row] })
    }

    /// All files.
    pub fn iter(&self) -> impl Iterator<Item = FileRow<'_>> + Clone {
        (0..self.len()).filter_map(|row| self.get(row))
    }
}

/// What is wanted of a table: some of its files, in its order, by the numbers that they have in a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedFiles {
    table: Arc<FileTable>,
    rows: Rows,
}

/// Which files of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rows {
    /// The first so many.
    First(usize),
    /// Those in these rows.
    These(Arc<Vec<u32>>),
}

impl Default for Rows {
    fn default() -> Self {
        Self::First(0)
    }
}

impl WantedFiles {
    /// All of a table.
    pub fn all(table: Arc<FileTable>) -> Self {
        let rows = Rows::First(table.len());
        Self { table, rows }
    }

    /// These, as they travel, in the order of their numbers.
    pub fn of(files: impl IntoIterator<Item = Wanted>) -> Result<Self, TooManyFiles> {
        let mut all = Self::default();
        for Wanted { path, size, digest, .. } in files {
            all.push(FileRow { path: path.view(), size, digest })?;
        }
        Ok(all)
    }

    /// Those of a table that are chosen by a rule.
    pub fn chosen(table: &Arc<FileTable>, mut rule: impl FnMut(FileRow<'_>) -> bool) -> Self {
        let chosen = (0..).zip(table.iter()).filter(|(_, file)| rule(*file)).map(|(row, _)| row);
        let rows: Vec<u32> = chosen.collect();
        let is_all = rows.len() == table.len();
        let rows = if is_all { Rows::First(rows.len()) } else { Rows::These(Arc::new(rows)) };
        Self { table: Arc::clone(table), rows }
    }

    /// Adds a file to the whole of a table that nothing else holds; of another one a copy is made first.
    pub fn push(&mut self, file: FileRow<'_>) -> Result<(), TooManyFiles> {
        let is_whole = matches!(self.rows, Rows::First(count) if count == self.table.len());
        if !is_whole {
            let mut copy = FileTable::default();
            self.iter().try_for_each(|(_, file)| copy.push(file))?;
            self.table = Arc::new(copy);
        }
        Arc::make_mut(&mut self.table).push(file)?;
        self.rows = Rows::First(self.table.len());
        Ok(())
    }

    /// Adds a file that may be in a table which is in memory already. As long as all of them are, in its order, they are
    /// not kept a second time.
    pub fn push_known(&mut self, known: &Arc<FileTable>, file: FileRow<'_>) -> Result<(), TooManyFiles> {
        let last = match &self.rows {
            _ if !self.is_empty() && !Arc::ptr_eq(&self.table, known) => None,
            Rows::First(count) => Some(*count),
            Rows::These(rows) => rows.last().map(|last| *last as usize + 1),
        };
        // Whatever is not there ends this, so that the table is gone through once.
        let Some(row) = last.and_then(|next| (next..known.len()).find(|row| known.get(*row) == Some(file)))
        else {
            return self.push(file);
        };
        if self.is_empty() {
            self.table = Arc::clone(known);
        }
        match &mut self.rows {
            Rows::First(count) if *count == row => *count += 1,
            Rows::First(count) => {
                let first = 0..u32::try_from(*count).map_err(|_| TooManyFiles)?;
                let row = u32::try_from(row).map_err(|_| TooManyFiles)?;
                self.rows = Rows::These(Arc::new(first.chain([row]).collect()));
            }
            Rows::These(rows) => Arc::make_mut(rows).push(u32::try_from(row).map_err(|_| TooManyFiles)?),
        }
        Ok(())
    }

    /// How many files.
    pub fn len(&self) -> usize {
        match &self.rows {
            Rows::First(count) => *count,
            Rows::These(rows) => rows.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The file of this number.
    pub fn get(&self, id: FileId) -> Option<FileRow<'_>> {
        let index = id.0 as usize;
        let row = match &self.rows {
            Rows::First(count) => Some(index).filter(|index| index < count),
            Rows::These(rows) => rows.get(index).map(|row| *row as usize),
        };
        self.table.get(row?)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, FileRow<'_>)> + Clone {
        (0..).map(FileId).map_while(|id| Some((id, self.get(id)?)))
    }

    /// The size of all of them, in bytes.
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, file)| file.size).fold(0, u64::saturating_add)
    }
}

impl FileRow<'_> {
    /// The same as it travels.
    pub fn wanted(self, id: FileId) -> Wanted {
        Wanted { id, path: self.path.to_path(), size: self.size, digest: self.digest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RepoPath;

    fn table(names: &[String]) -> FileTable {
        let mut table = FileTable::default();
        for name in names {
            let path = RepoPath::new(name).unwrap();
            let file =
                FileRow { path: path.view(), size: name.len() as u64, digest: Digest::GitSha1([1; 20]) };
            table.push(file).unwrap();
        }
        table
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("data/{number}")).collect()
    }

    fn paths(wanted: &WantedFiles) -> Vec<&str> {
        wanted.iter().map(|(_, file)| file.path.as_str()).collect()
    }

    #[test]
    fn files_come_out_as_they_went_in() {
        let names = names(20);
        let files = WantedFiles::all(Arc::new(table(&names)));
        assert_eq!(paths(&files), names);
        assert_eq!((files.len(), files.total()), (20, 10 * 6 + 10 * 7));
        assert!(files.get(FileId(20)).is_none());
    }

    #[test]
    fn what_is_known_in_its_order_is_not_kept_twice() {
        let known = Arc::new(table(&names(100)));
        let rules: [fn(usize) -> bool; 4] =
            [|_| true, |row| row % 2 == 1, |row| !(7..=90).contains(&row), |row| row == 99];
        for rule in rules {
            let rows: Vec<usize> = (0..100).filter(|row| rule(*row)).collect();
            let mut heard = WantedFiles::default();
            for row in &rows {
                heard.push_known(&known, known.get(*row).unwrap()).unwrap();
            }
            assert!(Arc::ptr_eq(&heard.table, &known));
            let chosen: Vec<_> = rows.iter().map(|row| known.get(*row).unwrap().path.as_str()).collect();
            assert_eq!(paths(&heard), chosen);
        }
    }

    #[test]
    fn what_is_not_known_or_comes_in_another_order_is_kept() {
        let known = Arc::new(table(&names(5)));
        let strange = table(&["other".to_owned()]);
        for rows in [[0, 2, 1], [1, 0, 2], [0, 0, 1]] {
            let mut heard = WantedFiles::default();
            for row in rows {
                heard.push_known(&known, known.get(row).unwrap()).unwrap();
            }
            heard.push_known(&known, strange.get(0).unwrap()).unwrap();
            heard.push_known(&known, known.get(4).unwrap()).unwrap();
            let expected: Vec<_> = rows.iter().map(|row| format!("data/{row}")).collect();
            assert_eq!(paths(&heard), [&expected[..], &["other".to_owned(), "data/4".to_owned()]].concat());
            assert_eq!(known.len(), 5);
        }
    }

    #[test]
    fn a_table_is_bounded() {
        let path = RepoPath::new("n".repeat(200)).unwrap();
        let file = FileRow { path: path.view(), size: 1, digest: Digest::GitSha1([1; 20]) };
        let mut table = FileTable::default();
        let most = (0..=limits::FILES).take_while(|_| table.push(file).is_ok()).count();
        assert_eq!((most, table.len()), (limits::NAMES / 200, most));
    }
}
