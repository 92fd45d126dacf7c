//! The folder within the destination that is hfdown's own: its lock, its records, and the parts of files on their way.
//!
//! Where it is is up to the layout. It is made when the destination may be written to, and not before.

use std::collections::HashSet;
use std::io::{self, ErrorKind};

use cap_std::fs::Dir;
use hfdown_protocol::Access;

use super::lock::Lock;
use super::records::Records;

const PARTS: &str = "parts";
const IGNORED: &str = ".gitignore";

/// Our own folder, open.
#[derive(Debug)]
pub(crate) struct WorkFolder {
    /// Where it is, relative to the destination.
    name: String,
    own: Dir,
    parts: Dir,
}

/// A destination that may be written to, and our own folder in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writable<'a> {
    pub(crate) folder: &'a Dir,
    pub(crate) work: &'a WorkFolder,
}

impl WorkFolder {
    /// Opens our folder, and with [`Access::ReadWrite`] makes it. None where a dry run finds that there is none.
    pub(super) fn open(folder: &Dir, name: &str, access: Access) -> io::Result<Option<Self>> {
        let open = || -> io::Result<Self> {
            let own = folder.open_dir(name)?;
            let parts = own.open_dir(PARTS)?;
            Ok(Self { name: name.to_owned(), own, parts })
        };
        match access {
            Access::ReadOnly => match open() {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                opened => opened.map(Some),
            },
            Access::ReadWrite => {
                folder.create_dir_all(format!("{name}/{PARTS}"))?;
                let work = open()?;
                if !work.own.exists(IGNORED) {
                    work.own.write(IGNORED, "*")?;
                }
                Ok(Some(work))
            }
        }
    }

    /// Where the lock and the records are.
    pub(crate) fn own(&self) -> &Dir {
        &self.own
    }

    /// Where the parts are.
    pub(crate) fn parts(&self) -> &Dir {
        &self.parts
    }

    /// Removes the parts that no later run will go on from.
    pub(super) fn sweep_parts(&self, resumable: &HashSet<String>) {
        let Ok(entries) = self.parts.entries() else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let part = name.to_str().map(|name| name.strip_suffix(".journal").unwrap_or(name));
            if part.is_some_and(|part| !resumable.contains(part)) {
                // What can't be removed now is tried again by the next run.
                let _ = entry.remove_file();
            }
        }
    }

    /// Whether a part waits to be resumed.
    pub(super) fn has_parts(&self) -> bool {
        self.parts.entries().is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Removes our folder, and what it alone was in, unless a part or a record is still there.
    pub(super) fn remove(&self, folder: &Dir) {
        if self.has_parts() {
            return;
        }
        // Each step leaves what is not empty or not ours; none of them can lose anything.
        let _ = self.own.remove_dir(PARTS);
        let _ = self.own.remove_file(IGNORED);
        let _ = Lock::remove_file(&self.own);
        let mut emptied = Some(self.name.as_str());
        while let Some(name) = emptied.filter(|name| folder.remove_dir(name).is_ok()) {
            emptied = name.rsplit_once('/').map(|(above, _)| above);
        }
    }

    /// The same, and the records go first.
    pub(super) fn remove_with_records(&self, folder: &Dir) {
        if !self.has_parts() {
            let _ = Records::remove_file(&self.own);
            self.remove(folder);
        }
    }
}
