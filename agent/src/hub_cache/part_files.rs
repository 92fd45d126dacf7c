//! Parts of files that cut-off runs of hfdown left in a repository's folder, for later ones to go on from.

use cap_std::fs::Dir;

use super::blob_table::BlobName;
use super::repository_scan::{Amount, CachedRepository};
use crate::cache_place::OWN;
use crate::part;
use crate::system;

/// The parts, in there.
pub(super) const PARTS: &str = "parts";
/// The end of a journal's name.
const JOURNAL: &str = ".journal";

/// A part, with its journal and what else belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartFile {
    /// What it is called: the digest of its file.
    pub(super) name: String,
    /// All files of it, and their sizes.
    pub(super) files: Vec<(String, u64)>,
}

impl PartFile {
    /// Those in a repository's folder.
    pub(super) fn all_of(repository: &Dir) -> Vec<Self> {
        let parts = system::open_folder(repository, OWN).and_then(|own| system::open_folder(&own, PARTS));
        let entries = parts.ok().and_then(|parts| parts.entries().ok());
        let mut files: Vec<(String, u64)> = entries
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let metadata = entry.metadata().ok().filter(cap_std::fs::Metadata::is_file)?;
                Some((entry.file_name().into_string().ok()?, metadata.len()))
            })
            .collect();
        files.sort_unstable();
        let mut parts: Vec<Self> = Vec::new();
        for (file, size) in files {
            let name = part::of_entry(&file).to_owned();
            match parts.last_mut().filter(|part| part.name == name) {
                Some(part) => part.files.push((file, size)),
                None => parts.push(Self { name, files: vec![(file, size)] }),
            }
        }
        parts
    }

    pub(super) fn amount(&self) -> Amount {
        self.files.iter().map(|(_, size)| *size).collect()
    }

    /// Whether no run goes on from it.
    pub(super) fn is_useless(&self, repository: &CachedRepository) -> bool {
        let has = |wanted: &str| self.files.iter().any(|(file, _)| file == wanted);
        let is_whole = has(&self.name) && has(&format!("{}{JOURNAL}", self.name));
        !is_whole || repository.blobs.find(&BlobName::new(&self.name)).is_some()
    }
}
