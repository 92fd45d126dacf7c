//! What was proved in this folder: a file whose record still matches its stamp is known without reading it.
//!
//! `.cache/hfdown/records` is text: a line that says which sync it is of (its commit, and how many files are recorded, or `-`
//! if not everything was in place), and a line per file: origin, digest (with a Xet hash behind it, where that is known), size,
//! modified, changed, inode, path. Lines are
//! appended as files are proved, later ones win, and the whole is rewritten at the end of a run that changed it. A torn
//! line is ignored: it costs a read of one file.
//!
//! Clocks of disks tick: every 4 ms here, every second or two elsewhere. A file that is edited in the very tick in
//! which it was placed, and given back its time of modification, may look as it did. So a record counts only if its
//! file is older than the records themselves, as in git's index; what is edited after that shows. A run that has placed
//! something does not end before the next tick, so that only a run that was killed costs the next one a read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read as _, Write as _};
use std::time::{Duration, Instant};

use cap_std::fs::Metadata;
use hfdown_protocol::{
    Commit, Digest, FileId, RecordedSync, RepoPath, RepoPathRef, Stamp, Wanted, WantedFiles, XetHash, limits,
};

use super::layout::Completeness;
use super::listed_records::ListedRecords;
use crate::disk;
use crate::own_folder::OwnFolder;
use crate::system::{FileAccess, FileMode};

const NAME: &str = "records";
const REWRITTEN: &str = "records.new";
/// The longest line: what comes before the path has at most 200 bytes.
const LONGEST_LINE: usize = limits::PATH + 256;
/// The largest file that is read: every file that a listing can have, twice.
const LARGEST: u64 = 2 * (limits::NAMES + limits::FILES * 256) as u64;
/// When no file ever changed: such a record vouches for nothing, and is only replaced by a new proof.
const UNSETTLED: i64 = -1;
/// The longest tick that is waited for. FAT counts in steps of two seconds.
const LONGEST_TICK: Duration = Duration::from_millis(2_100);
const GLANCE: Duration = Duration::from_millis(1);

/// The records of one folder.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// Of listed files that are as they are listed.
    listed: ListedRecords,
    /// The others.
    entries: BTreeMap<RepoPath, Record>,
    is_loaded: bool,
    /// The last sync that recorded anything.
    sync: Option<RecordedSync>,
    /// Whether that is still to be said on disk.
    is_begun: bool,
    file: Option<File>,
    on_disk: OnDisk,
}

/// What the file says, compared with the entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum OnDisk {
    /// The same, each once.
    #[default]
    Same,
    /// More than that, or less.
    Different,
}

/// What is known of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) origin: Origin,
    pub(crate) digest: Digest,
    pub(crate) stamp: Stamp,
    /// What the Hub's Xet store calls it, of large files that hfdown has fetched.
    pub(crate) xet: Option<XetHash>,
}

/// How a file came to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// hfdown put it there, and may remove it when the Hub no longer lists it.
    Placed,
    /// It was there already and turned out right; it is the user's own.
    Seen,
}

impl Records {
    /// Reads the records, unless they have been; a folder without any has none.
    pub(crate) fn load(&mut self, work: &OwnFolder, wanted: &WantedFiles) {
        if !self.is_loaded {
            let file = work.open(NAME, FileAccess::Read, LARGEST).ok().flatten();
            let read = file.and_then(|file| Self::read(&file, wanted.clone()).ok());
            *self = read.unwrap_or_else(|| Self::of(wanted.clone()));
            self.is_loaded = true;
        }
    }

    fn of(wanted: WantedFiles) -> Self {
        Self { listed: ListedRecords::of(wanted), ..Self::default() }
    }

    fn read(file: &File, wanted: WantedFiles) -> io::Result<Self> {
        // Before they are read: another run may be writing to them while this one only looks.
        let written = written(file)?;
        let mut records = Self::of(wanted);
        let (mut count, mut names) = (0, 0);
        each_line(BufReader::new(file.take(LARGEST)), |line| {
            let line = std::str::from_utf8(line).unwrap_or_default();
            if let Some(said) = parse_sync(line) {
                records.sync = Some(said);
                return;
            }
            count += 1;
            let Some((path, record)) = parse(line) else { return };
            names += path.as_str().len();
            if records.entries.len() < limits::FILES && names <= 2 * (limits::NAMES + limits::PATH) {
                records.put(path, record);
            }
        })?;
        records.on_disk = if records.iter().count() == count { OnDisk::Same } else { OnDisk::Different };
        records.listed.unsettle(written, UNSETTLED);
        let unsettled = records.entries.values_mut().filter(|record| record.stamp.last_change() >= written);
        unsettled.for_each(|record| record.stamp.changed = UNSETTLED.into());
        Ok(records)
    }

    fn put(&mut self, path: RepoPath, record: Record) {
        if self.listed.put(path.as_str(), &record).is_some() {
            self.entries.remove(&path);
        } else {
            self.listed.remove(path.as_str());
            self.entries.insert(path, record);
        }
    }

    /// Forgets all that was proved here, on disk.
    pub(super) fn remove_file(work: &OwnFolder) -> io::Result<()> {
        work.remove(NAME)
    }

    pub(crate) fn get(&self, path: &RepoPath) -> Option<Record> {
        self.listed.get(path.as_str()).or_else(|| self.entries.get(path).cloned())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (RepoPathRef<'_>, Record)> {
        self.listed.iter().chain(self.entries.iter().map(|(path, record)| (path.view(), record.clone())))
    }

    /// Files that hfdown placed and that are not listed.
    pub(crate) fn unlisted(&self) -> impl Iterator<Item = (&RepoPath, &Record)> {
        self.beside_listed().filter(|(_, record)| record.origin == Origin::Placed)
    }

    /// Files that stand at no listed path, placed by hfdown or only seen: in the hub cache all blobs.
    pub(crate) fn beside_listed(&self) -> impl Iterator<Item = (&RepoPath, &Record)> {
        self.entries.iter().filter(|(path, _)| !self.listed.lists(path.as_str()))
    }

    /// What was proved, in the order of the paths, as a listing has it, and by which sync. Read for itself: which files
    /// are listed is not known yet.
    pub(crate) fn recall(work: &OwnFolder) -> (impl Iterator<Item = Wanted> + use<>, Option<RecordedSync>) {
        let mut records = Self::default();
        records.load(work, &WantedFiles::default());
        let wanted = |(id, (path, record)): (u32, (RepoPath, Record))| Wanted {
            id: FileId(id),
            path,
            size: record.stamp.size,
            digest: record.digest,
        };
        ((0..).zip(records.entries).map(wanted), records.sync)
    }

    /// A sync of this commit is about to record something: from then on the records are of that one, and not whole.
    pub(super) fn begin(&mut self, commit: &Commit) {
        if self.sync.as_ref().is_none_or(|sync| sync.commit != *commit) {
            self.sync = Some(RecordedSync { commit: commit.clone(), files: None });
            self.is_begun = true;
            self.on_disk = OnDisk::Different;
        }
    }

    /// A sync of this commit has ended, and everything was in place or not.
    pub(super) fn conclude(&mut self, commit: &Commit, completeness: Completeness) {
        let files = u32::try_from(self.iter().count()).ok().filter(|_| completeness == Completeness::Whole);
        let sync = Some(RecordedSync { commit: commit.clone(), files });
        if self.sync != sync {
            self.sync = sync;
            self.on_disk = OnDisk::Different;
        }
    }

    /// Records a proof, on disk as well.
    pub(crate) fn insert(&mut self, work: &OwnFolder, path: RepoPath, record: Record) -> io::Result<()> {
        if self.get(&path).as_ref() == Some(&record) {
            return Ok(());
        }
        if self.file.is_none() {
            let there = work.open(NAME, FileAccess::Append, LARGEST)?;
            self.file = Some(there.map_or_else(|| work.create(NAME, FileMode::Private), Ok)?);
        }
        self.on_disk = OnDisk::Different;
        // The leading line break ends a line that an earlier run may have torn.
        let begun = if std::mem::take(&mut self.is_begun) { self.sync_line() } else { String::new() };
        let line = format!("\n{begun}{}", line(path.view(), &record));
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(line.as_bytes()))?;
        self.put(path, record);
        Ok(())
    }

    /// The line that says which sync it is of, if that is known.
    fn sync_line(&self) -> String {
        let Some(RecordedSync { commit, files }) = &self.sync else { return String::new() };
        match files {
            Some(files) => format!("sync {commit} {files}\n"),
            None => format!("sync {commit} -\n"),
        }
    }

    pub(crate) fn remove(&mut self, path: &RepoPath) -> Option<Record> {
        let removed = self.listed.remove(path.as_str()).or_else(|| self.entries.remove(path));
        if removed.is_some() {
            self.on_disk = OnDisk::Different;
        }
        removed
    }

    /// Rewrites the records without repetitions, if there are any or something changed.
    pub(crate) fn save(&mut self, work: &OwnFolder) -> io::Result<()> {
        self.file = None;
        // Those that were not read stay, and what was proved is behind them.
        if self.on_disk == OnDisk::Same || !self.is_loaded {
            return Ok(());
        }
        let mut file = BufWriter::new(work.create(REWRITTEN, FileMode::Private)?);
        file.write_all(self.sync_line().as_bytes())?;
        for (path, record) in self.iter() {
            writeln!(file, "{}", line(path, &record))?;
        }
        let mut file = file.into_inner()?;
        self.settle(&mut file)?;
        // A crash of the machine leaves these or those before, and never a name without its content.
        work.flush_file(&file)?;
        work.rename_over(REWRITTEN, NAME)?;
        work.flush()?;
        self.on_disk = OnDisk::Same;
        Ok(())
    }

    /// Waits until the disk's own clock has gone on since the last file was placed.
    fn settle(&self, file: &mut File) -> io::Result<()> {
        let began = Instant::now();
        let mut now = written(file)?;
        // What is further ahead is not waited for: a clock was set back.
        let bound = now.saturating_add(i128::try_from(LONGEST_TICK.as_nanos()).unwrap_or(i128::MAX));
        let changes = self.iter().map(|(_, record)| record.stamp.last_change());
        let Some(last) = changes.filter(|change| *change < bound).max() else { return Ok(()) };
        while last >= now && began.elapsed() < LONGEST_TICK {
            std::thread::sleep(GLANCE);
            // It gets a new time by being written to. Empty lines say nothing.
            file.write_all(b"\n")?;
            now = written(file)?;
        }
        Ok(())
    }
}

/// When a file was last written to, by the clock of its disk.
fn written(file: &File) -> io::Result<i128> {
    Ok(disk::stamp(&Metadata::from_file(file)?).modified)
}

/// Every line that is not empty, without its end. One that is too long is given out as one that says nothing.
fn each_line(mut text: impl BufRead, mut act: impl FnMut(&[u8])) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut text).take(LONGEST_LINE as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.len() == LONGEST_LINE && line.last() != Some(&b'\n') {
            text.skip_until(b'\n')?;
            line.clear();
            line.push(0);
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        if !line.is_empty() {
            act(line);
        }
    }
}

fn line(path: RepoPathRef<'_>, record: &Record) -> String {
    let Record { origin, digest, stamp, xet } = record;
    let origin = match origin {
        Origin::Placed => "placed",
        Origin::Seen => "seen",
    };
    let Stamp { size, modified, changed, inode } = stamp;
    let mut line = String::new();
    // Writing to a string does not fail.
    let _ = write!(line, "{origin} {}:{digest}", digest.kind());
    let _ = xet.iter().try_for_each(|xet| write!(line, "+xet:{xet}"));
    let _ = write!(line, " {size} {modified} {changed} {inode} {path}");
    line
}

fn parse_sync(line: &str) -> Option<RecordedSync> {
    let (commit, files) = line.strip_prefix("sync ")?.split_once(' ')?;
    let files = match files {
        "-" => None,
        files => Some(files.parse().ok()?),
    };
    Some(RecordedSync { commit: Commit::new(commit).ok()?, files })
}

fn parse(line: &str) -> Option<(RepoPath, Record)> {
    let mut words = line.splitn(7, ' ');
    let origin = match words.next()? {
        "placed" => Origin::Placed,
        "seen" => Origin::Seen,
        _ => return None,
    };
    let names = words.next()?;
    let (digest, xet) = match names.split_once("+xet:") {
        Some((digest, xet)) => (digest, Some(xet.parse().ok()?)),
        None => (names, None),
    };
    let digest = match digest.split_once(':')? {
        ("sha256", hex) => Digest::sha256(hex),
        ("git-sha1", hex) => Digest::git_sha1(hex),
        _ => return None,
    };
    let stamp = Stamp {
        size: words.next()?.parse().ok()?,
        modified: words.next()?.parse().ok()?,
        changed: words.next()?.parse().ok()?,
        inode: words.next()?.parse().ok()?,
    };
    Some((RepoPath::new(words.next()?).ok()?, Record { origin, digest: digest.ok()?, stamp, xet }))
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
