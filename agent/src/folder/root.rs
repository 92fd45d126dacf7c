//! The folder as a border: all access goes through a handle that cannot leave it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use hfdown_protocol::{
    Access, Commit, Digest, DiskWarning, Failure, FailureKind, Folding, Layout, Nonce, Proof, RepoPath,
    Stamp, Traces, Wanted, WantedFiles,
};

use super::destination_path::{absolute, create_folder, link_to_nowhere, not_a_folder};
use super::layout::{DiskLayout, RECEIVED_TREE, disk_layout};
use super::lock::{Lock, LockAttempt};
use super::refusal::{Obstacle, if_anothers};
use super::work_folder::{DestinationFolder, WorkFolder, Writable};
use crate::disk;
use crate::disk_warnings::DiskWarnings;
use crate::own_folder::OwnFolder;
use crate::system::{self, DiskSpace, FileMode};

/// An open destination folder.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    layout: Box<dyn DiskLayout>,
    traces: Traces,
    /// None while a dry run looks at a folder that is not there.
    folder: Option<Dir>,
    /// Our own folder in it. None during a dry run that finds none.
    work: Option<WorkFolder>,
    lock: Option<Lock>,
    /// Folders with new names that a crash of the machine could still undo; the root's own is the empty one.
    unflushed: Mutex<BTreeSet<String>>,
    /// Folders whose own names it could not, once they themselves are flushed.
    durable: Mutex<BTreeSet<String>>,
    /// What is being received of what the commit contains.
    received: Mutex<Option<File>>,
    /// What its disk turned out not to have.
    warnings: Arc<DiskWarnings>,
}

/// What is at a path.
#[derive(Debug)]
pub(crate) enum Occupant {
    Nothing,
    File(Stamp),
    /// Neither a file nor nothing: it must not be replaced.
    Obstacle(Failure),
}

impl Root {
    /// Opens the folder, and with [`Access::ReadWrite`] creates it where it is not there. It is not locked yet.
    pub(crate) fn open(root: &str, access: Access, layout: Layout, traces: Traces) -> Result<Self, Failure> {
        let attempt = format!("cannot open {root}");
        let path = absolute(root).map_err(|error| disk::failure(&attempt, &error))?;
        let folder = match access {
            Access::ReadOnly => match Dir::open_ambient_dir(&path, ambient_authority()) {
                Err(error) if error.kind() == ErrorKind::NotFound => match link_to_nowhere(&path) {
                    Some(failure) => return Err(failure),
                    None => None,
                },
                Err(error) if error.kind() == ErrorKind::NotADirectory => return Err(not_a_folder(&path)),
                opened => Some(opened.map_err(|error| disk::failure(&attempt, &error))?),
            },
            Access::ReadWrite => {
                create_folder(&path)?;
                Some(
                    Dir::open_ambient_dir(&path, ambient_authority())
                        .map_err(|error| disk::failure(&attempt, &error))?,
                )
            }
        };
        let layout = disk_layout(layout);
        let mut root = Self {
            path,
            layout,
            traces,
            folder,
            work: None,
            lock: None,
            unflushed: Mutex::default(),
            durable: Mutex::default(),
            received: Mutex::default(),
            warnings: Arc::default(),
        };
        root.work = root.open_work(access)?;
        Ok(root)
    }

    fn open_work(&self, access: Access) -> Result<Option<WorkFolder>, Failure> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let at = DestinationFolder { folder, path: &self.path };
        WorkFolder::open(at, self.layout.work_folder(), access, &self.warnings)
    }

    /// Takes more of what the commit contains, for [`DiskLayout::begin`].
    pub(crate) fn receive_tree(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let mut write = || -> io::Result<()> {
            let own = self.own().map_err(io::Error::other)?;
            if received.is_none() {
                *received = Some(own.create(RECEIVED_TREE, FileMode::Private)?);
            }
            received.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
        };
        write().map_err(|error| self.failure("cannot write down what the commit contains", &error))
    }

    /// The first step of a run.
    pub(crate) fn begin(&self) -> Result<(), Failure> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner).take();
        let begun = self.layout.begin(self.writable()?, received);
        begun.map_err(|error| self.failure(&format!("cannot begin in {}", self.path.display()), &error))
    }

    /// Tries to take the folder's lock; says who holds it otherwise.
    pub(crate) fn try_lock(&mut self) -> Result<Option<String>, Failure> {
        let attempted = match Lock::attempt(self.own()?) {
            // The holder before us has tidied our folder away.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.work = self.open_work(Access::ReadWrite)?;
                Lock::attempt(self.own()?)
            }
            attempted => attempted,
        };
        match attempted {
            Ok(LockAttempt::Held(lock)) => {
                self.lock = Some(lock);
                // The same, but for what our lock in it has saved.
                self.work = self.open_work(Access::ReadWrite)?;
                Ok(None)
            }
            Ok(LockAttempt::Busy(holder)) => Ok(Some(holder)),
            Err(error) => {
                Err(disk::failure_on(&self.path, &format!("cannot lock {}", self.path.display()), &error))
            }
        }
    }

    /// Says in the lock, which is held, of which run this is. A lock without that word is one all the same.
    pub(crate) fn sign_lock(&self, run: Nonce) {
        if let Some(lock) = &self.lock {
            let _ = lock.sign(run);
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder in which the listed files stand at their paths. Where it is only looked at, there may be none.
    pub(crate) fn listed_files(&self) -> Result<Dir, Failure> {
        let below = self.layout.listed_below();
        let opened = self.folder.as_ref().map(|folder| folder.open_dir(below));
        opened.unwrap_or_else(|| Err(ErrorKind::NotFound.into())).map_err(|error| {
            let path: PathBuf = self.path.join(below).components().collect();
            match error.kind() {
                ErrorKind::NotFound => {
                    Failure::new(FailureKind::NotFound, format_args!("there is no folder {}", path.display()))
                }
                _ => disk::failure(&format!("cannot look into {}", path.display()), &error),
            }
        })
    }

    /// How it is known that a file is intact whose bytes have just been read.
    pub(crate) fn proof_by_name(&self, wanted: &Wanted) -> Proof {
        self.folder.as_ref().map_or(Proof::Read, |folder| self.layout.proof_by_name(folder, wanted))
    }

    pub(crate) fn layout(&self) -> &dyn DiskLayout {
        &*self.layout
    }

    /// Where the bytes of a wanted file stand.
    pub(crate) fn place_of<'a>(&self, wanted: &'a Wanted) -> Cow<'a, RepoPath> {
        self.layout.place_of(self.folder.as_ref(), wanted)
    }

    /// Where an older version of a wanted file stands, and which commit has it there.
    pub(crate) fn older_version(&self, wanted: &Wanted) -> Option<(RepoPath, Commit)> {
        self.layout.older_version(self.folder.as_ref()?, wanted)
    }

    /// What keeps a file from having its own name, where that is not its place.
    pub(crate) fn obstacle_of(&self, wanted: &Wanted) -> Option<Failure> {
        self.layout.obstacle(self.folder.as_ref()?, wanted)
    }

    /// The name of its own that a wanted file has not, where that is not its place.
    pub(crate) fn missing_name(&self, wanted: &Wanted) -> Option<String> {
        self.layout.missing_name(self.folder.as_ref()?, wanted)
    }

    /// The folder that this run has for itself: the root, or one in it.
    pub(crate) fn held(&self) -> PathBuf {
        self.layout.held().map_or_else(|| self.path.clone(), |below| self.path.join(below))
    }

    /// Whether it is to be told what else the commit contains.
    pub(crate) fn lacks_tree(&self) -> bool {
        self.folder.as_ref().is_some_and(|folder| self.layout.lacks_tree(folder))
    }

    pub(crate) fn traces(&self) -> Traces {
        self.traces
    }

    /// The folder as one that is written to. An error during a dry run, which has no use for it.
    pub(crate) fn writable(&self) -> Result<Writable<'_>, Failure> {
        let (Some(folder), Some(work)) = (&self.folder, &self.work) else { return Err(looked_only()) };
        Ok(Writable { folder, path: &self.path, work })
    }

    /// The folder of the lock and the records.
    pub(crate) fn own(&self) -> Result<&OwnFolder, Failure> {
        self.work.as_ref().map(WorkFolder::own).ok_or_else(looked_only)
    }

    /// The folder of parts.
    pub(crate) fn parts(&self) -> Result<&OwnFolder, Failure> {
        self.work.as_ref().map(WorkFolder::parts).ok_or_else(looked_only)
    }

    /// The names of the parts that are there of these digests.
    pub(crate) fn parts_of(&self, digests: Vec<Digest>) -> Vec<String> {
        self.work.as_ref().map(|work| work.parts_of(digests)).unwrap_or_default()
    }

    /// The digests of the parts that are there of other files than these, sorted.
    pub(crate) fn unwanted_parts(&self, wanted: &WantedFiles) -> Vec<Digest> {
        self.work.as_ref().map(|work| work.unwanted_parts(wanted)).unwrap_or_default()
    }

    /// Free bytes for this user on the folder's filesystem, or on that of its nearest ancestor; [`u64::MAX`] where it
    /// does not say.
    pub(crate) fn free(&self) -> u64 {
        self.space().bytes.unwrap_or(u64::MAX)
    }

    /// What is left on the folder's filesystem.
    pub(crate) fn space(&self) -> DiskSpace {
        disk::space(&self.path)
    }

    /// The failure of an attempt that concerns the disk.
    pub(crate) fn failure(&self, attempt: &str, error: &io::Error) -> Failure {
        disk::failure_on(&self.path, attempt, error)
    }

    /// The failure of an attempt to make, replace or remove what is at a path.
    pub(super) fn refusal(&self, attempt: &str, path: &str, error: &io::Error) -> Failure {
        match &self.folder {
            Some(folder) => DestinationFolder { folder, path: &self.path }.refusal(attempt, path, error),
            None => self.failure(attempt, error),
        }
    }

    /// What keeps files from being put into a folder of it, or into itself (`.`), as far as it shows.
    pub(crate) fn obstacle_in(&self, below: &str) -> Option<Obstacle> {
        let folder = self.folder.as_ref()?;
        let at = DestinationFolder { folder, path: &self.path };
        self.layout.held().and_then(|_| at.link_to(below)).or_else(|| at.obstacle_in(below))
    }

    /// What keeps a file that is there from being replaced, as far as it shows.
    pub(crate) fn obstacle_at(&self, path: &RepoPath) -> Option<Obstacle> {
        let folder = self.folder.as_ref()?;
        DestinationFolder { folder, path: &self.path }.obstacle_at(path.as_str())
    }

    /// What its disk turned out not to have, each once.
    pub(crate) fn take_warnings(&self) -> Vec<DiskWarning> {
        self.warnings.take()
    }

    /// What is at a path. A link inside the folder is followed; one that leads out is an obstacle.
    pub(crate) fn occupant(&self, path: &RepoPath) -> Occupant {
        if let Some(why) = system::name_obstacle(path) {
            return Occupant::Obstacle(Failure::new(FailureKind::InTheWay, format_args!("{path}: {why}")));
        }
        let Some(folder) = &self.folder else { return Occupant::Nothing };
        let metadata = match folder.metadata(path.as_str()) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => return Occupant::Nothing,
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                let detail = format_args!("a file stands where {path} needs a folder");
                return Occupant::Obstacle(Failure::new(FailureKind::InTheWay, detail));
            }
            Err(error) => {
                return Occupant::Obstacle(self.refusal(
                    &format!("cannot look at {path}"),
                    path.as_str(),
                    &error,
                ));
            }
        };
        if metadata.is_file() {
            return Occupant::File(disk::stamp(&metadata));
        }
        let what = if metadata.is_dir() { "a folder" } else { "no regular file" };
        let whose = if_anothers(&metadata);
        let detail = format_args!("{what} stands at {path}{whose}");
        Occupant::Obstacle(Failure::new(FailureKind::InTheWay, detail))
    }

    /// Opens a regular file for reading.
    pub(crate) fn read(&self, path: &RepoPath) -> io::Result<File> {
        let folder = self.folder.as_ref().ok_or(ErrorKind::NotFound)?;
        let file = system::open_below(folder, path.as_str())?;
        if file.metadata()?.is_file() {
            return Ok(file);
        }
        // It has come since it was looked at.
        Err(io::Error::new(ErrorKind::AlreadyExists, format!("no regular file stands at {path}")))
    }

    /// Makes a name in this folder survive a crash of the machine, and the names of the folders that it is in: they may
    /// be as new.
    pub(super) fn flush_name(&self, folder: &Dir, parent: Option<&str>) -> io::Result<()> {
        let durable = || self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        let mut flushed = Vec::new();
        let mut above = Some(parent.unwrap_or_default());
        while let Some(parent) = above {
            system::flush_folder(folder, if parent.is_empty() { "." } else { parent })?;
            if durable().contains(parent) {
                break;
            }
            flushed.push(parent.to_owned());
            above = folder_above(parent);
        }
        durable().extend(flushed);
        Ok(())
    }

    /// Remembers that a name was made in this folder, and says of how many folders it remembers that.
    pub(super) fn flush_name_later(&self, parent: Option<&str>) -> usize {
        let mut unflushed = self.unflushed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut above = Some(parent.unwrap_or_default());
        while let Some(parent) = above.filter(|parent| !unflushed.contains(*parent)) {
            unflushed.insert(parent.to_owned());
            above = folder_above(parent);
        }
        unflushed.len()
    }

    /// What [`Self::flush_name_later`] was told.
    pub(super) fn take_unflushed(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.unflushed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which of these names the disk can't tell apart, as far as it is to be known for them.
    pub(crate) fn folding(&self, wanted: &WantedFiles) -> Folding {
        let is_ascii = wanted.iter().all(|(_, file)| file.path.as_str().is_ascii());
        match (self.folds_case(), !is_ascii && self.folds_normalisation()) {
            (false, false) => Folding::Nothing,
            (true, false) => Folding::Case,
            (false, true) => Folding::Normalisation,
            (true, true) => Folding::CaseAndNormalisation,
        }
    }

    /// Whether it takes Unicode's two spellings of `é` for the same name: a file in our own folder tells. Where none can
    /// be made, it is taken for such a disk: a file that is refused does less harm than one that takes another's place.
    /// A dry run makes none; disks that fold case mostly fold this as well, and others hardly ever.
    fn folds_normalisation(&self) -> bool {
        if !self.is_ours() {
            return self.folds_case();
        }
        self.own().ok().and_then(|own| own.folds_normalisation().ok()).unwrap_or(true)
    }

    /// Whether the disk takes `a` and `A` for the same name: our own folder tells.
    fn folds_case(&self) -> bool {
        self.work.is_some()
            && self
                .folder
                .as_ref()
                .is_some_and(|folder| folder.exists(self.layout.work_folder().to_uppercase()))
    }

    /// Whether this run holds the lock, and so may write.
    pub(crate) fn is_ours(&self) -> bool {
        self.lock.is_some()
    }

    /// Whether a file in this state was left alone since before this run began. One that was changed in the same tick
    /// of the disk's clock might be changed again without looking any different.
    pub(crate) fn is_settled(&self, stamp: Stamp) -> bool {
        self.lock.as_ref().is_some_and(|lock| stamp.last_change() < lock.since)
    }
}

/// The folder that a folder of the root is in. None for the root itself.
fn folder_above(folder: &str) -> Option<&str> {
    (!folder.is_empty()).then(|| folder.rsplit_once('/').map_or("", |(above, _)| above))
}

fn looked_only() -> Failure {
    Failure::new(FailureKind::Protocol, "a dry run was asked to write")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_waited_for_a_folder_that_was_tidied_away_makes_it_anew() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            Root::open(folder.path().to_str().unwrap(), Access::ReadWrite, Layout::Bare, Traces::Keep)
                .expect("a folder opens")
        };
        let (mut first, mut second) = (open(), open());
        assert_eq!(first.try_lock().unwrap(), None);
        assert!(second.try_lock().unwrap().is_some(), "one at a time");
        first.writable().map(|at| at.work.remove(at.folder)).unwrap();
        drop(first);
        assert!(!folder.path().join(".cache").exists());
        assert_eq!(second.try_lock().unwrap(), None);
        second.parts().unwrap().dir().write("part", "bytes").unwrap();
        assert!(open().try_lock().unwrap().is_some(), "and it is locked for the others");
        assert!(folder.path().join(".cache/hfdown/parts/part").exists());
    }

    #[test]
    fn a_file_is_made_to_see_what_the_disk_folds_only_where_it_matters_and_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let open = |access| {
            Root::open(folder.path().to_str().unwrap(), access, Layout::Bare, Traces::Keep)
                .expect("a folder opens")
        };
        let mut locked = open(Access::ReadWrite);
        assert_eq!(locked.try_lock().unwrap(), None);
        let wanted = |path| {
            let digest = hfdown_protocol::Digest::GitSha1([0; 20]);
            let path = RepoPath::new(path).unwrap();
            WantedFiles::of([Wanted { id: hfdown_protocol::FileId(0), path, size: 1, digest }]).unwrap()
        };
        // It goes where another one is made.
        let left = folder.path().join(".cache/hfdown/probe-\u{e9}");
        std::fs::write(&left, "").unwrap();
        let dry = open(Access::ReadOnly);
        for (root, path, is_made) in
            [(&locked, "plain", false), (&dry, "\u{e9}", false), (&locked, "\u{e9}", true)]
        {
            let folding = root.folding(&wanted(path));
            assert_eq!(left.exists(), !is_made, "{path}");
            assert!(cfg!(not(target_os = "linux")) || folding == Folding::Nothing, "{folding:?}");
        }
    }
}
