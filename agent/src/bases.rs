//! Files that are there and that wanted ones, which are not, may share bytes with: older versions of them, in the folder or in
//! another snapshot of the hub cache, files that are not listed any more, and, for those that have no older version, files
//! that are as they are to be.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hfdown_protocol::{BasisVersion, FileId, Found, FoundBasis, Proof, RepoPath, Wanted, limits};

use crate::folder::{Occupant, Origin, Record, Records, Root};

/// Smaller files cost less than what is asked to save them.
const SMALLEST: u64 = 8 << 20;

/// The bases that a survey has found.
#[derive(Debug, Default)]
pub(crate) struct Bases(Mutex<NotedBases>);

#[derive(Debug, Default)]
struct NotedBases {
    /// Older versions, and files that are not listed any more.
    replaced: Vec<FoundBasis>,
    /// Files that are as they are to be.
    intact: Vec<FoundBasis>,
    /// Whether a file is missing of which no older version is there.
    lacks_older: bool,
}

impl Bases {
    /// Takes note of what was found of a wanted file: an older version, or what others may share bytes with.
    pub(crate) fn note(&self, root: &Root, records: &Mutex<Records>, wanted: &Wanted, found: &Found) {
        if wanted.size < SMALLEST {
            return;
        }
        match found {
            Found::Absent { .. } | Found::OtherSize { .. } | Found::OtherContent { .. } => {
                match older_version(root, records, wanted) {
                    Some(basis) => add(&mut self.noted().replaced, basis),
                    None => self.noted().lacks_older = true,
                }
            }
            Found::Intact { proof: Proof::Recorded | Proof::Read } => {
                let place = root.place_of(wanted).into_owned();
                let record = records.lock().unwrap_or_else(PoisonError::into_inner).get(&place);
                if let Some(basis) = record.and_then(|record| unnamed(place, &record)) {
                    add(&mut self.noted().intact, basis);
                }
            }
            _ => {}
        }
    }

    /// Takes note of a file that stands at no listed path.
    pub(crate) fn note_unlisted(&self, path: &RepoPath, record: &Record) {
        if let Some(basis) = unnamed(path.clone(), record) {
            let NotedBases { replaced, intact, .. } = &mut *self.noted();
            // In the hub cache these are blobs, of any snapshot.
            add(if record.origin == Origin::Placed { replaced } else { intact }, basis);
        }
    }

    fn noted(&self) -> MutexGuard<'_, NotedBases> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that are of use.
    pub(crate) fn take(&self) -> Vec<FoundBasis> {
        let NotedBases { mut replaced, intact, lacks_older } = std::mem::take(&mut *self.noted());
        if lacks_older {
            let room = limits::BASES - replaced.len();
            replaced.extend(intact.into_iter().take(room));
        }
        replaced
    }
}

/// As many as may be told.
fn add(noted: &mut Vec<FoundBasis>, basis: FoundBasis) {
    if noted.len() < limits::BASES {
        noted.push(basis);
    }
}

/// A file of which nothing is known but its bytes, if these are.
fn unnamed(place: RepoPath, record: &Record) -> Option<FoundBasis> {
    let hash = record.xet.filter(|_| record.stamp.size >= SMALLEST)?;
    Some(FoundBasis { file: None, place, stamp: record.stamp, version: BasisVersion::Hash(hash) })
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
