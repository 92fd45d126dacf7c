//! Files that are there and that wanted ones, which are not, may share bytes with: older versions of them, in the folder or in
//! another snapshot of the hub cache, and files that are not listed any more.

use std::sync::{Mutex, PoisonError};

use hfdown_protocol::{BasisVersion, FileId, Found, FoundBasis, RepoPath, Wanted, limits};

use crate::folder::{Occupant, Record, Records, Root};

/// Smaller files cost less than what is asked to save them.
const SMALLEST: u64 = 8 << 20;

/// The bases that a survey has found.
#[derive(Debug, Default)]
pub(crate) struct Bases(Mutex<Vec<FoundBasis>>);

impl Bases {
    /// Takes note of what a wanted file is a newer version of, if it is one.
    pub(crate) fn note(&self, root: &Root, records: &Mutex<Records>, wanted: &Wanted, found: &Found) {
        let is_missing =
            matches!(found, Found::Absent { .. } | Found::OtherSize { .. } | Found::OtherContent { .. });
        if wanted.size >= SMALLEST
            && is_missing
            && let Some(basis) = older_version(root, records, wanted)
        {
            self.add(basis);
        }
    }

    /// Takes note of a file that is not listed any more.
    pub(crate) fn note_unlisted(&self, path: &RepoPath, record: &Record) {
        let Some(hash) = record.xet.filter(|_| record.stamp.size >= SMALLEST) else { return };
        let (place, version) = (path.clone(), BasisVersion::Hash(hash));
        self.add(FoundBasis { file: None, place, stamp: record.stamp, version });
    }

    fn add(&self, basis: FoundBasis) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() < limits::BASES {
            noted.push(basis);
        }
    }

    /// All of them.
    pub(crate) fn take(&self) -> Vec<FoundBasis> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the records or the layout know of an older version of a file.
fn older_version(root: &Root, records: &Mutex<Records>, wanted: &Wanted) -> Option<FoundBasis> {
    let place = root.place_of(wanted).into_owned();
    let file: Option<FileId> = Some(wanted.id);
    if let Occupant::File(stamp) = root.occupant(&place) {
        let records = records.lock().unwrap_or_else(PoisonError::into_inner);
        let record = records.get(&place).filter(|record| record.stamp == stamp);
        if let Some(hash) = record.and_then(|record| record.xet) {
            return Some(FoundBasis { file, place, stamp, version: BasisVersion::Hash(hash) });
        }
    }
    let (place, commit) = root.older_version(wanted)?;
    let Occupant::File(stamp) = root.occupant(&place) else { return None };
    (stamp.size >= SMALLEST).then_some(FoundBasis { file, place, stamp, version: BasisVersion::At(commit) })
}
