//! What is in the folder and not listed: it is told, and nothing is done about it.
//!
//! The walk follows no link, keeps no names, and has one folder open per level, so that it takes as little memory for a
//! million files as for ten.

use std::sync::PoisonError;

use cap_std::fs::DirEntry;
use hfdown_protocol::{
    Failure, FailureKind, FilesByName, PathError, RepoPath, Report, UnlistedFile, batches, limits,
};

use crate::folder::{Occupant, Origin};
use crate::survey::Survey;

/// Folders below this one are told as what they are, and not looked into: each level costs descriptors.
const DEEPEST: usize = 64;
/// Files that are told at once.
const AT_ONCE: usize = 256;

/// Files that are to be told, and how much has been.
struct Told<'a> {
    survey: &'a Survey<'a>,
    waiting: Vec<UnlistedFile>,
    files: usize,
    names: usize,
}

impl Survey<'_> {
    /// Reports what is neither wanted nor extraneous, nor kept for tools: `.git`, and what hfdown and `hf` keep in `.cache`.
    pub(crate) fn send_unlisted(&self) -> Result<(), Failure> {
        let listed = FilesByName::new(self.wanted.clone());
        let mut told = Told { survey: self, waiting: Vec::new(), files: 0, names: 0 };
        let top = self.root.listed_files().ok().and_then(|folder| folder.entries().ok());
        let mut levels: Vec<_> = top.map(|entries| (entries, 0)).into_iter().collect();
        let mut path = String::new();
        while let Some((entries, length)) = levels.last_mut().filter(|_| !told.is_enough()) {
            path.truncate(*length);
            if self.stop.is_cancelled() {
                return Err(Failure::new(FailureKind::Cancelled, "cancelled"));
            }
            // A folder that can't be read any further has ended.
            let Some(Ok(entry)) = entries.next() else {
                levels.pop();
                continue;
            };
            path.push_str(&entry.file_name().to_string_lossy());
            let name = RepoPath::new(path.as_str());
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if name == Err(PathError::Reserved) && !(is_folder && path == ".cache") {
                continue;
            }
            if !is_folder {
                if listed.find(&path).is_none() && !name.is_ok_and(|name| self.is_extraneous(&name)) {
                    told.tell(&path, &entry)?;
                }
                continue;
            }
            let inner = entry.open_dir().and_then(|folder| folder.entries());
            path.push('/');
            match inner {
                Ok(entries) if levels.len() < DEEPEST => levels.push((entries, path.len())),
                _ if listed.has_below(&path) => {}
                _ => told.tell(&path, &entry)?,
            }
        }
        told.flush()
    }

    /// Whether an earlier run placed it and it still is what that run left. It is not wanted.
    fn is_extraneous(&self, path: &RepoPath) -> bool {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.get(path).is_some_and(|record| {
            record.origin == Origin::Placed
                && matches!(self.root.occupant(path), Occupant::File(stamp) if stamp == record.stamp)
        })
    }
}

impl Told<'_> {
    fn tell(&mut self, path: &str, entry: &DirEntry) -> Result<(), Failure> {
        // No path that a system takes is longer, but what is put together of many names may be.
        let end = (0..=path.len().min(limits::PATH)).rev().find(|end| path.is_char_boundary(*end));
        let path = path[..end.unwrap_or_default()].to_owned();
        let size = entry.metadata().map_or(0, |metadata| if metadata.is_dir() { 0 } else { metadata.len() });
        self.names += path.len();
        self.files += 1;
        self.waiting.push(UnlistedFile { path, size });
        if self.waiting.len() < AT_ONCE { Ok(()) } else { self.flush() }
    }

    /// Whether there are as many as may be told.
    fn is_enough(&self) -> bool {
        self.files >= limits::FILES || self.names >= limits::NAMES
    }

    fn flush(&mut self) -> Result<(), Failure> {
        batches(std::mem::take(&mut self.waiting))
            .try_for_each(|files| self.survey.send(Report::Unlisted { files }))
    }
}
