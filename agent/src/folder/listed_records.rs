//! Records of files that are as they are listed: of a million files nearly all. What the listing has of them is not kept
//! twice.

use std::collections::HashMap;

use hfdown_protocol::{FileId, FileRow, FilesByName, RepoPathRef, Stamp, WantedFiles, XetHash};

use super::records::{Origin, Record};

/// What is recorded of the files of a listing, where it has their sizes and digests.
#[derive(Debug, Default)]
pub(super) struct ListedRecords {
    files: FilesByName,
    /// By the numbers of the files: how they came to be recorded, if they are, and the rest. None before the first.
    origins: Vec<Option<Origin>>,
    records: Vec<ShortRecord>,
    /// Of the few that have one.
    xet: HashMap<FileId, XetHash>,
}

/// What the listing does not say.
#[derive(Debug, Clone, Copy, Default)]
struct ShortRecord {
    modified: i64,
    changed: i64,
    inode: u64,
}

impl ListedRecords {
    pub(super) fn of(files: WantedFiles) -> Self {
        Self { files: FilesByName::new(files), ..Self::default() }
    }

    /// Whether it is a file of the listing.
    pub(super) fn lists(&self, path: &str) -> bool {
        self.files.find(path).is_some()
    }

    pub(super) fn get(&self, path: &str) -> Option<Record> {
        let (id, file) = self.files.find(path)?;
        self.record(id, file)
    }

    /// Takes note of a record, if it fits.
    pub(super) fn put(&mut self, path: &str, record: &Record) -> Option<()> {
        let (id, file) = self.files.find(path)?;
        let short = ShortRecord::new(record, file)?;
        self.origins.resize(self.files.len(), None);
        self.records.resize(self.files.len(), ShortRecord::default());
        let index = id.0 as usize;
        (self.origins[index], self.records[index]) = (Some(record.origin), short);
        match record.xet {
            Some(hash) => self.xet.insert(id, hash),
            None => self.xet.remove(&id),
        };
        Some(())
    }

    pub(super) fn remove(&mut self, path: &str) -> Option<Record> {
        let (id, file) = self.files.find(path)?;
        let removed = self.record(id, file)?;
        self.origins[id.0 as usize] = None;
        self.xet.remove(&id);
        Some(removed)
    }

    /// In the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (RepoPathRef<'_>, Record)> {
        self.files.iter().filter_map(|(id, file)| Some((file.path, self.record(id, file)?)))
    }

    /// Gives those that were changed then or later another time of change.
    pub(super) fn unsettle(&mut self, since: i128, changed: i64) {
        for short in &mut self.records {
            let last = if short.changed == 0 { short.modified } else { short.changed };
            if i128::from(last) >= since {
                short.changed = changed;
            }
        }
    }
}

impl ListedRecords {
    fn record(&self, id: FileId, file: FileRow<'_>) -> Option<Record> {
        let index = id.0 as usize;
        let (origin, short) = ((*self.origins.get(index)?)?, self.records.get(index)?);
        let ShortRecord { modified, changed, inode } = *short;
        let stamp = Stamp { size: file.size, modified: modified.into(), changed: changed.into(), inode };
        Some(Record { origin, digest: file.digest, stamp, xet: self.xet.get(&id).copied() })
    }
}

impl ShortRecord {
    fn new(record: &Record, file: FileRow<'_>) -> Option<Self> {
        let Record { digest, stamp: Stamp { size, modified, changed, inode }, .. } = *record;
        let (modified, changed) = (modified.try_into().ok()?, changed.try_into().ok()?);
        (size == file.size && digest == file.digest).then_some(Self { modified, changed, inode })
    }
}
