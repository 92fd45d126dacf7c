//! What was proved in this folder: a file whose record still matches its stamp is known without reading it.
//!
//! `.cache/hfdown/records` is text, a line per file: origin, digest, size, modified, changed, inode, path. Lines are
//! appended as files are proved, later ones win, and the whole is rewritten when a run ends. A torn line is ignored: it
//! costs a read of one file.

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
        let lines = text.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
        Self { entries: lines.filter_map(parse).collect(), file: None }
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
        // The leading line break ends a line that an earlier run may have torn.
        file.write_all(format!("\n{}", line(&path, &record)).as_bytes())?;
        self.entries.insert(path, record);
        Ok(())
    }

    pub(crate) fn remove(&mut self, path: &RepoPath) -> Option<Record> {
        self.entries.remove(path)
    }

    /// Rewrites the records without repetitions.
    pub(crate) fn save(&mut self, work: &Dir) -> io::Result<()> {
        self.file = None;
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
        let mut text = String::new();
        for (path, record) in entries {
            text.push_str(&line(path, record));
            text.push('\n');
        }
        work.write(REWRITTEN, text)?;
        work.rename(REWRITTEN, work, NAME)
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
    use cap_std::ambient_authority;

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
