//! What is in a repository's `blobs/`.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use cap_std::fs::{Dir, Metadata};
use hfdown_protocol::Digest;

use super::cache_folder::HubCache;
use super::flaw::CacheFlaw;
use super::repository_scan::Amount;
use super::shared_store::StoredHash;
use crate::cache_place::BLOBS;

/// What `hf` calls a file on its way, after the blob's name.
const INCOMPLETE: &str = ".incomplete";
/// The end of the name of a link that `hf` is about to put in a blob's place.
const NEW_LINK: &str = ".shared";

/// A blob's name: mostly what its digest should be, in a fifth of the room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BlobName {
    Digest(Digest),
    /// What a server that is not the Hub has as the file's `ETag`.
    Other(Box<str>),
}

/// A blob.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    pub(super) name: BlobName,
    pub(super) size: u64,
    /// Nanoseconds since the Unix epoch.
    accessed: i64,
    modified: i64,
    pub(super) payload: BlobPayload,
}

/// Where a blob's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BlobPayload {
    Own,
    /// In the store that the repositories of the cache share.
    Shared(Box<StoredHash>),
    /// The blob is a link to another place in the cache.
    Linked,
    /// The blob is a link to nothing.
    Missing,
}

/// All blobs of a repository, by name.
#[derive(Debug, Default)]
pub(super) struct BlobTable {
    blobs: Vec<Blob>,
    /// What cut-off runs of `hf` left: names, and sizes.
    pub(super) incomplete: Vec<(String, u64)>,
}

impl BlobName {
    pub(super) fn new(name: &str) -> Self {
        let digest = match name.len() {
            64 => Digest::sha256(name).ok(),
            40 => Digest::git_sha1(name).ok(),
            _ => None,
        };
        match digest {
            // Both cases are digits; the other one is another name.
            Some(digest) if !name.bytes().any(|byte| byte.is_ascii_uppercase()) => Self::Digest(digest),
            _ => Self::Other(name.into()),
        }
    }
}

impl BlobName {
    /// Whether it is a blob's, and not that of something which another program keeps beside it, with an ending.
    pub(super) fn is_plain(&self) -> bool {
        match self {
            Self::Digest(_) => true,
            Self::Other(name) => !name.contains('.'),
        }
    }
}

impl std::fmt::Display for BlobName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Digest(digest) => digest.fmt(formatter),
            Self::Other(name) => formatter.write_str(name),
        }
    }
}

impl Blob {
    pub(super) fn accessed(&self) -> SystemTime {
        time(self.accessed)
    }

    pub(super) fn modified(&self) -> SystemTime {
        time(self.modified)
    }
}

impl BlobTable {
    /// Reads the folder `blobs` of a repository.
    pub(super) fn read(
        cache: &HubCache,
        repository: &str,
        blobs: &Dir,
        flaws: &mut Vec<CacheFlaw>,
    ) -> io::Result<Self> {
        let mut table = Self::default();
        for entry in blobs.entries()? {
            let entry = entry?;
            let file_name = entry.file_name();
            let place = || format!("{repository}/blobs/{}", file_name.to_string_lossy());
            let (Some(name), Ok(kind)) = (file_name.to_str(), entry.file_type()) else {
                flaws.push(CacheFlaw::unexpected(place()));
                continue;
            };
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // It has gone since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    flaws.push(CacheFlaw::unreadable(place(), &error));
                    continue;
                }
            };
            if name.ends_with(INCOMPLETE) || name.starts_with('.') && name.ends_with(NEW_LINK) {
                table.incomplete.push((name.to_owned(), if kind.is_file() { metadata.len() } else { 0 }));
            } else if kind.is_file() {
                table.blobs.push(blob(name, &metadata, BlobPayload::Own));
            } else if kind.is_symlink() {
                let target = blobs.read_link_contents(name).unwrap_or_default();
                table.blobs.push(linked(cache, repository, name, &target, &metadata));
            } else {
                flaws.push(CacheFlaw::unexpected(place()));
            }
        }
        table.blobs.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        table.incomplete.sort_unstable();
        Ok(table)
    }

    pub(super) fn find(&self, name: &BlobName) -> Option<usize> {
        self.blobs.binary_search_by(|blob| blob.name.cmp(name)).ok()
    }

    pub(super) fn get(&self, index: usize) -> &Blob {
        &self.blobs[index]
    }

    pub(super) fn len(&self) -> usize {
        self.blobs.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Blob> {
        self.blobs.iter()
    }

    pub(super) fn incomplete(&self) -> Amount {
        self.incomplete.iter().map(|(_, size)| *size).collect()
    }
}

/// A blob that is a link. What it leads to is looked at through the cache's folder, which it can't lead out of.
fn linked(cache: &HubCache, repository: &str, name: &str, target: &Path, own: &Metadata) -> Blob {
    let names = cache.target_of(&[repository, BLOBS], target);
    let payload = match names.as_deref().and_then(StoredHash::of_path) {
        Some(hash) => BlobPayload::Shared(Box::new(hash)),
        None => BlobPayload::Linked,
    };
    match names.map(|names| cache.root.metadata(names.join("/"))) {
        Some(Ok(metadata)) if metadata.is_file() => blob(name, &metadata, payload),
        _ => Blob { size: 0, ..blob(name, own, BlobPayload::Missing) },
    }
}

fn blob(name: &str, metadata: &Metadata, payload: BlobPayload) -> Blob {
    let nanoseconds = |time: io::Result<cap_std::time::SystemTime>| {
        let since = time.ok().and_then(|time| time.into_std().duration_since(SystemTime::UNIX_EPOCH).ok());
        since.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or_default()
    };
    Blob {
        name: BlobName::new(name),
        size: metadata.len(),
        accessed: nanoseconds(metadata.accessed()),
        modified: nanoseconds(metadata.modified()),
        payload,
    }
}

fn time(nanoseconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds.unsigned_abs())
}
