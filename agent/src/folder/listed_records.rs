//! Records of files that are as they are listed: of a million files nearly all. What the listing has of them is not kept
//! twice.

use hfdown_protocol::{FileRow, FilesByName, RepoPathRef, Stamp, WantedFiles};

use super::records::{Origin, Record};

/// What is recorded of the files of a listing, where it has their sizes and digests.
#[derive(Debug, Default)]
pub(super) struct ListedRecords {
    files: FilesByName,
    /// By the numbers of the files.
    records: Vec<Option<ShortRecord>>,
}

/// What the listing does not say.
#[derive(Debug, Clone, Copy)]
struct ShortRecord {
    origin: Origin,
    modified: i64,
    changed: i64,
    inode: u64,
}

impl ListedRecords {
    pub(super) fn of(files: WantedFiles) -> Self {
        Self { records: vec![None; files.len()], files: FilesByName::new(files) }
    }

    /// Whether it is a file of the listing.
    pub(super) fn lists(&self, path: &str) -> bool {
        self.files.find(path).is_some()
    }

    pub(super) fn get(&self, path: &str) -> Option<Record> {
        let (id, file) = self.files.find(path)?;
        self.records[id.0 as usize].map(|short| short.of(file))
    }

    /// Takes note of a record, if it fits.
    pub(super) fn put(&mut self, path: &str, record: &Record) -> Option<()> {
        let (id, file) = self.files.find(path)?;
        let short = ShortRecord::new(record, file)?;
        self.records[id.0 as usize] = Some(short);
        Some(())
    }

    pub(super) fn remove(&mut self, path: &str) -> Option<Record> {
        let (id, file) = self.files.find(path)?;
        self.records[id.0 as usize].take().map(|short| short.of(file))
    }

    /// In the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (RepoPathRef<'_>, Record)> {
        self.files.iter().filter_map(|(id, file)| Some((file.path, self.records[id.0 as usize]?.of(file))))
    }

    /// Gives those that were changed then or later another time of change.
    pub(super) fn unsettle(&mut self, since: i128, changed: i64) {
        for short in self.records.iter_mut().flatten() {
            let last = if short.changed == 0 { short.modified } else { short.changed };
            if i128::from(last) >= since {
                short.changed = changed;
            }
        }
    }
}

impl ShortRecord {
    fn new(record: &Record, file: FileRow<'_>) -> Option<Self> {
        let Record { origin, digest, stamp: Stamp { size, modified, changed, inode } } = *record;
        let (modified, changed) = (modified.try_into().ok()?, changed.try_into().ok()?);
        (size == file.size && digest == file.digest).then_some(Self { origin, modified, changed, inode })
    }

    fn of(self, file: FileRow<'_>) -> Record {
        let Self { origin, modified, changed, inode } = self;
        let stamp = Stamp { size: file.size, modified: modified.into(), changed: changed.into(), inode };
        Record { origin, digest: file.digest, stamp }
    }
}
