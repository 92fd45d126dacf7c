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
    pub fn iter(&self) -> impl Iterator<Item = FileRow<'_>> {
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
    pub fn iter(&self) -> impl Iterator<Item = (FileId, FileRow<'_>)> {
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
