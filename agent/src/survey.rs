//! What is on disk of what is wanted.

use std::io::{self, ErrorKind, Read};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hfdown_protocol::{
    Check, Digest, ExtraneousFile, Failure, FailureKind, FileId, Folding, Found, Proof, Provenance, RepoPath,
    Report, Stamp, Wanted, WantedFiles, batches,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::bases::Bases;
use crate::disk;
use crate::folder::{FileSet, Occupant, Origin, PartNames, Places, Record, Records, Root};
use crate::hasher::Hasher;
use crate::machine;
use crate::part::Part;

/// How often it is said how far the reading is.
const TICK: Duration = Duration::from_millis(200);
/// Bytes that are read and hashed at a time: what stays in a CPU's own cache, and little even for hundreds of readers.
const READ: usize = 128 << 10;
/// A file that changes while it is read is read so often, and then it is said that it is not left alone.
const READINGS: usize = 3;
/// So many files are told in one report: as many reports as may wait together are not a whole listing in memory.
const TOLD_AT_ONCE: usize = 128;

/// One look at the folder.
pub(crate) struct Survey<'a> {
    pub(crate) root: &'a Root,
    pub(crate) records: &'a Mutex<Records>,
    pub(crate) wanted: &'a WantedFiles,
    pub(crate) check: Check,
    pub(crate) reports: &'a mpsc::Sender<Report>,
    pub(crate) stop: &'a CancellationToken,
    /// Which of the wanted files are as they are to be.
    pub(crate) intact: &'a Mutex<FileSet>,
    /// Where the wanted files can be put.
    pub(crate) places: Mutex<Places>,
    /// What their parts are called.
    pub(crate) parts: PartNames,
    /// What wanted files may share bytes with.
    pub(crate) bases: Bases,
}

/// Why a file's digest is not known.
enum Unreadable {
    /// This user may not read it.
    Forbidden(Failure),
    Failed(Failure),
}

impl Survey<'_> {
    /// Looks, and reports what it finds: every wanted file once, then the extraneous files and the parts of others. What is to be made of names
    /// that the disk can't tell apart is the controller's business. Blocks.
    pub(crate) fn run(&self) -> Result<Folding, Failure> {
        if self.only_looks() {
            self.root.listed_files()?;
        }
        let mut known = Vec::new();
        // Of a million files, all may have to be read: nothing but their numbers is remembered.
        let mut unread = Vec::new();
        let mut to_read = 0_u64;
        for (id, file) in self.wanted.iter() {
            let wanted = file.wanted(id);
            if let Some(found) = self.glance(&wanted) {
                known.push((id, self.as_placeable(&wanted, found)));
            } else {
                unread.push(id);
                to_read = to_read.saturating_add(file.size);
            }
            if known.len() == TOLD_AT_ONCE {
                self.going_on()?;
                self.send_all(std::mem::take(&mut known))?;
            }
        }
        self.send_all(known)?;
        if self.parts.are_shared() {
            unread.sort_by_key(|id| self.wanted.get(*id).map(|file| file.digest));
        }
        self.read_all(&unread, to_read)?;
        let refusal = self.places.lock().unwrap_or_else(PoisonError::into_inner).refusal(self.root);
        if let Some(failure) = refusal {
            return Err(failure);
        }
        self.send_extraneous()?;
        if self.check == Check::Everything {
            self.send_unlisted()?;
        }
        for bases in batches(self.bases.take()) {
            self.send(Report::Bases { bases })?;
        }
        for digests in batches(self.root.unwanted_parts(self.wanted)) {
            self.send(Report::UnwantedParts { digests })?;
        }
        Ok(self.root.folding(self.wanted))
    }

    fn going_on(&self) -> Result<(), Failure> {
        if self.stop.is_cancelled() {
            return Err(Failure::new(FailureKind::Cancelled, "cancelled"));
        }
        Ok(())
    }

    /// What can be said without reading, if anything.
    fn glance(&self, wanted: &Wanted) -> Option<Found> {
        if let Some(failure) = self.root.obstacle_of(wanted) {
            return Some(Found::Obstructed { failure });
        }
        let place = self.root.place_of(wanted);
        let stamp = match self.root.occupant(&place) {
            Occupant::File(stamp) if stamp.size == wanted.size => stamp,
            occupant => return Some(self.other(wanted, occupant)),
        };
        let is_recorded = || {
            let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            records.get(&place).is_some_and(|record| record.stamp == stamp && record.digest == wanted.digest)
        };
        match self.check {
            Check::Records | Check::Stamps if is_recorded() => Some(Found::Intact { proof: Proof::Recorded }),
            Check::Sizes | Check::Stamps => Some(Found::Intact { proof: Proof::SizeOnly }),
            Check::Records | Check::Contents | Check::Everything => None,
        }
    }

    /// What stands at a wanted file's place and has not its size.
    fn other(&self, wanted: &Wanted, occupant: Occupant) -> Found {
        match occupant {
            Occupant::Nothing => Found::Absent { partial: self.partial(wanted) },
            Occupant::Obstacle(failure) => Found::Obstructed { failure },
            Occupant::File(stamp) => {
                let (provenance, partial) = (self.provenance(wanted, stamp), self.partial(wanted));
                Found::OtherSize { stamp, provenance, partial }
            }
        }
    }

    /// The same, unless it shows already that the wanted file can't have its place: then nothing is fetched in vain.
    fn as_placeable(&self, wanted: &Wanted, found: Found) -> Found {
        if self.only_looks() {
            return found;
        }
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.judge(self.root, wanted, found)
    }

    /// Whether nothing is to be replaced, whatever is found.
    fn only_looks(&self) -> bool {
        self.check == Check::Everything && !self.root.is_ours()
    }

    /// The same, where it is to be known as well whether it is found by its own name.
    fn by_name(&self, wanted: &Wanted, found: Found) -> Found {
        match (self.check, found) {
            (Check::Everything, Found::Intact { .. }) => {
                Found::Intact { proof: self.root.proof_by_name(wanted) }
            }
            (_, found) => found,
        }
    }

    /// Who put a file there. A change of its name or its mode is none of the file; nor is one that can't be told from
    /// the placing itself, after which a run was killed.
    fn provenance(&self, wanted: &Wanted, stamp: Stamp) -> Provenance {
        let content = |stamp: Stamp| Stamp { changed: 0, ..stamp };
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let place = self.root.place_of(wanted);
        match records.get(&place).filter(|record| record.origin == Origin::Placed) {
            None => self.root.layout().unrecorded(&place),
            Some(record) if content(record.stamp) == content(stamp) => Provenance::Placed,
            Some(_) => Provenance::Edited,
        }
    }

    fn partial(&self, wanted: &Wanted) -> u64 {
        let part = || self.parts.name(wanted.id, wanted.digest);
        self.root.parts().map_or(0, |parts| Part::peek(parts, &part(), wanted.size))
    }

    fn have_one_place(&self, wanted: &Wanted, other: FileId) -> bool {
        let other = self.wanted.get(other).map(|file| file.wanted(other));
        self.parts.are_shared()
            && other.is_some_and(|other| {
                other.digest == wanted.digest && self.root.place_of(&other) == self.root.place_of(wanted)
            })
    }

    fn read_all(&self, unread: &[FileId], of: u64) -> Result<(), Failure> {
        let (next, read) = (AtomicUsize::new(0), AtomicU64::new(0));
        let last_tick = Mutex::new(Instant::now());
        let tick = |bytes: usize| {
            let read = read.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
            if let Ok(mut last) = last_tick.try_lock()
                && last.elapsed() >= TICK
            {
                *last = Instant::now();
                // A sample: the next one will do.
                let _ = self.reports.try_send(Report::Surveying { read, of });
            }
        };
        let reader = || -> Result<(), Failure> {
            let mut buffer = vec![0; READ];
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(id) = unread.get(at) else { break };
                let Some(wanted) = self.wanted.get(*id).map(|file| file.wanted(*id)) else { continue };
                // What several files have in common is read once, by the first of them.
                if at > 0 && self.have_one_place(&wanted, unread[at - 1]) {
                    continue;
                }
                let found = self.compare(&wanted, &mut buffer, &tick)?;
                let others =
                    unread[at + 1..].iter().take_while(|other| self.have_one_place(&wanted, **other));
                for id in std::iter::once(id).chain(others) {
                    let Some(wanted) = self.wanted.get(*id).map(|file| file.wanted(*id)) else { continue };
                    let found = self.as_placeable(&wanted, self.by_name(&wanted, found.clone()));
                    self.send_all(vec![(*id, found)])?;
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let others = readers().min(unread.len()).saturating_sub(1);
            // As many as the system grants: this thread reads as well.
            let start = || std::thread::Builder::new().spawn_scoped(scope, reader);
            let readers: Vec<_> = (0..others).map_while(|_| start().ok()).collect();
            let own = reader();
            readers.into_iter().fold(own, |all, reader| {
                all.and(reader.join().unwrap_or_else(|_| {
                    Err(Failure::new(FailureKind::Disk, "the agent has a defect: a reader panicked"))
                }))
            })
        })
    }

    fn compare(&self, wanted: &Wanted, buffer: &mut [u8], tick: &impl Fn(usize)) -> Result<Found, Failure> {
        let mut stamp = match self.root.occupant(&self.root.place_of(wanted)) {
            Occupant::File(stamp) if stamp.size == wanted.size => stamp,
            occupant => return Ok(self.other(wanted, occupant)),
        };
        for reading in 0..READINGS {
            // How far it is has been said when it was read first.
            let is_first = reading == 0;
            let digest = match self.digest(wanted, buffer, &|bytes| {
                if is_first {
                    tick(bytes);
                }
            })? {
                Ok(digest) => digest,
                Err(Unreadable::Forbidden(failure)) if self.only_looks() => {
                    return Ok(Found::Obstructed { failure });
                }
                Err(Unreadable::Forbidden(_)) => {
                    // Whatever is in it: it is replaced, where its folder allows that.
                    let (provenance, partial) = (self.provenance(wanted, stamp), self.partial(wanted));
                    return Ok(Found::OtherContent { stamp, provenance, partial });
                }
                Err(Unreadable::Failed(failure)) => return Ok(Found::Obstructed { failure }),
            };
            match self.root.occupant(&self.root.place_of(wanted)) {
                Occupant::File(now) if now == stamp => {
                    if digest != wanted.digest {
                        let (provenance, partial) = (self.provenance(wanted, stamp), self.partial(wanted));
                        return Ok(Found::OtherContent { stamp, provenance, partial });
                    }
                    self.adopt(wanted, stamp)?;
                    return Ok(Found::Intact { proof: Proof::Read });
                }
                // What was read may not be what is there.
                Occupant::File(now) if now.size == wanted.size => stamp = now,
                occupant => return Ok(self.other(wanted, occupant)),
            }
        }
        let detail = format_args!("{} keeps changing while it is read", wanted.path);
        Ok(Found::Obstructed { failure: Failure::new(FailureKind::ChangedMeanwhile, detail) })
    }

    /// The digest of what is there, or why it can't be read. The outer error ends the survey.
    fn digest(
        &self,
        wanted: &Wanted,
        buffer: &mut [u8],
        tick: &impl Fn(usize),
    ) -> Result<Result<Digest, Unreadable>, Failure> {
        let unreadable = |error: io::Error| {
            // By the system, and not by our own border.
            let is_forbidden = error.kind() == ErrorKind::PermissionDenied && error.raw_os_error().is_some();
            let failure = disk::failure(&format!("cannot read {}", wanted.path), &error);
            Ok(Err(if is_forbidden { Unreadable::Forbidden(failure) } else { Unreadable::Failed(failure) }))
        };
        let mut file = match self.root.read(&self.root.place_of(wanted)) {
            Ok(file) => file,
            Err(error) => return unreadable(error),
        };
        let mut hasher = Hasher::like(wanted.digest, wanted.size);
        loop {
            self.going_on()?;
            match file.read(buffer) {
                Ok(0) => return Ok(Ok(hasher.finish())),
                Ok(read) => {
                    hasher.update(&buffer[..read]);
                    tick(read);
                }
                Err(error) => return unreadable(error),
            }
        }
    }

    /// Remembers what has just been proved. A file that changed right before is not remembered: it might be changed again
    /// unseen. A dry run, and a disk that can't be written to, remember nothing: that costs a read, never a wrong answer.
    fn adopt(&self, wanted: &Wanted, stamp: Stamp) -> Result<(), Failure> {
        let place = self.root.place_of(wanted);
        if !self.root.is_ours() || !self.root.is_settled(stamp) {
            return Ok(());
        }
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = records.get(&place);
        let origin = earlier.as_ref().map_or(Origin::Seen, |record| record.origin);
        let xet = earlier.filter(|record| record.digest == wanted.digest).and_then(|record| record.xet);
        records.remember(self.root, wanted, stamp, origin, xet)
    }

    /// Files that an earlier run placed, that still are what it left, and that the listing does not contain.
    fn send_extraneous(&self) -> Result<(), Failure> {
        let extraneous: Vec<_> = {
            let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            let is_there = |path: &RepoPath, record: &Record| matches!(self.root.occupant(path), Occupant::File(stamp) if stamp == record.stamp);
            let known = records.beside_listed().filter(|(_, record)| record.xet.is_some());
            known
                .filter(|(path, record)| is_there(path, record))
                .for_each(|(path, record)| self.bases.note_unlisted(path, record));
            let unlisted = records.unlisted().filter(|(path, record)| is_there(path, record));
            unlisted
                .map(|(path, record)| ExtraneousFile { path: path.clone(), stamp: record.stamp })
                .collect()
        };
        for extraneous in batches(extraneous) {
            self.send(Report::Extraneous { extraneous })?;
        }
        Ok(())
    }

    fn send_all(&self, files: Vec<(FileId, Found)>) -> Result<(), Failure> {
        for (id, found) in &files {
            if let Some(file) = self.wanted.get(*id) {
                self.bases.note(self.root, self.records, &file.wanted(*id), found);
            }
        }
        {
            let mut intact = self.intact.lock().unwrap_or_else(PoisonError::into_inner);
            let found = files.iter().filter(|(_, found)| matches!(found, Found::Intact { .. }));
            found.for_each(|(file, _)| intact.insert(*file));
        }
        for files in batches(files) {
            self.send(Report::Found { files })?;
        }
        Ok(())
    }

    pub(crate) fn send(&self, report: Report) -> Result<(), Failure> {
        self.reports
            .blocking_send(report)
            .map_err(|_| Failure::new(FailureKind::Cancelled, "the conversation ended"))
    }
}

/// How many files are read at once: hashing is what takes the time, so that every CPU has one.
fn readers() -> usize {
    machine::cpus()
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
