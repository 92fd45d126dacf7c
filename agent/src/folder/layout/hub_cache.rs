//! The hub cache, as `huggingface_hub` 2.x writes and reads it: `models--org--name/{blobs, refs, snapshots, trees}`.
//!
//! The bytes of a file are in `blobs/<digest>`, and `snapshots/<commit>/<path>` is a relative link to it. Where there are no
//! links, a snapshot consists of files, and there are no blobs; a file that stands in a snapshot for itself is taken for
//! the place of its bytes everywhere. What is written when is chosen so that a reader never takes a snapshot for whole
//! that is not: first what the commit contains, by which `huggingface_hub` sees what is missing; then blob by blob and
//! each one's links; at last the reference.
//!
//! Blobs may themselves be links, into a store that repositories share. They are read through, and only ever replaced
//! as names.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cap_std::fs::Dir;
use hfdown_protocol::{
    Commit, DiskWarning, Failure, FailureKind, FileId, Proof, RepoPath, RepositoryFolder, Stamp, Symlinks,
    Wanted, WantedFiles,
};

use super::disk_layout::{Claim, Completeness, DiskLayout, PartNames};
use crate::disk;
use crate::folder::file_set::FileSet;
use crate::folder::hub_metadata;
use crate::folder::records::{Origin, Record, Records};
use crate::folder::work_folder::Writable;
use crate::hub_cache::{BLOBS, REFS, SNAPSHOTS, TREES, blob_below, locks_below, snapshot_below, tree_below};
use crate::own_folder::{MissingFolders, OwnFolder};
use crate::part::{ProvedPart, RenameFault};
use crate::system::{self, FileAccess, FileMode};

/// What the commit contains, while it is being received.
pub(crate) const RECEIVED_TREE: &str = "tree";
/// What is tried once, to see whether there are links.
const PROBE: &str = "link";
/// What a file in the cache is called before it has its name. It is in our own folder then: `huggingface_hub` minds every
/// name in its own.
const NEW: &str = "new";
/// Marks the cache for programs that make backups.
const TAG: &str = "CACHEDIR.TAG";
/// Who may use a lock, as `huggingface_hub` has it whatever the umask.
const LOCK: u32 = 0o664;
/// The longest reference that is believed: a commit.
const REFERENCE: u64 = 64;

/// What becomes of a file that stands where a link is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StandingFile {
    GivesWay,
    Stays,
}

/// One snapshot in a hub cache.
#[derive(Debug)]
pub(super) struct CachedSnapshot {
    repository: RepositoryFolder,
    work: String,
    snapshot: String,
    tree: String,
    revision: Option<RepoPath>,
    commit: Commit,
    /// Whether the snapshot consists of files.
    copies: AtomicBool,
    /// Whether names were made that a crash of the machine could still undo.
    is_changed: AtomicBool,
    /// Numbers links on their way to their names.
    links: AtomicU64,
}

impl CachedSnapshot {
    pub(super) fn new(
        repository: RepositoryFolder,
        revision: Option<RepoPath>,
        commit: Commit,
        symlinks: Symlinks,
    ) -> Self {
        Self {
            work: format!("{repository}/.hfdown"),
            snapshot: snapshot_below(&repository, &commit),
            tree: tree_below(&repository, &commit),
            repository,
            revision,
            commit,
            copies: AtomicBool::new(symlinks == Symlinks::Never),
            is_changed: AtomicBool::new(false),
            links: AtomicU64::new(0),
        }
    }

    fn copies(&self) -> bool {
        self.copies.load(Ordering::Relaxed)
    }

    fn in_snapshot(&self, wanted: &Wanted) -> String {
        format!("{}/{}", self.snapshot, wanted.path)
    }

    /// Makes the link of a file whose blob is there and right. A folder that stands there does not give way.
    fn link(&self, at: Writable<'_>, wanted: &Wanted, standing: StandingFile) -> io::Result<()> {
        let name = self.in_snapshot(wanted);
        let depth = wanted.path.as_str().matches('/').count() + 2;
        let target = format!("{}{BLOBS}/{}", "../".repeat(depth), wanted.digest);
        let leads_to =
            |target: &str| at.folder.read_link_contents(&name).is_ok_and(|there| there.as_os_str() == target);
        match at.folder.symlink_metadata(&name) {
            Ok(there) if there.is_symlink() && leads_to(&target) => return Ok(()),
            Ok(there) if there.is_symlink() => {}
            Ok(there) if there.is_dir() => {
                return Err(io::Error::new(ErrorKind::AlreadyExists, format!("a folder stands at {name}")));
            }
            Ok(_) if standing == StandingFile::Stays => return Ok(()),
            _ => {}
        }
        let own = at.work.own();
        let new = format!("{PROBE}-{}", self.links.fetch_add(1, Ordering::Relaxed));
        own.remove(&new)?;
        system::make_link(own.dir(), &target, &new)?;
        let linked = disk::within_folders(
            || own.dir().rename(&new, at.folder, &name),
            || name.rsplit_once('/').map_or(Ok(()), |(parent, _)| at.folder.create_dir_all(parent)),
        );
        if linked.is_err() {
            let _ = own.remove(&new);
        }
        self.is_changed.store(true, Ordering::Relaxed);
        linked
    }

    /// Whether a file is there, as its reader will find it.
    fn is_there(&self, at: Writable<'_>, wanted: &Wanted) -> bool {
        let there = at.folder.metadata(self.in_snapshot(wanted));
        there.is_ok_and(|there| there.is_file() && there.len() == wanted.size)
    }

    /// Makes the names in the snapshot survive a crash of the machine.
    fn flush(&self, at: Writable<'_>, wanted: &WantedFiles) -> io::Result<()> {
        if !self.is_changed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let mut folders: BTreeSet<&str> = BTreeSet::new();
        for (_, file) in wanted.iter() {
            let mut folder = file.path.parent();
            while let Some(path) = folder.filter(|path| folders.insert(path)) {
                folder = path.rsplit_once('/').map(|(above, _)| above);
            }
        }
        let below = folders.iter().rev().map(|folder| format!("{}/{folder}", self.snapshot));
        let repository = &self.repository;
        let [blobs, snapshots] = [BLOBS, SNAPSHOTS].map(|folder| format!("{repository}/{folder}"));
        let above = [self.snapshot.clone(), snapshots, blobs, repository.to_string(), ".".to_owned()];
        below.chain(above).try_for_each(|folder| match system::flush_folder(at.folder, &folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            flushed => flushed,
        })
    }

    /// Has the revision lead to the commit.
    fn refer(&self, at: Writable<'_>) -> io::Result<()> {
        let Some(revision) = &self.revision else { return Ok(()) };
        let folder = match revision.parent() {
            Some(parent) => format!("{}/{REFS}/{parent}", self.repository),
            None => format!("{}/{REFS}", self.repository),
        };
        let folder = OwnFolder::below(at.folder, &folder, MissingFolders::Make)?;
        let (name, commit) = (revision.file_name(), self.commit.as_str().as_bytes());
        if folder.read(name, REFERENCE)?.is_some_and(|there| there == commit) {
            return Ok(());
        }
        write_whole(at, commit, &folder, name)?;
        folder.flush()
    }

    /// Opens the lock that `huggingface_hub` holds while it fetches a blob.
    fn open_lock(&self, at: Writable<'_>, wanted: &Wanted) -> io::Result<File> {
        let locks = OwnFolder::below(at.folder, &locks_below(&self.repository), MissingFolders::Make)?;
        let name = format!("{}.lock", wanted.digest);
        match system::open_file(locks.dir(), &name, FileAccess::ReadWrite) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            opened => return opened,
        }
        match system::create_file(locks.dir(), &name, FileMode::Usual) {
            // Another program was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                system::open_file(locks.dir(), &name, FileAccess::ReadWrite)
            }
            created => {
                let file = created?;
                // Other users of the cache are to wait for it as well.
                let _ = system::set_mode(&file, LOCK);
                Ok(file)
            }
        }
    }
}

impl DiskLayout for CachedSnapshot {
    fn work_folder(&self) -> &str {
        &self.work
    }

    fn held(&self) -> Option<&str> {
        Some(self.repository.as_str())
    }

    fn place_of<'a>(&self, folder: Option<&Dir>, wanted: &'a Wanted) -> Cow<'a, RepoPath> {
        let name = self.in_snapshot(wanted);
        let there = folder.and_then(|folder| folder.symlink_metadata(&name).ok());
        let stands_for_itself = there.map_or_else(|| self.copies(), |there| !there.is_symlink());
        let place = if stands_for_itself { name } else { blob_below(&self.repository, wanted.digest) };
        // Too long for a place are names in a snapshot alone: they are told as what stands in the way.
        RepoPath::new(place).map_or(Cow::Borrowed(&wanted.path), Cow::Owned)
    }

    fn obstacle(&self, folder: &Dir, wanted: &Wanted) -> Option<Failure> {
        let name = self.in_snapshot(wanted);
        let in_the_way = |detail: String| Some(Failure::new(FailureKind::InTheWay, detail));
        if RepoPath::new(&*name).is_err() {
            return in_the_way(format!("{} is too long for a snapshot in the hub cache", wanted.path));
        }
        match folder.symlink_metadata(&name) {
            Ok(there) if there.is_dir() => in_the_way(format!("a folder stands at {name}")),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                in_the_way(format!("a file stands where {name} needs a folder"))
            }
            _ => None,
        }
    }

    fn listed_below(&self) -> &str {
        &self.snapshot
    }

    fn proof_by_name(&self, folder: &Dir, wanted: &Wanted) -> Proof {
        let place = self.place_of(Some(folder), wanted);
        let there = |name: &str| folder.metadata(name).ok().map(|there| disk::stamp(&there));
        match (there(&self.in_snapshot(wanted)), there(place.as_str())) {
            (None, _) => Proof::Unnamed,
            (Some(named), Some(placed)) if named == placed => Proof::Read,
            (Some(_), _) => Proof::Misnamed,
        }
    }

    fn parts(&self, wanted: &WantedFiles) -> PartNames {
        if self.copies() { PartNames::one_per_file(wanted) } else { PartNames::one_per_digest() }
    }

    fn prepare(&self, at: Writable<'_>) -> io::Result<()> {
        let own = at.work.own();
        if !self.copies() {
            own.remove(PROBE)?;
            match system::make_link(own.dir(), PROBE, PROBE) {
                Err(error) if system::stops_all(&error) => return Err(error),
                Err(_) => {
                    self.copies.store(true, Ordering::Relaxed);
                    own.warnings().note(DiskWarning::NoLinks);
                }
                Ok(()) => own.remove(PROBE)?,
            }
        }
        let cache = OwnFolder::new(".".to_owned(), at.folder.try_clone()?);
        if !cache.has_file(TAG) {
            // A courtesy, also where the cache is one that others keep.
            match write_whole(at, hub_metadata::TAG.as_bytes(), &cache, TAG) {
                Err(error) if system::stops_all(&error) => return Err(error),
                _ => {}
            }
        }
        // Without it, a repository's folder is none to `huggingface_hub`.
        for folder in [BLOBS, SNAPSHOTS] {
            OwnFolder::below(at.folder, &format!("{}/{folder}", self.repository), MissingFolders::Make)?;
        }
        Ok(())
    }

    fn lacks_tree(&self, folder: &Dir) -> bool {
        !folder.metadata(&self.tree).is_ok_and(|there| there.is_file() && there.len() > 0)
    }

    fn begin(&self, at: Writable<'_>) -> io::Result<()> {
        let own = at.work.own();
        if !own.has_file(RECEIVED_TREE) {
            return Ok(());
        }
        let trees =
            OwnFolder::below(at.folder, &format!("{}/{TREES}", self.repository), MissingFolders::Make)?;
        own.dir().rename(RECEIVED_TREE, trees.dir(), format!("{}.json", self.commit))
    }

    fn claim(&self, at: Writable<'_>, wanted: &Wanted) -> io::Result<Claim> {
        // It saves a second download, and nothing depends on it: what can't be locked is fetched without.
        let lock = match self.open_lock(at, wanted) {
            Err(error) if system::stops_all(&error) => return Err(error),
            Err(_) => return Ok(Claim::Ours(None)),
            Ok(lock) => lock,
        };
        Ok(match lock.try_lock() {
            Ok(()) => Claim::Ours(Some(lock)),
            Err(std::fs::TryLockError::WouldBlock) => Claim::Busy,
            Err(std::fs::TryLockError::Error(_)) => Claim::Ours(None),
        })
    }

    fn shared_place(&self, wanted: &Wanted) -> Option<RepoPath> {
        (!self.copies()).then(|| RepoPath::new(blob_below(&self.repository, wanted.digest)).ok()).flatten()
    }

    fn place(&self, at: Writable<'_>, part: &ProvedPart, wanted: &Wanted) -> Result<Stamp, RenameFault> {
        let Some(blob) = self.shared_place(wanted) else {
            self.is_changed.store(true, Ordering::Relaxed);
            return part.rename(at.work.parts(), at.folder, &self.place_of(Some(at.folder), wanted));
        };
        let stamp = part.rename(at.work.parts(), at.folder, &blob)?;
        self.link(at, wanted, StandingFile::GivesWay)?;
        Ok(stamp)
    }

    fn name(&self, at: Writable<'_>, wanted: &Wanted) -> io::Result<()> {
        self.link(at, wanted, StandingFile::GivesWay)
    }

    /// Other snapshots may have links to it, so it is never extraneous.
    fn remember(
        &self,
        at: Writable<'_>,
        records: &mut Records,
        wanted: &Wanted,
        record: Record,
    ) -> io::Result<()> {
        let place = self.place_of(Some(at.folder), wanted).into_owned();
        records.insert(at.work.own(), place, Record { origin: Origin::Seen, ..record })
    }

    fn forget(&self, _at: Writable<'_>, _path: &RepoPath) -> io::Result<()> {
        Ok(())
    }

    fn complete(
        &self,
        at: Writable<'_>,
        wanted: &WantedFiles,
        intact: &FileSet,
        completeness: Completeness,
    ) -> io::Result<()> {
        let mut is_whole = completeness == Completeness::Whole;
        // Of names that a disk can't tell apart the first one gets the place.
        let ids = (0..u32::try_from(wanted.len()).unwrap_or(u32::MAX)).map(FileId);
        for id in ids.rev().filter(|id| intact.contains(*id)) {
            let Some(file) = wanted.get(id) else { continue };
            self.link(at, &file.wanted(id), StandingFile::Stays)?;
        }
        self.flush(at, wanted)?;
        for (id, file) in wanted.iter() {
            is_whole = is_whole && self.is_there(at, &file.wanted(id));
        }
        if is_whole { self.refer(at) } else { Ok(()) }
    }

    /// A part is wanted by this snapshot or by none.
    fn tidy(&self, at: Writable<'_>, records: &mut Records, resumable: &HashSet<String>) -> io::Result<()> {
        at.work.sweep_parts(resumable);
        records.save(at.work.own())
    }
}

/// Gives a file in the cache this content, as a whole or not at all.
fn write_whole(at: Writable<'_>, content: &[u8], folder: &OwnFolder, name: &str) -> io::Result<()> {
    let own = at.work.own();
    own.create(NEW, FileMode::Usual)?.write_all(content)?;
    own.dir().rename(NEW, folder.dir(), name)
}
