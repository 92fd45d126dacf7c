//! Other snapshots of a repository in the hub cache, in which an older version of a file may be.

use std::cmp::Reverse;
use std::time::SystemTime;

use cap_std::fs::Dir;
use hfdown_protocol::{Commit, RepoPath, RepositoryFolder, limits};

use crate::cache_place::{REFS, SNAPSHOTS, snapshot_below};

/// The most snapshots that are looked into, the latest first.
const MOST: usize = 16;
/// The most that are looked at to find those.
const MOST_NAMES: usize = 1024;

/// Where the latest other snapshot has a file with this path, and which commit that is of: the one that the reference leads
/// to, if it has one.
pub(super) fn other_version(
    folder: &Dir,
    repository: &RepositoryFolder,
    revision: Option<&RepoPath>,
    commit: &Commit,
    path: &RepoPath,
) -> Option<(RepoPath, Commit)> {
    let referred = revision.and_then(|revision| referred(folder, repository, revision));
    let commits = referred.into_iter().chain(latest(folder, repository));
    let places = commits.filter(|other| other != commit).filter_map(|other| {
        let place = RepoPath::new(format!("{}/{path}", snapshot_below(repository, &other))).ok()?;
        Some((place, other))
    });
    let mut there =
        places.filter(|(place, _)| folder.metadata(place.as_str()).is_ok_and(|there| there.is_file()));
    there.next()
}

/// What a reference leads to.
fn referred(folder: &Dir, repository: &RepositoryFolder, revision: &RepoPath) -> Option<Commit> {
    let name = format!("{repository}/{REFS}/{revision}");
    let there = folder.symlink_metadata(&name).ok()?;
    if !there.is_file() || there.len() > limits::PATH as u64 {
        return None;
    }
    Commit::new(folder.read_to_string(name).ok()?.trim()).ok()
}

/// The snapshots that are there, the latest first.
fn latest(folder: &Dir, repository: &RepositoryFolder) -> impl Iterator<Item = Commit> + use<> {
    let names = folder.read_dir(format!("{repository}/{SNAPSHOTS}")).into_iter().flatten().flatten();
    let mut found: Vec<(SystemTime, Commit)> = names
        .take(MOST_NAMES)
        .filter_map(|entry| {
            let commit = Commit::new(entry.file_name().to_str()?).ok()?;
            Some((entry.metadata().ok()?.modified().ok()?.into_std(), commit))
        })
        .collect();
    found.sort_by_key(|(modified, _)| Reverse(*modified));
    found.into_iter().take(MOST).map(|(_, commit)| commit)
}
