//! The hub cache, as `huggingface_hub` 2.x writes and reads it: `models--org--name/{blobs, refs, snapshots, trees}`.
//!
//! The bytes of a file are in `blobs/<digest>`, and `snapshots/<commit>/<path>` is a relative link to it. Where there are no
//! links, a snapshot consists of files, and there are no blobs; a file that stands in a snapshot for itself is taken for
//! the place of its bytes everywhere. What is written when is chosen so that a reader never takes a snapshot for whole
//! that is not: first what the commit contains, by which `huggingface_hub` sees what is missing (a controller sends none of
//! a very long listing); then blob by blob and each one's links; at last the reference.
//!
//! Blobs may themselves be links, into a store that repositories share. They are read through, and only ever replaced
//! as names.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cap_std::fs::Dir;
use hfdown_protocol::{
    Commit, DiskWarning, Failure, FailureKind, FileId, Proof, Provenance, RepoPath, RepositoryFolder, Stamp,
    Symlinks, Wanted, WantedFiles,
};

use super::blob_lock;
use super::cache_files::{self, NEW, write_whole};
use super::disk_layout::{Claim, Completeness, DiskLayout, PartNames};
use super::snapshots;
use crate::cache_place::{BLOBS, SNAPSHOTS, TREES, blob_below, own_below, snapshot_below, tree_below};
use crate::disk;
use crate::folder::file_set::FileSet;
use crate::folder::hub_metadata;
use crate::folder::records::{Origin, Record, Records};
use crate::folder::work_folder::{DestinationFolder, Writable};
use crate::own_folder::{MissingFolders, OwnFolder};
use crate::part::{ProvedPart, RenameFault};
use crate::system;

/// What the commit contains, while it is being received.
pub(crate) const RECEIVED_TREE: &str = "tree";
/// Under this name a link is tried once, to see whether there are any; with a number behind it, one is made for its place.
const PROBE: &str = "link";
/// Marks the cache for programs that make backups.
const TAG: &str = "CACHEDIR.TAG";

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
            work: own_below(&repository),
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

    /// What the link of a file leads to.
    fn target(wanted: &Wanted) -> String {
        let depth = wanted.path.as_str().matches('/').count() + 2;
        format!("{}{BLOBS}/{}", "../".repeat(depth), wanted.digest)
    }

    /// Makes the link of a file whose blob is there and right, where there are links. A folder that stands there does not
    /// give way, and no link on the way to it is followed.
    fn link(&self, at: Writable<'_>, wanted: &Wanted, standing: StandingFile) -> io::Result<()> {
        let name = self.in_snapshot(wanted);
        match at.folder.symlink_metadata(&name) {
            Ok(there) if there.is_dir() => {
                return Err(io::Error::new(ErrorKind::AlreadyExists, format!("a folder stands at {name}")));
            }
            Ok(there) if !there.is_symlink() && standing == StandingFile::Stays => return Ok(()),
            _ if self.copies() || leads_to(at.folder, &name, &Self::target(wanted)) => return Ok(()),
            _ => {}
        }
        let (folder, link) = name.rsplit_once('/').unwrap_or((".", &name));
        let folder = OwnFolder::below(at.folder, folder, MissingFolders::Make)?;
        let own = at.work.own();
        let new = format!("{PROBE}-{}", self.links.fetch_add(1, Ordering::Relaxed));
        own.remove(&new)?;
        system::make_link(own.dir(), &Self::target(wanted), &new)?;
        self.is_changed.store(true, Ordering::Relaxed);
        own.dir().rename(&new, folder.dir(), link).inspect_err(|_| {
            let _ = own.remove(&new);
        })
    }

    /// Gives a file its name whose bytes were found right, unless they have gone since. The outer error ends the run.
    fn keep(&self, at: Writable<'_>, wanted: &Wanted) -> io::Result<Result<(), Failure>> {
        let place = self.place_of(Some(at.folder), wanted);
        let there = at.folder.metadata(place.as_str());
        if !there.is_ok_and(|there| there.is_file() && there.len() == wanted.size) {
            let detail = format_args!(
                "another program has removed or changed {} meanwhile: the same command fetches it again",
                wanted.path
            );
            return Ok(Err(Failure::new(FailureKind::ChangedMeanwhile, detail)));
        }
        match self.link(at, wanted, StandingFile::Stays) {
            Err(error) if system::stops_all(&error) => Err(error),
            linked => Ok(linked.map_err(|error| {
                let attempt = format!("cannot give {} its name in the snapshot", wanted.path);
                let destination = DestinationFolder { folder: at.folder, path: at.path };
                destination.refusal(&attempt, &self.in_snapshot(wanted), &error)
            })),
        }
    }

    /// Whether a file is there, as its reader will find it.
    fn is_there(&self, at: Writable<'_>, wanted: &Wanted) -> bool {
        let there = at.folder.metadata(self.in_snapshot(wanted));
        there.is_ok_and(|there| there.is_file() && there.len() == wanted.size)
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

    fn unrecorded(&self, place: &RepoPath) -> Provenance {
        let below = place.as_str().strip_prefix(self.repository.as_str());
        let is_blob = below.and_then(|below| below.strip_prefix('/')?.strip_prefix(BLOBS)?.strip_prefix('/'));
        if is_blob.is_some() { Provenance::Cached } else { Provenance::Foreign }
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

    fn missing_name(&self, folder: &Dir, wanted: &Wanted) -> Option<String> {
        let name = self.in_snapshot(wanted);
        let has_it = folder
            .symlink_metadata(&name)
            .is_ok_and(|there| !there.is_symlink() || leads_to(folder, &name, &Self::target(wanted)));
        (!has_it).then_some(name)
    }

    fn older_version(&self, folder: &Dir, wanted: &Wanted) -> Option<(RepoPath, Commit)> {
        let revision = self.revision.as_ref();
        snapshots::other_version(folder, &self.repository, revision, &self.commit, &wanted.path)
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
        // What a run has left that was killed, of this commit or another one.
        for name in own.entries().filter_map(|entry| entry.file_name().into_string().ok()) {
            if [RECEIVED_TREE, NEW].contains(&&*name) || name.starts_with(PROBE) {
                own.remove(&name)?;
            }
        }
        if !self.copies() {
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

    fn begin(&self, at: Writable<'_>, tree: Option<File>) -> io::Result<()> {
        let Some(tree) = tree else { return Ok(()) };
        let own = at.work.own();
        own.flush_file(&tree)?;
        let trees =
            OwnFolder::below(at.folder, &format!("{}/{TREES}", self.repository), MissingFolders::Make)?;
        own.dir().rename(RECEIVED_TREE, trees.dir(), format!("{}.json", self.commit))
    }

    fn claim(&self, at: Writable<'_>, wanted: &Wanted) -> io::Result<Claim> {
        blob_lock::take(at.folder, &self.repository, wanted)
    }

    fn shared_place(&self, wanted: &Wanted) -> Option<RepoPath> {
        (!self.copies()).then(|| RepoPath::new(blob_below(&self.repository, wanted.digest)).ok()).flatten()
    }

    fn place(&self, at: Writable<'_>, part: &ProvedPart, wanted: &Wanted) -> Result<Stamp, RenameFault> {
        self.is_changed.store(true, Ordering::Relaxed);
        let place = self.shared_place(wanted).map(Cow::Owned);
        let place = place.unwrap_or_else(|| self.place_of(Some(at.folder), wanted));
        part.rename(at.work.parts(), at.folder, &place)
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
    ) -> io::Result<Option<Failure>> {
        let mut is_whole = completeness == Completeness::Whole;
        let mut first = None;
        // Of names that a disk can't tell apart the first one gets the place.
        let ids = (0..u32::try_from(wanted.len()).unwrap_or(u32::MAX)).map(FileId);
        for id in ids.rev().filter(|id| intact.contains(*id)) {
            let Some(file) = wanted.get(id) else { continue };
            if let Err(failure) = self.keep(at, &file.wanted(id))? {
                first = Some(failure);
            }
        }
        if self.is_changed.swap(false, Ordering::Relaxed) {
            cache_files::flush_names(at, &self.repository, &self.snapshot, wanted)?;
        }
        is_whole &= first.is_none();
        for (id, file) in wanted.iter() {
            is_whole = is_whole && self.is_there(at, &file.wanted(id));
        }
        if let (true, Some(revision)) = (is_whole, &self.revision) {
            cache_files::refer(at, &self.repository, revision, &self.commit)?;
        }
        Ok(first)
    }

    /// A part is wanted by this snapshot or by none.
    fn tidy(&self, at: Writable<'_>, records: &mut Records, resumable: &HashSet<String>) -> io::Result<()> {
        at.work.sweep_parts(resumable);
        records.save(at.work.own())
    }
}

/// Whether a link is there with this target, to the letter.
fn leads_to(folder: &Dir, link: &str, target: &str) -> bool {
    folder.read_link_contents(link).is_ok_and(|there| there.as_os_str() == target)
}

#[cfg(test)]
#[path = "hub_cache_tests.rs"]
mod tests;
