//! The names of revisions: `refs/main`, `refs/refs/pr/1`, each a file that names a commit.

use std::io::{self, Read as _};

use cap_std::fs::Dir;

use super::flaw::CacheFlaw;
use crate::cache_place::REFS;
use crate::system::{self, FileAccess};

/// More than a commit has digits.
const LONGEST: u64 = 256;
/// The most folders in one another that are looked into.
const DEEPEST: usize = 32;

/// A ref, and the commit that it names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CachedRef {
    pub(super) name: String,
    pub(super) commit: String,
}

/// What is known of a repository's refs.
#[derive(Debug, Default)]
pub(super) struct Refs {
    pub(super) refs: Vec<CachedRef>,
    /// Whether one may have been overlooked.
    pub(super) is_uncertain: bool,
}

/// Reads all refs of a repository.
pub(super) fn read(folder: &Dir, repository: &str, flaws: &mut Vec<CacheFlaw>) -> Refs {
    let mut found = Refs::default();
    match system::open_folder(folder, REFS) {
        Ok(refs) => collect(&refs, &format!("{repository}/{REFS}"), "", &mut found, flaws),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            found.is_uncertain = true;
            flaws.push(CacheFlaw::unreadable(format!("{repository}/{REFS}"), &error));
        }
    }
    found.refs.sort_unstable();
    found
}

fn collect(folder: &Dir, place: &str, prefix: &str, found: &mut Refs, flaws: &mut Vec<CacheFlaw>) {
    let entries = match folder.entries() {
        Ok(entries) => entries,
        Err(error) => {
            found.is_uncertain = true;
            flaws.push(CacheFlaw::unreadable(place, &error));
            return;
        }
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.is_uncertain = true;
                flaws.push(CacheFlaw::unreadable(place, &error));
                continue;
            }
        };
        let file_name = entry.file_name();
        let place = format!("{place}/{}", file_name.to_string_lossy());
        let read = match (file_name.to_str(), entry.file_type()) {
            (Some(name), _) if super::scan::is_of_the_system(name) => continue,
            (Some(name), Ok(kind)) if kind.is_dir() => {
                let name = format!("{prefix}{name}/");
                match system::open_folder(folder, name[prefix.len()..].trim_end_matches('/')) {
                    Ok(below) if name.matches('/').count() < DEEPEST => {
                        collect(&below, &place, &name, found, flaws);
                        continue;
                    }
                    Ok(_) => Err(io::ErrorKind::Unsupported.into()),
                    Err(error) => Err(error),
                }
            }
            (Some(name), Ok(kind)) if kind.is_file() => {
                commit_in(folder, name).map(|commit| CachedRef { name: format!("{prefix}{name}"), commit })
            }
            _ => {
                found.is_uncertain = true;
                flaws.push(CacheFlaw::unexpected(place));
                continue;
            }
        };
        match read {
            Ok(read) => found.refs.push(read),
            Err(error) => {
                found.is_uncertain = true;
                flaws.push(CacheFlaw::unreadable(place, &error));
            }
        }
    }
}

/// What a ref names. `hf` writes nothing but the commit; others end the line.
fn commit_in(folder: &Dir, name: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    system::open_file(folder, name, FileAccess::Read)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}
