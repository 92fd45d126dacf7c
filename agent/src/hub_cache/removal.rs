//! What was planned to go, removed: refs first, then snapshots, then blobs, so that whatever ends the program in the
//! middle of it, no ref leads to a snapshot that is not whole, and no link to a blob that is missing.
//!
//! A snapshot goes in one step: it is moved into hfdown's own folder, and removed there. Everything is looked at again
//! once the repository's lock is held, as minutes may have passed since it was planned.

use std::io::{self, ErrorKind};

use cap_std::fs::Dir;
use tokio_util::sync::CancellationToken;

use super::blob_table::{Blob, BlobPayload};
use super::busy::{BlobLock, RepositoryLock, attempt, locks_of};
use super::cache_folder::HubCache;
use super::part_files::PARTS;
use super::removal_plan::{CacheLeftovers, RemovalPlan, RemovalScope, RepositoryRemoval};
use super::remove_tree::{gone, remove_tree};
use super::repository_scan::{self, Amount, CachedRepository};
use super::shared_sweep::sweep;
use crate::cache_place::{BLOBS, LOCKS, OWN, REFS, SNAPSHOTS, TREES};
use crate::folder::LOCK;
use crate::system;

/// What a snapshot is called in our own folder, on its way out.
pub(super) const GOING: &str = "removed";

/// Why something was not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemovalFault {
    /// Another program is at work there.
    #[error("it is in use ({holder})")]
    Held {
        /// Which.
        holder: String,
    },
    /// It is not what it was when it was planned.
    #[error("it has changed since: there are other revisions now")]
    Changed,
    /// The disk said no.
    #[error("{attempt}")]
    Failed {
        /// What was attempted.
        attempt: String,
        /// What it said.
        #[source]
        error: io::Error,
    },
    /// The user wants to stop.
    #[error("cancelled")]
    Cancelled,
}

impl RemovalFault {
    pub(super) fn failed(attempt: String, error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::Interrupted => Self::Cancelled,
            _ => Self::Failed { attempt, error },
        }
    }
}

impl HubCache {
    /// Whether runs are under way in any of these repositories, which are left as they are: the first that has one.
    pub fn check_free(&self, plan: &RemovalPlan) -> Result<(), (String, RemovalFault)> {
        for removal in &plan.repositories {
            let checked = system::open_folder(&self.root, &removal.folder)
                .map_err(|error| RemovalFault::failed(format!("cannot open {}", removal.folder), error))
                .and_then(|opened| {
                    RepositoryLock::take(self, &removal.folder, &opened).map(|lock| lock.leave(&opened))
                });
            checked.map_err(|fault| (removal.id.to_string(), fault))?;
        }
        Ok(())
    }

    /// Removes what was planned of one repository. Gives back what that has freed.
    pub fn remove(
        &self,
        planned: &RepositoryRemoval,
        stop: &CancellationToken,
    ) -> Result<Amount, RemovalFault> {
        let name = &planned.folder;
        let opening = |error| RemovalFault::failed(format!("cannot open {name}"), error);
        let folder = system::open_folder(&self.root, name).map_err(opening)?;
        let lock = RepositoryLock::take(self, name, &folder)?;
        let removed = RemovalRun { cache: self, folder: &folder, lock: &lock, stop }.carry_out(planned);
        lock.leave(&folder);
        // It goes where nothing is left in it, and stays otherwise.
        let _ = self.root.remove_dir(name);
        removed
    }

    /// Removes those files of the shared store to which no repository has a link any more. Gives back what that has
    /// freed.
    pub fn sweep(&self, plan: &RemovalPlan, stop: &CancellationToken) -> Result<Amount, RemovalFault> {
        sweep(self, &plan.sweep, stop)
            .map_err(|error| RemovalFault::failed("cannot tidy the shared blobs".to_owned(), error))
    }
}

/// A removal under way, in a repository whose lock is held.
struct RemovalRun<'a> {
    cache: &'a HubCache,
    folder: &'a Dir,
    lock: &'a RepositoryLock,
    stop: &'a CancellationToken,
}

impl RemovalRun<'_> {
    fn carry_out(&self, planned: &RepositoryRemoval) -> Result<Amount, RemovalFault> {
        let name = &planned.folder;
        let looking = |error| RemovalFault::failed(format!("cannot look at {name}"), error);
        let mut flaws = Vec::new();
        let repository =
            repository_scan::scan(self.cache, planned.id.clone(), name, &mut flaws).map_err(looking)?;
        let is_planned = |commit: &String| planned.revisions.iter().any(|(planned, _)| planned == commit);
        let is_whole = planned.scope == RemovalScope::Whole;
        if is_whole && !repository.revisions.iter().all(|revision| is_planned(&revision.commit)) {
            return Err(RemovalFault::Changed);
        }
        let now = RepositoryRemoval::new(&repository, planned.scope.clone());
        let gets_ref = |(commit, refs): &(String, Vec<String>)| {
            let before = planned.revisions.iter().find(|(planned, _)| planned == commit);
            before.is_none_or(|(_, before)| refs.iter().any(|name| !before.contains(name)))
        };
        // What has got a name since is wanted.
        if now.revisions.iter().any(gets_ref) {
            return Err(RemovalFault::Changed);
        }
        self.remove_refs(&repository, &now)?;
        for (commit, _) in &now.revisions {
            self.remove_snapshot(commit)?;
        }
        let mut freed = now.revisions.iter().fold(Amount::default(), |freed, (commit, _)| {
            let gone = repository.revisions.iter().find(|revision| revision.commit == *commit);
            freed + gone.map(|revision| revision.copies).unwrap_or_default()
        });
        for blob in now.blobs(&repository) {
            self.check_stop()?;
            freed = freed + self.remove_blob(name, blob)?;
        }
        freed = freed + self.remove_leftovers(&repository, &planned.scope)?;
        if is_whole || self.is_empty() {
            self.remove_rest(name)?;
        }
        Ok(freed)
    }

    fn check_stop(&self) -> Result<(), RemovalFault> {
        if self.stop.is_cancelled() { Err(RemovalFault::Cancelled) } else { Ok(()) }
    }

    /// Removes the names of the revisions, and where no revision stays also those of none.
    fn remove_refs(
        &self,
        repository: &CachedRepository,
        now: &RepositoryRemoval,
    ) -> Result<(), RemovalFault> {
        let is_last = now.revisions.len() == repository.revisions.len();
        let dangling = repository.dangling_refs.iter().filter(|_| is_last).map(|named| &named.name);
        for name in now.revisions.iter().flat_map(|(_, refs)| refs).chain(dangling) {
            self.check_stop()?;
            let path = format!("{REFS}/{name}");
            gone(self.folder.remove_file(&path)).map_err(|error| {
                RemovalFault::failed(format!("cannot remove {}/{path}", now.folder), error)
            })?;
            // Folders that are empty now; others stay.
            let mut above = path.rsplit_once('/');
            while let Some((folder, _)) = above.filter(|(folder, _)| self.folder.remove_dir(folder).is_ok()) {
                above = folder.rsplit_once('/');
            }
        }
        Ok(())
    }

    fn remove_snapshot(&self, commit: &str) -> Result<(), RemovalFault> {
        self.check_stop()?;
        let path = format!("{SNAPSHOTS}/{commit}");
        let failed = |error| RemovalFault::failed(format!("cannot remove {path}"), error);
        let own = self.lock.own.dir();
        let removed = remove_tree(own, GOING, self.stop).and_then(|()| {
            match self.folder.rename(&path, own, GOING) {
                Ok(()) => remove_tree(own, GOING, self.stop),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                // A mount, or a disk that moves no folders.
                Err(_) => remove_tree(&system::open_folder(self.folder, SNAPSHOTS)?, commit, self.stop),
            }
        });
        removed.map_err(failed)?;
        let _ = self.folder.remove_dir(SNAPSHOTS);
        // What is known of the revision beside its files. It is of no use without them, and of no harm.
        let _ = self.folder.remove_file(format!("trees/{commit}.json"));
        let _ = self.folder.remove_dir(TREES);
        if let Ok(absent) = system::open_folder(self.folder, ".no_exist") {
            let _ = remove_tree(&absent, commit, self.stop);
            let _ = self.folder.remove_dir(".no_exist");
        }
        Ok(())
    }

    /// Removes a blob, unless `hf` has it in its hands. One in the shared store is a link, which goes.
    fn remove_blob(&self, repository: &str, blob: &Blob) -> Result<Amount, RemovalFault> {
        let name = blob.name.to_string();
        let path = format!("{BLOBS}/{name}");
        let failed = |error| RemovalFault::failed(format!("cannot remove {repository}/{path}"), error);
        let locks = locks_of(self.cache, repository).map_err(failed)?;
        let lock = locks.map(|locks| attempt(&locks, &name)).transpose().map_err(failed)?;
        if let Some(BlobLock::Held) = lock {
            return Err(RemovalFault::Held { holder: format!("hf, by its lock on {name}") });
        }
        gone(self.folder.remove_file(&path)).map_err(failed)?;
        let bytes = if blob.payload == BlobPayload::Own { blob.size } else { 0 };
        Ok(Amount { files: 1, bytes })
    }

    fn remove_leftovers(
        &self,
        repository: &CachedRepository,
        scope: &RemovalScope,
    ) -> Result<Amount, RemovalFault> {
        let leftovers = match scope {
            RemovalScope::Whole => CacheLeftovers::All,
            RemovalScope::Some { leftovers, .. } => *leftovers,
        };
        if leftovers == CacheLeftovers::Keep {
            return Ok(Amount::default());
        }
        let failed = |error| RemovalFault::failed("cannot remove what a run left".to_owned(), error);
        let mut freed = Amount::default();
        let locks = locks_of(self.cache, &repository.folder).map_err(failed)?;
        for (name, size) in &repository.blobs.incomplete {
            self.check_stop()?;
            // The blob's name ends at the first dot that does not begin it.
            let blob = name.trim_start_matches('.').split('.').next().unwrap_or_default();
            let lock = locks.as_ref().map(|locks| attempt(locks, blob)).transpose().map_err(failed)?;
            let is_free = match lock {
                Some(BlobLock::Held) => false,
                // `hf` makes the lock first: where there is none, no run is writing.
                Some(BlobLock::Free { .. }) | None => true,
                // A disk without locks. There it is for time to tell.
                Some(BlobLock::Unknown) => is_old(self.folder, &format!("{BLOBS}/{name}")),
            };
            if is_free {
                gone(self.folder.remove_file(format!("{BLOBS}/{name}"))).map_err(failed)?;
                freed = freed + Amount { files: 1, bytes: *size };
            }
        }
        let own = self.lock.own.dir();
        if let Ok(parts) = system::open_folder(own, PARTS) {
            let goes = |part: &&super::part_files::PartFile| {
                leftovers == CacheLeftovers::All || part.is_useless(repository)
            };
            for (name, size) in repository.part_files.iter().filter(goes).flat_map(|part| &part.files) {
                gone(parts.remove_file(name)).map_err(failed)?;
                freed = freed + Amount { files: 1, bytes: *size };
            }
        }
        remove_tree(own, GOING, self.stop).map_err(failed)?;
        Ok(freed)
    }

    /// Whether nothing is left that a run could use.
    fn is_empty(&self) -> bool {
        let is_empty = |dir: &Dir, name: &str| match system::open_folder(dir, name) {
            Ok(folder) => folder.entries().is_ok_and(|mut entries| entries.next().is_none()),
            Err(error) => error.kind() == ErrorKind::NotFound,
        };
        [REFS, SNAPSHOTS, BLOBS].iter().all(|name| is_empty(self.folder, name))
            && is_empty(self.lock.own.dir(), PARTS)
    }

    /// Removes whatever else is in the repository's folder, the locks on its blobs, and our own folder, whose lock is held
    /// to the end.
    fn remove_rest(&self, name: &str) -> Result<(), RemovalFault> {
        let failed = |error| RemovalFault::failed(format!("cannot remove {name}"), error);
        for entry in self.folder.entries().map_err(failed)? {
            let file_name = entry.map_err(failed)?.file_name();
            match file_name.to_str() {
                Some(OWN) => {}
                Some(name) => remove_tree(self.folder, name, self.stop).map_err(failed)?,
                None => self.folder.remove_dir_all(&file_name).map_err(failed)?,
            }
        }
        if let Ok(locks) = system::open_folder(&self.cache.root, LOCKS) {
            // None of them was held. To a run that begins just now they are as good as new ones.
            let _ = remove_tree(&locks, name, self.stop);
        }
        let own = self.lock.own.dir();
        for entry in own.entries().map_err(failed)?.flatten() {
            let file_name = entry.file_name();
            if let Some(name) = file_name.to_str().filter(|name| *name != LOCK) {
                remove_tree(own, name, self.stop).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// Whether a file has not been written to for so long that no run is at it.
fn is_old(folder: &Dir, path: &str) -> bool {
    const LONG: std::time::Duration = std::time::Duration::from_secs(3_600);
    let Ok(metadata) = folder.symlink_metadata(path) else { return false };
    let modified = metadata.modified().ok().map(cap_std::time::SystemTime::into_std);
    modified.and_then(|modified| modified.elapsed().ok()).is_some_and(|since| since > LONG)
}
