//! What is on disk of what is wanted.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hfdown_protocol::{
    Check, Digest, ExtraneousFile, Failure, FailureKind, FileId, Found, Proof, Report, Stamp, Wanted, batches,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::disk;
use crate::folder::{Occupant, Origin, Records, Root};
use crate::hasher::Hasher;
use crate::machine;
use crate::part::Part;

/// How often it is said how far the reading is.
const TICK: Duration = Duration::from_millis(200);
const READ: usize = 256 << 10;
/// Reading on more threads than this only makes a disk seek.
const READERS: usize = 8;

/// One look at the folder.
pub(crate) struct Survey<'a> {
    pub(crate) root: &'a Root,
    pub(crate) records: &'a Mutex<Records>,
    pub(crate) wanted: &'a [Wanted],
    pub(crate) check: Check,
    pub(crate) reports: &'a mpsc::Sender<Report>,
    pub(crate) stop: &'a CancellationToken,
}

/// A file whose content must be read.
struct Unread<'a> {
    wanted: &'a Wanted,
    stamp: Stamp,
    /// The name of its part.
    part: &'a str,
}

impl Survey<'_> {
    /// Looks, and reports what it finds: every wanted file once, then the extraneous files. Blocks.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let parts = self.root.layout().parts(self.wanted);
        let collisions = if self.root.folds_case() { case_collisions(self.wanted) } else { HashMap::new() };
        let mut known = Vec::new();
        let mut unread = Vec::new();
        for (wanted, part) in self.wanted.iter().zip(&parts) {
            if let Some(other) = collisions.get(&wanted.id) {
                let detail = format_args!("{} and {other} are the same name on this disk", wanted.path);
                known.push((
                    wanted.id,
                    Found::Obstructed { failure: Failure::new(FailureKind::InTheWay, detail) },
                ));
                continue;
            }
            match self.glance(wanted, part) {
                Ok(found) => known.push((wanted.id, found)),
                Err(stamp) => unread.push(Unread { wanted, stamp, part }),
            }
        }
        self.send_all(&known)?;
        self.read_all(&unread)?;
        self.send_extraneous()
    }

    /// What can be said without reading; otherwise the stamp of what must be read.
    fn glance(&self, wanted: &Wanted, part: &str) -> Result<Found, Stamp> {
        let place = self.root.place_of(wanted);
        let stamp = match self.root.occupant(&place) {
            Occupant::Nothing => return Ok(Found::Absent { partial: self.partial(wanted, part) }),
            Occupant::Obstacle(failure) => return Ok(Found::Obstructed { failure }),
            Occupant::File(stamp) => stamp,
        };
        if stamp.size != wanted.size {
            return Ok(Found::OtherSize { stamp, partial: self.partial(wanted, part) });
        }
        let is_recorded = || {
            let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            records.get(&place).is_some_and(|record| record.stamp == stamp && record.digest == wanted.digest)
        };
        match self.check {
            Check::Sizes => Ok(Found::Intact { proof: Proof::SizeOnly }),
            Check::Records if is_recorded() => Ok(Found::Intact { proof: Proof::Recorded }),
            Check::Records | Check::Contents => Err(stamp),
        }
    }

    fn partial(&self, wanted: &Wanted, part: &str) -> u64 {
        self.root.parts().map_or(0, |parts| Part::peek(parts, part, wanted.size))
    }

    fn read_all(&self, unread: &[Unread<'_>]) -> Result<(), Failure> {
        let of = unread.iter().map(|file| file.wanted.size).sum();
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
            while let Some(file) = unread.get(next.fetch_add(1, Ordering::Relaxed)) {
                let found = self.compare(file, &tick)?;
                self.send_all(&[(file.wanted.id, found)])?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let count = readers().min(unread.len());
            let readers: Vec<_> = (0..count).map(|_| scope.spawn(reader)).collect();
            readers.into_iter().try_for_each(|reader| {
                reader.join().unwrap_or_else(|_| {
                    Err(Failure::new(FailureKind::Disk, "the agent has a defect: a reader panicked"))
                })
            })
        })
    }

    fn compare(&self, file: &Unread<'_>, tick: &impl Fn(usize)) -> Result<Found, Failure> {
        let Unread { wanted, stamp, part } = file;
        match self.digest(wanted, tick)? {
            Ok(digest) if digest == wanted.digest => {
                self.adopt(wanted, *stamp)?;
                Ok(Found::Intact { proof: Proof::Read })
            }
            Ok(_) => Ok(Found::OtherContent { stamp: *stamp, partial: self.partial(wanted, part) }),
            Err(failure) => Ok(Found::Obstructed { failure }),
        }
    }

    /// The digest of what is there, or why it can't be read. The outer error ends the survey.
    fn digest(&self, wanted: &Wanted, tick: &impl Fn(usize)) -> Result<Result<Digest, Failure>, Failure> {
        let unreadable = |error| Ok(Err(disk::failure(&format!("cannot read {}", wanted.path), &error)));
        let mut file = match self.root.read(&self.root.place_of(wanted)) {
            Ok(file) => file,
            Err(error) => return unreadable(error),
        };
        let mut hasher = Hasher::like(wanted.digest, wanted.size);
        let mut buffer = vec![0; READ];
        loop {
            if self.stop.is_cancelled() {
                return Err(Failure::new(FailureKind::Cancelled, "cancelled"));
            }
            match file.read(&mut buffer) {
                Ok(0) => return Ok(Ok(hasher.finish())),
                Ok(read) => {
                    hasher.update(&buffer[..read]);
                    tick(read);
                }
                Err(error) => return unreadable(error),
            }
        }
    }

    /// Remembers what has just been proved. A file that changed while it was read, or right before, is not remembered.
    /// A dry run, and a disk that can't be written to, remember nothing: that costs a read, never a wrong answer.
    fn adopt(&self, wanted: &Wanted, stamp: Stamp) -> Result<(), Failure> {
        let place = self.root.place_of(wanted);
        let is_unchanged = matches!(self.root.occupant(&place), Occupant::File(now) if now == stamp);
        if !is_unchanged || !self.root.is_ours() || !self.root.is_settled(stamp) {
            return Ok(());
        }
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = records.get(&place).map_or(Origin::Seen, |record| record.origin);
        records.remember(self.root, wanted, stamp, origin)
    }

    /// Files that an earlier run placed, that still are what it left, and that the listing does not contain.
    fn send_extraneous(&self) -> Result<(), Failure> {
        let wanted: std::collections::HashSet<_> =
            self.wanted.iter().map(|wanted| self.root.place_of(wanted)).collect();
        let extraneous: Vec<_> = {
            let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            let unlisted = records.iter().filter(|(path, record)| {
                let is_there =
                    || matches!(self.root.occupant(path), Occupant::File(stamp) if stamp == record.stamp);
                record.origin == Origin::Placed && !wanted.contains(*path) && is_there()
            });
            unlisted
                .map(|(path, record)| ExtraneousFile { path: path.clone(), stamp: record.stamp })
                .collect()
        };
        for extraneous in batches(extraneous) {
            self.send(Report::Extraneous { extraneous })?;
        }
        Ok(())
    }

    fn send_all(&self, files: &[(FileId, Found)]) -> Result<(), Failure> {
        for files in batches(files.iter().cloned()) {
            self.send(Report::Found { files })?;
        }
        Ok(())
    }

    fn send(&self, report: Report) -> Result<(), Failure> {
        self.reports
            .blocking_send(report)
            .map_err(|_| Failure::new(FailureKind::Cancelled, "the conversation ended"))
    }
}

/// How many files are read at once: hashing is what takes the time, so that every CPU has one.
fn readers() -> usize {
    machine::cpus().min(READERS)
}

/// Files whose path differs from another one only in case, each with that other one. The first in the listing wins.
fn case_collisions(wanted: &[Wanted]) -> HashMap<FileId, String> {
    let mut seen: HashMap<String, &Wanted> = HashMap::new();
    let mut collisions = HashMap::new();
    for file in wanted {
        match seen.entry(file.path.as_str().to_lowercase()) {
            std::collections::hash_map::Entry::Occupied(first) => {
                collisions.insert(file.id, first.get().path.to_string());
            }
            std::collections::hash_map::Entry::Vacant(place) => drop(place.insert(file)),
        }
    }
    collisions
}

#[cfg(test)]
mod tests {
    use super::*;
    use hfdown_protocol::{Access, Commit, Layout, RepoPath, Traces};

    fn wanted(id: u32, path: &str, content: u8) -> Wanted {
        Wanted {
            id: FileId(id),
            path: RepoPath::new(path).unwrap(),
            size: 1,
            digest: Digest::GitSha1([content; 20]),
        }
    }

    #[test]
    fn every_cpu_reads() {
        let folder = tempfile::tempdir().unwrap();
        let commit = Commit::new("0123456789012345678901234567890123456789").unwrap();
        let layout = Layout::LocalDir { commit };
        let open = || {
            Root::open(folder.path().to_str().unwrap(), Access::ReadWrite, layout.clone(), Traces::Keep)
                .expect("it opens")
        };
        let digest = Digest::git_sha1("2e65efe2a145dda7ee51d1741299f848e5bf752e").unwrap();
        let names = || (0..).map(|id| (id, format!("file-{id}"))).take(2 * READERS);
        let files: Vec<_> = names().map(|(id, name)| Wanted { digest, ..wanted(id, &name, 0) }).collect();
        for (_, name) in names() {
            std::fs::write(folder.path().join(name), "a").unwrap();
        }
        let mut root = open();
        assert_eq!(root.try_lock().unwrap(), None);
        while !matches!(root.occupant(&files[files.len() - 1].path), Occupant::File(last) if root.is_settled(last))
        {
            root = open();
            assert_eq!(root.try_lock().unwrap(), None);
        }
        let records = Mutex::default();
        // One report fits in, and is not taken, so that each reader remembers one file and waits to report it.
        let (reports, mut heard) = mpsc::channel(1);
        reports.try_send(Report::Pong).unwrap();
        let stop = CancellationToken::new();
        let survey = Survey {
            root: &root,
            records: &records,
            wanted: &files,
            check: Check::Contents,
            reports: &reports,
            stop: &stop,
        };
        let remembered = || records.lock().unwrap().iter().count();
        std::thread::scope(|scope| {
            let survey = scope.spawn(|| survey.run());
            let deadline = Instant::now() + Duration::from_secs(60);
            while remembered() < readers() && Instant::now() < deadline {
                std::thread::yield_now();
            }
            let at_once = remembered();
            while !survey.is_finished() {
                _ = heard.try_recv();
                std::thread::yield_now();
            }
            survey.join().unwrap().unwrap();
            assert_eq!(at_once, readers(), "files were read while the report of the first one waited");
        });
        assert_eq!(remembered(), files.len());
        assert!(machine::cpus() == 1 || readers() > 1);
    }

    #[test]
    fn what_was_touched_since_the_run_began_is_read_and_not_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let commit = Commit::new("0123456789012345678901234567890123456789").unwrap();
        let layout = Layout::LocalDir { commit };
        let mut root =
            Root::open(folder.path().to_str().unwrap(), Access::ReadWrite, layout, Traces::Keep).unwrap();
        assert_eq!(root.try_lock().unwrap(), None);
        std::fs::write(folder.path().join("file"), "a").unwrap();
        let digest = Digest::git_sha1("2e65efe2a145dda7ee51d1741299f848e5bf752e").unwrap();
        let records = Mutex::default();
        let (reports, mut heard) = mpsc::channel(8);
        let survey = Survey {
            root: &root,
            records: &records,
            wanted: &[Wanted { digest, ..wanted(0, "file", 0) }],
            check: Check::Records,
            reports: &reports,
            stop: &CancellationToken::new(),
        };
        survey.run().unwrap();
        let Ok(Report::Found { files }) = heard.try_recv() else { panic!("it is told") };
        assert_eq!(files, [(FileId(0), Found::Intact { proof: Proof::Read })]);
        assert_eq!(records.lock().unwrap().iter().count(), 0);
    }

    #[test]
    fn names_that_differ_only_in_case_are_found() {
        let collisions = case_collisions(&[
            wanted(0, "Model.bin", 1),
            wanted(1, "model.bin", 2),
            wanted(2, "Ä/x", 3),
            wanted(3, "ä/X", 4),
        ]);
        assert_eq!(collisions.get(&FileId(1)).map(String::as_str), Some("Model.bin"));
        assert_eq!(collisions.get(&FileId(3)).map(String::as_str), Some("Ä/x"));
        assert_eq!(collisions.len(), 2);
    }
}
