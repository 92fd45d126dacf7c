//! The folder within the destination that is hfdown's own: its lock, its records, and the parts of files on their way.
//!
//! Where it is is up to the layout. It is made when the destination may be written to, and not before; and it is used
//! only if it is [ours alone](crate::own_folder). What it is in need not be: another user who may write there can take
//! our folder away or put one of theirs in its place, but theirs is not used, and a run holds on to the folder that it
//! has opened.

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use cap_std::fs::Dir;
use hfdown_protocol::{Access, Digest, Failure, FailureKind, WantedFiles};

use super::lock::Lock;
use super::records::Records;
use super::refusal::quoted;
use crate::disk_warnings::DiskWarnings;
use crate::own_folder::{Distrust, MissingFolders, OwnFolder};
use crate::part;
use crate::system::{self, FileMode};

const PARTS: &str = "parts";
const IGNORED: &str = ".gitignore";

/// Our own folder, open.
#[derive(Debug)]
pub(crate) struct WorkFolder {
    own: OwnFolder,
    parts: OwnFolder,
}

/// A destination that may be written to, and our own folder in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writable<'a> {
    pub(crate) folder: &'a Dir,
    /// What it is called.
    pub(crate) path: &'a Path,
    pub(crate) work: &'a WorkFolder,
}

/// A destination, and what it is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct DestinationFolder<'a> {
    pub(super) folder: &'a Dir,
    pub(super) path: &'a Path,
}

impl WorkFolder {
    /// Opens our folder, and with [`Access::ReadWrite`] makes it. None where a dry run finds none that is ours: it does
    /// without.
    pub(super) fn open(
        at: DestinationFolder<'_>,
        name: &str,
        access: Access,
        warnings: &Arc<DiskWarnings>,
    ) -> Result<Option<Self>, Failure> {
        let opened = match access {
            Access::ReadOnly => Self::find(at.folder, name).ok(),
            Access::ReadWrite => Some(Self::make(at, name)?),
        };
        let noting = |folder: OwnFolder| folder.noting_in(warnings);
        Ok(opened.map(|Self { own, parts }| Self { own: noting(own), parts: noting(parts) }))
    }

    /// Opens it if it looks as if it were ours. Nothing is made to find out.
    fn find(folder: &Dir, name: &str) -> io::Result<Self> {
        let own = OwnFolder::below(folder, name, MissingFolders::Fail)?;
        let parts = own.folder(PARTS, MissingFolders::Fail)?;
        let is_ours = own.looks_ours() && parts.looks_ours();
        is_ours.then_some(Self { own, parts }).ok_or_else(|| ErrorKind::PermissionDenied.into())
    }

    /// Opens it and makes what is missing.
    fn make(at: DestinationFolder<'_>, name: &str) -> Result<Self, Failure> {
        let own = match name.rsplit_once('/') {
            Some((above, name)) => OwnFolder::below(at.folder, above, MissingFolders::Make)
                .and_then(|above| above.folder(name, MissingFolders::MakeOurs)),
            None => OwnFolder::below(at.folder, name, MissingFolders::MakeOurs),
        };
        let own = at.checked(own, name)?;
        let parts = at.checked(own.folder(PARTS, MissingFolders::MakeOurs), &format!("{name}/{PARTS}"))?;
        if !own.has_file(IGNORED) {
            let file = format!("{name}/{IGNORED}");
            match own.replace(IGNORED, b"*", FileMode::Usual) {
                // Nothing is locked yet: another run that begins at the same time has given the file its name.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                replaced => replaced.map_err(|error| at.failure(&file, &error))?,
            }
        }
        Ok(Self { own, parts })
    }

    /// Where the lock and the records are.
    pub(crate) fn own(&self) -> &OwnFolder {
        &self.own
    }

    /// Where the parts are.
    pub(crate) fn parts(&self) -> &OwnFolder {
        &self.parts
    }

    /// Removes the parts that no later run will go on from.
    pub(super) fn sweep_parts(&self, resumable: &HashSet<String>) {
        for entry in self.parts.entries() {
            let name = entry.file_name();
            let part = name.to_str().map(part::of_entry);
            if part.is_some_and(|part| !resumable.contains(part)) {
                // What can't be removed now is tried again by the next run.
                let _ = entry.remove_file();
            }
        }
    }

    /// The names of the parts that are there.
    pub(super) fn part_names(&self) -> HashSet<String> {
        let names = self.parts.entries().filter_map(|entry| entry.file_name().into_string().ok());
        names.map(|name| part::of_entry(&name).to_owned()).collect()
    }

    /// The names of the parts that are there of these digests.
    pub(super) fn parts_of(&self, mut digests: Vec<Digest>) -> Vec<String> {
        digests.sort_unstable();
        let of_these = self.part_digests().filter(|(_, digest)| digests.binary_search(digest).is_ok());
        of_these.map(|(name, _)| name).collect()
    }

    /// The digests of the parts that are there of other files than these, sorted.
    pub(super) fn unwanted_parts(&self, wanted: &WantedFiles) -> Vec<Digest> {
        let mut digests: Vec<Digest> = self.part_digests().map(|(_, digest)| digest).collect();
        digests.sort_unstable();
        digests.dedup();
        let mut is_wanted = vec![false; digests.len()];
        if !digests.is_empty() {
            for (_, file) in wanted.iter() {
                if let Ok(at) = digests.binary_search(&file.digest) {
                    is_wanted[at] = true;
                }
            }
        }
        let mut is_wanted = is_wanted.into_iter();
        digests.retain(|_| is_wanted.next() == Some(false));
        digests
    }

    /// The parts that are there: their names, and the digests that they belong to.
    fn part_digests(&self) -> impl Iterator<Item = (String, Digest)> {
        let named = |name: &str| Some((part::of_entry(name).to_owned(), part::digest(name)?));
        self.parts.entries().filter_map(move |entry| named(entry.file_name().to_str()?))
    }

    /// Whether a part waits to be resumed.
    pub(super) fn has_parts(&self) -> bool {
        self.parts.entries().next().is_some()
    }

    /// Removes our folder, and what it alone was in, unless a part or a record is still there.
    pub(super) fn remove(&self, folder: &Dir) {
        if self.has_parts() {
            return;
        }
        // Each step leaves what is not empty or not ours; none of them can lose anything.
        let _ = self.own.dir().remove_dir(PARTS);
        let _ = self.own.remove(IGNORED);
        let _ = Lock::remove_file(&self.own);
        let mut emptied = Some(self.own.name());
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

impl DestinationFolder<'_> {
    /// A folder that was opened, unless it is not ours alone.
    fn checked(self, opened: io::Result<OwnFolder>, path: &str) -> Result<OwnFolder, Failure> {
        let mut folder = opened.map_err(|error| self.failure(path, &error))?;
        folder
            .check()
            .map_err(|error| self.failure(&format!("{path}/*"), &error))?
            .map_err(|distrust| refusal(&self.path.join(folder.name()), distrust))?;
        Ok(folder)
    }

    fn failure(self, path: &str, error: &io::Error) -> Failure {
        self.refusal(&format!("cannot write to {}", self.path.display()), path, error)
    }
}

/// Why a folder is refused, and how to mend it: the folder alone. What other users have put into it stays theirs, and is
/// not believed.
fn refusal(path: &Path, distrust: Distrust) -> Failure {
    const DECIDES: &str = "and what is in it decides which files count as verified";
    let own = system::own_uid();
    let sudo = if own == 0 { "" } else { "sudo " };
    let (shown, quoted) = (path.display(), quoted(path));
    let detail = match distrust {
        Distrust::Owner { uid } => {
            let (owner, who) = (system::user(uid), system::own_user());
            format!(
                "{shown} belongs to another user, {owner}, and this one is {who}, {DECIDES}: run hfdown as that user, or make \
                 it yours with `{sudo}chown {own} {quoted}`, or remove it with `{sudo}rm -r {quoted}`"
            )
        }
        Distrust::Writable { mode } => format!(
            "{shown} may be written to by other users (mode {mode:04o}), {DECIDES}: run `chmod go-w {quoted}`, or remove \
             it with `rm -r {quoted}`"
        ),
    };
    Failure::new(FailureKind::NotOurs, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_made_room_for_a_part_is_kept_for_as_long_as_the_part_is() {
        let ground = tempfile::tempdir().unwrap();
        let folder = Dir::open_ambient_dir(ground.path(), cap_std::ambient_authority()).unwrap();
        let at = DestinationFolder { folder: &folder, path: ground.path() };
        let work = WorkFolder::make(at, ".cache/hfdown").unwrap();
        for name in ["a", "a.journal", "a.old", "b", "b.journal", "b.old"] {
            work.parts.dir().write(name, "bytes").unwrap();
        }
        work.sweep_parts(&HashSet::from(["a".to_owned()]));
        let mut left: Vec<_> = work.parts.entries().map(|entry| entry.file_name()).collect();
        left.sort();
        assert_eq!(left, ["a", "a.journal", "a.old"]);
    }

    #[test]
    fn runs_that_begin_at_once_make_one_folder() {
        for _ in 0..100 {
            let ground = tempfile::tempdir().unwrap();
            let folder = Dir::open_ambient_dir(ground.path(), cap_std::ambient_authority()).unwrap();
            let at = DestinationFolder { folder: &folder, path: ground.path() };
            let starts = std::sync::Barrier::new(8);
            std::thread::scope(|scope| {
                let make = || {
                    starts.wait();
                    WorkFolder::make(at, ".cache/hfdown").map(|_| ())
                };
                let runs: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
                for run in runs {
                    run.join().unwrap().unwrap();
                }
            });
            assert_eq!(folder.read_to_string(".cache/hfdown/.gitignore").unwrap(), "*");
        }
    }

    #[test]
    fn a_refusal_names_a_command_that_can_be_pasted() {
        let failure = refusal(Path::new("/models/it's mine"), Distrust::Writable { mode: 0o777 });
        assert!(failure.detail.contains(r"run `chmod go-w '/models/it'\''s mine'`"), "{failure}");
        let failure = refusal(Path::new("/models/mine"), Distrust::Owner { uid: 7 });
        assert!(failure.detail.contains("belongs to another user, "), "{failure}");
        assert!(
            failure.detail.contains(&format!(
                "{}, and this one is {}, and",
                system::user(7),
                system::own_user()
            )),
            "{failure}"
        );
        assert!(failure.detail.contains("rm -r /models/mine`"), "{failure}");
    }
}
