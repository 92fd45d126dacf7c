//! The files of a snapshot, one after the other. Links are read, and never followed.

use std::io;
use std::path::Path;

use cap_std::fs::{Dir, Metadata};

use super::blob_table::BlobName;
use super::cache_folder::HubCache;
use super::scan::is_of_the_system;
use crate::cache_place::{BLOBS, SNAPSHOTS};
use crate::system;

/// The most folders in one another that are looked into: each is held open meanwhile.
const DEEPEST: usize = 64;
/// The most links that lead from one file of a snapshot to the next.
const MOST_LINKS: usize = 8;

/// A file of a snapshot, as it lies there.
#[derive(Debug)]
pub(super) enum SnapshotFile {
    /// A link to a blob of its repository, which may be missing.
    Blob(BlobName),
    /// A file of its own, as where the disk has no links.
    Copy(Metadata),
    /// A link to something else, or what is neither a link nor a file.
    Elsewhere,
    /// It can't be looked at.
    Unreadable(io::Error),
}

/// Where a snapshot is.
#[derive(Debug, Clone, Copy)]
pub(super) struct SnapshotPlace<'a> {
    pub(super) cache: &'a HubCache,
    /// Its repository's folder.
    pub(super) repository: &'a str,
    pub(super) commit: &'a str,
}

/// Calls `visit` with the path in the snapshot of each file, and what it is.
pub(super) fn walk(place: SnapshotPlace<'_>, snapshot: &Dir, visit: &mut impl FnMut(&str, SnapshotFile)) {
    let folders = vec![place.repository, SNAPSHOTS, place.commit];
    let mut path = String::new();
    descend(place, snapshot, &mut folders.into_iter().map(str::to_owned).collect(), &mut path, visit);
}

fn descend(
    place: SnapshotPlace<'_>,
    folder: &Dir,
    folders: &mut Vec<String>,
    path: &mut String,
    visit: &mut impl FnMut(&str, SnapshotFile),
) {
    let entries = match folder.entries() {
        Ok(entries) => entries,
        Err(error) => return visit(path.trim_end_matches('/'), SnapshotFile::Unreadable(error)),
    };
    for entry in entries {
        let length = path.len();
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                visit(path.trim_end_matches('/'), SnapshotFile::Unreadable(error));
                return;
            }
        };
        let file_name = entry.file_name();
        let Some(name) = file_name.to_str() else {
            visit(&format!("{path}{}", file_name.to_string_lossy()), SnapshotFile::Elsewhere);
            continue;
        };
        if length == 0 && is_of_the_system(name) {
            continue;
        }
        path.push_str(name);
        match entry.file_type() {
            Ok(kind) if kind.is_symlink() => {
                let file = match folder.read_link_contents(name) {
                    Ok(target) => leads_to(place, folders, &target),
                    Err(error) => SnapshotFile::Unreadable(error),
                };
                visit(path, file);
            }
            Ok(kind) if kind.is_dir() => match system::open_folder(folder, name) {
                Ok(below) if folders.len() < DEEPEST => {
                    path.push('/');
                    folders.push(name.to_owned());
                    descend(place, &below, folders, path, visit);
                    folders.pop();
                }
                Ok(_) => visit(path, SnapshotFile::Unreadable(io::ErrorKind::Unsupported.into())),
                Err(error) => visit(path, SnapshotFile::Unreadable(error)),
            },
            Ok(kind) if kind.is_file() => {
                visit(path, entry.metadata().map_or_else(SnapshotFile::Unreadable, SnapshotFile::Copy));
            }
            Ok(_) => visit(path, SnapshotFile::Elsewhere),
            Err(error) => visit(path, SnapshotFile::Unreadable(error)),
        }
        path.truncate(length);
    }
}

/// The blob that a link leads to: at once, or by way of other files of the repository's snapshots.
fn leads_to(place: SnapshotPlace<'_>, folders: &[String], target: &Path) -> SnapshotFile {
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    let mut names = place.cache.target_of(&folders, target);
    for _ in 0..MOST_LINKS {
        match names.as_deref() {
            Some([repository, folder, name]) if repository == place.repository && folder == BLOBS => {
                return SnapshotFile::Blob(BlobName::new(name));
            }
            Some([repository, folder, .., _]) if repository == place.repository && folder == SNAPSHOTS => {}
            _ => break,
        }
        let Some(file) = names.take() else { break };
        let Ok(target) = place.cache.root.read_link_contents(file.join("/")) else { break };
        let above: Vec<&str> = file[..file.len() - 1].iter().map(String::as_str).collect();
        names = place.cache.target_of(&above, &target);
    }
    SnapshotFile::Elsewhere
}
