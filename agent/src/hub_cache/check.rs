//! Whether the blobs of the cache are what their names say, and the snapshots have what their listings say. Everything is
//! read, on all cores, and each blob once, however many files are links to it.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, ErrorKind, Read as _};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use hfdown_protocol::Digest;
use tokio_util::sync::CancellationToken;

use super::blob_table::{BlobName, BlobPayload};
use super::cache_folder::HubCache;
use super::repository_scan::{CachedRepository, CachedRevision};
use super::scan::CacheScan;
use super::snapshot_walk::{SnapshotFile, SnapshotPlace, walk};
use crate::cache_place::{BLOBS, SNAPSHOTS, TREES};
use crate::hasher::Hasher;
use crate::machine;
use crate::os_error::in_words;
use crate::system::{self, FileAccess};

const READ: usize = 256 << 10;
/// The largest listing of a revision that is read: a million files.
const LARGEST_TREE: u64 = 512 << 20;

/// What a revision's files are, by their paths, where its listing is kept beside it.
pub type TreeListing = HashMap<String, Digest>;
/// Reads such a listing, which is JSON: that is the controller's to do.
pub type ParseTree = fn(&[u8]) -> Option<TreeListing>;

/// A file of a revision, and how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedFile {
    /// Its path in the repository.
    pub path: String,
    /// How it is.
    pub state: CachedFileState,
}

/// How a file of the cache is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CachedFileState {
    /// Its content is what its digest says.
    Right,
    /// Its content is something else.
    Wrong {
        /// What it should be.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// There is a link and no content, or content and no link.
    Missing {
        /// Which of them.
        what: MissingPiece,
    },
    /// It can't be read.
    Unreadable {
        /// Why.
        why: String,
    },
    /// Nothing says what it should be.
    Unknown,
}

/// What of a file is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingPiece {
    /// Its blob.
    Blob,
    /// Its place in the snapshot. Its blob is there, or a part of it.
    Link,
}

/// A revision that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRevision {
    /// The repository's number in the scan.
    pub repository: usize,
    /// The commit.
    pub commit: String,
    /// Its files.
    pub files: Vec<CachedFile>,
    /// How many files the repository lists that are not in the snapshot, and of which there is no trace: a selection may
    /// have left them out.
    pub left_out: usize,
}

/// What is read: a blob of a repository, or a file of a snapshot that is no link.
struct BlobReading {
    path: String,
    expected: Digest,
    size: u64,
}

/// What reading a file came to.
type ReadResult = Result<Digest, String>;

/// How a file's state is found.
enum FileContent {
    Known(CachedFileState),
    /// By what was read.
    Read(usize),
}

impl HubCache {
    /// Reads and compares all files of these revisions, which are numbers of repositories and of revisions in them. `progress` is told how many bytes were read, and of how many.
    /// None when told to stop.
    pub fn verify(
        &self,
        scan: &CacheScan,
        revisions: &[(usize, usize)],
        parse: ParseTree,
        progress: &(dyn Fn(u64, u64) + Sync),
        stop: &CancellationToken,
    ) -> Option<Vec<CheckedRevision>> {
        let (mut readings, mut found) = (Vec::new(), Vec::new());
        let mut blobs: BTreeMap<usize, BTreeMap<usize, usize>> = BTreeMap::new();
        for (index, at) in revisions {
            let repository = &scan.repositories[*index];
            let revision = &repository.revisions[*at];
            let tree = self.tree(repository, revision, parse);
            let blobs = blobs.entry(*index).or_default();
            let checked = self.look(repository, revision, tree, blobs, &mut readings);
            found.push((*index, revision.commit.clone(), checked));
        }
        let read = self.read_all(&readings, progress, stop)?;
        let conclude = |content: FileContent| match content {
            FileContent::Known(state) => state,
            FileContent::Read(at) => {
                let expected = readings[at].expected;
                match &read[at] {
                    Ok(digest) if *digest == expected => CachedFileState::Right,
                    Ok(digest) => CachedFileState::Wrong { expected, found: *digest },
                    Err(why) => CachedFileState::Unreadable { why: why.clone() },
                }
            }
        };
        let checked = found.into_iter().map(|(repository, commit, (files, left_out))| {
            let file = |(path, content)| CachedFile { path, state: conclude(content) };
            CheckedRevision { repository, commit, files: files.into_iter().map(file).collect(), left_out }
        });
        Some(checked.collect())
    }

    /// The listing of a revision, where it is kept and can be read.
    fn tree(
        &self,
        repository: &CachedRepository,
        revision: &CachedRevision,
        parse: ParseTree,
    ) -> Option<TreeListing> {
        let folder = system::open_folder(&self.root, &repository.folder).ok()?;
        let trees = system::open_folder(&folder, TREES).ok()?;
        let name = format!("{}.json", revision.commit);
        let file = system::open_file(&trees, &name, FileAccess::Read).ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(LARGEST_TREE).read_to_end(&mut bytes).ok()?;
        parse(&bytes)
    }

    /// What is to be read of a revision, and what is known of its files without that.
    fn look(
        &self,
        repository: &CachedRepository,
        revision: &CachedRevision,
        mut tree: Option<TreeListing>,
        blobs: &mut BTreeMap<usize, usize>,
        readings: &mut Vec<BlobReading>,
    ) -> (Vec<(String, FileContent)>, usize) {
        let mut files = Vec::new();
        let place = format!("{}/{SNAPSHOTS}/{}", repository.folder, revision.commit);
        let folder = system::open_folder(&self.root, &repository.folder)
            .and_then(|folder| system::open_folder(&folder, SNAPSHOTS))
            .and_then(|snapshots| system::open_folder(&snapshots, &revision.commit));
        let at = SnapshotPlace { cache: self, repository: &repository.folder, commit: &revision.commit };
        let mut visit = |path: &str, file: SnapshotFile| {
            let listed = tree.as_mut().and_then(|tree| tree.remove(path));
            let content = match file {
                SnapshotFile::Blob(name) => blob_content(repository, &name, listed, blobs, readings),
                SnapshotFile::Copy(metadata) => match listed {
                    None => FileContent::Known(CachedFileState::Unknown),
                    Some(expected) => {
                        let path = format!("{place}/{path}");
                        readings.push(BlobReading { path, expected, size: metadata.len() });
                        FileContent::Read(readings.len() - 1)
                    }
                },
                SnapshotFile::Elsewhere => {
                    let why = "it leads to no blob of its repository".to_owned();
                    FileContent::Known(CachedFileState::Unreadable { why })
                }
                SnapshotFile::Unreadable(error) => FileContent::Known(unreadable(&error)),
            };
            files.push((path.to_owned(), content));
        };
        match folder {
            Ok(folder) => walk(at, &folder, &mut visit),
            Err(error) => visit("", SnapshotFile::Unreadable(error)),
        }
        let (mut left_out, mut missing) = (0, Vec::new());
        for (path, digest) in tree.into_iter().flatten() {
            if repository.has_trace_of(digest) {
                let state = CachedFileState::Missing { what: MissingPiece::Link };
                missing.push((path, FileContent::Known(state)));
            } else {
                left_out += 1;
            }
        }
        files.extend(missing);
        files.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        (files, left_out)
    }

    /// Reads everything on all cores. None when told to stop.
    fn read_all(
        &self,
        readings: &[BlobReading],
        progress: &(dyn Fn(u64, u64) + Sync),
        stop: &CancellationToken,
    ) -> Option<Vec<ReadResult>> {
        let mut order: Vec<usize> = (0..readings.len()).collect();
        // The largest first: then no core is left alone with one at the end.
        order.sort_unstable_by_key(|at| std::cmp::Reverse(readings[*at].size));
        let of = readings.iter().map(|reading| reading.size).sum();
        let (next, read) = (AtomicUsize::new(0), AtomicU64::new(0));
        let results = Mutex::new(vec![Err(String::new()); readings.len()]);
        let tick = |bytes: usize| {
            let before = read.fetch_add(bytes as u64, Ordering::Relaxed);
            progress(before + bytes as u64, of);
        };
        let reader = || {
            let mut buffer = vec![0; READ];
            while let Some(at) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                let result = self.read(&readings[*at], &mut buffer, &tick, stop);
                let result = result.map_err(|error| in_words(&error.to_string()));
                results.lock().unwrap_or_else(PoisonError::into_inner)[*at] = result;
            }
        };
        std::thread::scope(|scope| {
            let others = machine::cpus().min(readings.len()).saturating_sub(1);
            // As many as the system grants: this thread reads as well.
            let start = || std::thread::Builder::new().spawn_scoped(scope, reader);
            let others: Vec<_> = (0..others).map_while(|_| start().ok()).collect();
            reader();
            drop(others);
        });
        (!stop.is_cancelled()).then(|| results.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// The digest of a file. It may be a link into the shared store, which leads nowhere else.
    fn read(
        &self,
        reading: &BlobReading,
        buffer: &mut [u8],
        tick: &impl Fn(usize),
        stop: &CancellationToken,
    ) -> io::Result<Digest> {
        let mut file = system::open_below(&self.root, &reading.path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
        }
        let mut hasher = Hasher::like(reading.expected, metadata.len());
        loop {
            if stop.is_cancelled() {
                return Err(ErrorKind::Interrupted.into());
            }
            match file.read(buffer)? {
                0 => return Ok(hasher.finish()),
                read => {
                    hasher.update(&buffer[..read]);
                    tick(read);
                }
            }
        }
    }
}

/// How the content of a blob is found. A blob is read once.
fn blob_content(
    repository: &CachedRepository,
    name: &BlobName,
    listed: Option<Digest>,
    blobs: &mut BTreeMap<usize, usize>,
    readings: &mut Vec<BlobReading>,
) -> FileContent {
    let found = repository
        .blobs
        .find(name)
        .filter(|index| repository.blobs.get(*index).payload != BlobPayload::Missing);
    let Some(index) = found else {
        return FileContent::Known(CachedFileState::Missing { what: MissingPiece::Blob });
    };
    let expected = match (name, listed) {
        // A link to another file's blob.
        (BlobName::Digest(found), Some(expected)) if *found != expected => {
            return FileContent::Known(CachedFileState::Wrong { expected, found: *found });
        }
        (BlobName::Digest(digest), _) => *digest,
        (BlobName::Other(_), Some(expected)) => expected,
        (BlobName::Other(_), None) => return FileContent::Known(CachedFileState::Unknown),
    };
    let at = *blobs.entry(index).or_insert_with(|| {
        let path = format!("{}/{BLOBS}/{name}", repository.folder);
        readings.push(BlobReading { path, expected, size: repository.blobs.get(index).size });
        readings.len() - 1
    });
    FileContent::Read(at)
}

fn unreadable(error: &io::Error) -> CachedFileState {
    CachedFileState::Unreadable { why: in_words(&error.to_string()) }
}
