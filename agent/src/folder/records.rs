//! What was proved in this folder: a file whose record still matches its stamp is known without reading it.
//!
//! `.cache/hfdown/records` is text, a line per file: origin, digest, size, modified, changed, inode, path. Lines are
//! appended as files are proved, later ones win, and the whole is rewritten at the end of a run that changed it. A torn line
//! is ignored: it costs a read of one file.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use cap_std::fs::{Dir, File, OpenOptions};
use hfdown_protocol::{Digest, RepoPath, Stamp};

const NAME: &str = "records";
const REWRITTEN: &str = "records.new";

/// The records of one folder.
#[derive(Debug, Default)]
pub(crate) struct Records {
    entries: HashMap<RepoPath, Record>,
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
}

/// How a file came to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// hfdown put it there, and may remove it when the Hub no longer lists it.
    Placed,
    /// It was there already and turned out right; it is the person's own.
    Seen,
}

impl Records {
    /// Reads the records; a folder without any has none.
    pub(crate) fn load(work: &Dir) -> Self {
        let text = work.read(NAME).unwrap_or_default();
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut count = 0;
        let lines = lines.inspect(|_| count += 1).filter_map(|line| std::str::from_utf8(line).ok());
        let entries: HashMap<_, _> = lines.filter_map(parse).collect();
        let on_disk = if entries.len() == count { OnDisk::Same } else { OnDisk::Different };
        Self { entries, file: None, on_disk }
    }

    /// Forgets all that was proved here, on disk.
    pub(super) fn remove_file(work: &Dir) -> io::Result<()> {
        work.remove_file(NAME)
    }

    pub(crate) fn get(&self, path: &RepoPath) -> Option<&Record> {
        self.entries.get(path)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&RepoPath, &Record)> {
        self.entries.iter()
    }

    /// Records a proof, on disk as well.
    pub(crate) fn insert(&mut self, work: &Dir, path: RepoPath, record: Record) -> io::Result<()> {
        if self.entries.get(&path) == Some(&record) {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(work.open_with(NAME, OpenOptions::new().create(true).append(true))?),
        };
        self.on_disk = OnDisk::Different;
        // The leading line break ends a line that an earlier run may have torn.
        file.write_all(format!("\n{}", line(&path, &record)).as_bytes())?;
        self.entries.insert(path, record);
        Ok(())
    }

    pub(crate) fn remove(&mut self, path: &RepoPath) -> Option<Record> {
        let removed = self.entries.remove(path);
        if removed.is_some() {
            self.on_disk = OnDisk::Different;
        }
        removed
    }

    /// Rewrites the records without repetitions, if there are any or something changed.
    pub(crate) fn save(&mut self, work: &Dir) -> io::Result<()> {
        self.file = None;
        if self.on_disk == OnDisk::Same {
            return Ok(());
        }
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
        let mut text = String::new();
        for (path, record) in entries {
            text.push_str(&line(path, record));
            text.push('\n');
        }
        work.write(REWRITTEN, text)?;
        work.rename(REWRITTEN, work, NAME)?;
        self.on_disk = OnDisk::Same;
        Ok(())
    }
}

fn line(path: &RepoPath, record: &Record) -> String {
    let Record { origin, digest, stamp } = record;
    let origin = match origin {
        Origin::Placed => "placed",
        Origin::Seen => "seen",
    };
    let Stamp { size, modified, changed, inode } = stamp;
    let mut line = String::new();
    // Writing to a string does not fail.
    let _ = write!(line, "{origin} {}:{digest} {size} {modified} {changed} {inode} {path}", digest.kind());
    line
}

fn parse(line: &str) -> Option<(RepoPath, Record)> {
    let mut words = line.splitn(7, ' ');
    let origin = match words.next()? {
        "placed" => Origin::Placed,
        "seen" => Origin::Seen,
        _ => return None,
    };
    let digest = match words.next()?.split_once(':')? {
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
    Some((RepoPath::new(words.next()?).ok()?, Record { origin, digest: digest.ok()?, stamp }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk;
    use cap_std::ambient_authority;

    /// What is changed, and how.
    type Change<'a> = (&'static str, &'a dyn Fn(&mut Records));

    #[test]
    fn what_did_not_change_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let work = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        let record = |size| Record {
            origin: Origin::Seen,
            digest: Digest::git_sha1("ce013625030ba8dba906f756967f9e9ca394464a").unwrap(),
            stamp: Stamp { size, modified: 1, changed: 1, inode: 1 },
        };
        let path = |name: &str| RepoPath::new(name).unwrap();
        let inode = || disk::stamp(&work.metadata(NAME).unwrap()).inode;
        let mut records = Records::load(&work);
        records.insert(&work, path("a"), record(1)).unwrap();
        records.insert(&work, path("b"), record(1)).unwrap();
        records.save(&work).unwrap();
        let changes: [Change<'_>; 5] = [
            ("nothing", &|_| {}),
            ("the same again", &|records| records.insert(&work, path("a"), record(1)).unwrap()),
            ("another state", &|records| records.insert(&work, path("a"), record(2)).unwrap()),
            ("one less", &|records| _ = records.remove(&path("b"))),
            ("none that was there", &|records| _ = records.remove(&path("b"))),
        ];
        for (what, change) in changes {
            let (mut records, before) = (Records::load(&work), inode());
            change(&mut records);
            records.save(&work).unwrap();
            let rewritten = ["another state", "one less"].contains(&what);
            assert_eq!(inode() != before, rewritten, "{what}");
            assert_eq!(Records::load(&work).entries, records.entries, "{what}");
        }
        // Repetitions and torn lines are what a run that was killed leaves.
        let text = work.read(NAME).unwrap();
        for left in [[&text[..], b"\n", &text].concat(), [&text[..], b"\nplaced sha256:00"].concat()] {
            work.write(NAME, left).unwrap();
            Records::load(&work).save(&work).unwrap();
            assert_eq!(work.read(NAME).unwrap(), text);
        }
    }

    #[test]
    fn remembers_across_runs_and_torn_lines() {
        let folder = tempfile::tempdir().unwrap();
        let work = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        let record = |size| Record {
            origin: Origin::Placed,
            digest: Digest::git_sha1("ce013625030ba8dba906f756967f9e9ca394464a").unwrap(),
            stamp: Stamp { size, modified: -1, changed: 1 << 70, inode: u64::MAX },
        };
        let path = |name: &str| RepoPath::new(name).unwrap();
        let mut records = Records::load(&work);
        records.insert(&work, path("a b/c"), record(1)).unwrap();
        records.insert(&work, path("d"), record(2)).unwrap();
        records.insert(&work, path("d"), record(3)).unwrap();

        let mut torn = work.read(NAME).unwrap();
        torn.extend_from_slice(b"\nplaced sha256:00");
        work.write(NAME, torn).unwrap();
        let mut records = Records::load(&work);
        records.insert(&work, path("e"), record(4)).unwrap();
        let mut records = Records::load(&work);
        for (name, size) in [("a b/c", 1), ("d", 3), ("e", 4)] {
            assert_eq!(records.get(&path(name)), Some(&record(size)), "{name}");
        }

        records.remove(&path("d"));
        records.save(&work).unwrap();
        let records = Records::load(&work);
        assert_eq!(records.iter().count(), 2);
        assert_eq!(records.get(&path("d")), None);
    }
}
