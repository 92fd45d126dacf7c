//! What of a repository is wanted. Pure: a listing goes in, and every file of it comes out as wanted or left out.
//!
//! A wanted file knows its name in the repository and the path that it is placed at; nothing behind this room asks how
//! it was chosen. A file that is left out is not extraneous: it may well be in the folder, and `--delete` leaves it
//! there.
//!
//! [`Globs`] decide by a file's name alone, as `huggingface_hub` does; [`WantedQuantisations`] look at the listing first.
//! They combine in [`Criteria`]: what every one of them wants is wanted. A further kind becomes a file of this room and a
//! field there. All of it goes over the names a few times, and never over names times names; [`WantedFiles::chosen`] keeps
//! which files of the listing are chosen.

mod contents;
mod criteria;
mod duplicates;
mod glob;
mod glob_token;
mod globs;
mod nearest;
mod quantisation;
mod quantisations;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use hfdown_protocol::{FileId, FileRow, FileTable, RepoPath, WantedFiles};

pub use self::contents::Contents;
pub use self::criteria::{Criteria, GlobShare, NothingSelected, SelectionNote};
pub use self::duplicates::{Duplicates, WeightFormat};
pub use self::glob::{Glob, GlobError, escaped};
pub use self::globs::Globs;
pub(crate) use self::nearest::nearest;
pub use self::quantisation::Quantisation;
pub use self::quantisations::{
    MissingShards, NoQuantisation, Projectors, QuantisationFiles, WantedQuantisations,
};
use crate::hub::{ListedFile, Listing, RefusalReason, Refused};

/// Which files of a repository are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    Everything,
    /// Those that these criteria choose.
    Some(Criteria),
    /// One, placed under a name of the user's.
    File {
        /// Its name in the repository, as it was typed.
        name: String,
        /// Where it is placed, relative to the destination folder.
        placed_as: RepoPath,
    },
}

/// A listing, sorted into what is wanted and what is not. Of either it has no copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    listing: Arc<Listing>,
    /// The wanted files, in the listing's order and by where they are placed. Their paths are unique, and none lies
    /// below another.
    pub wanted: WantedFiles,
    /// What the one wanted file is called in the repository, where it is placed under another name.
    pub listed_as: Option<RepoPath>,
    /// What is listed and wanted, and no file can be made of.
    pub refused: Vec<Refused>,
    /// What is worth knowing of the choice.
    pub notes: Vec<SelectionNote>,
}

/// How much of a repository is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Portion {
    /// How many files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// How many there are.
    pub of_files: usize,
    /// The bytes of these.
    pub of_bytes: u64,
}

/// Why a selection can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// The named file is not listed.
    #[error("there is no such file in this version of the repository")]
    NotListed {
        /// The names that are most like it.
        nearest: Vec<String>,
    },
    /// No file is chosen.
    #[error("nothing is selected")]
    Nothing(NothingSelected),
    /// The named file is listed under a name that no file may have.
    #[error("the Hub lists it, but no file may have that name")]
    RefusedName,
    /// The named file is listed in a way that no file can be made of.
    #[error(transparent)]
    Refused(RefusalReason),
}

impl Selection {
    /// Sorts a listing.
    pub fn apply(&self, listing: &Arc<Listing>) -> Result<Selected, SelectionError> {
        let whole = Arc::clone(listing);
        match self {
            Self::Everything => {
                let (wanted, refused) =
                    (WantedFiles::all(Arc::clone(&listing.files)), listing.refused.clone());
                Ok(Selected { listing: whole, wanted, listed_as: None, refused, notes: Vec::new() })
            }
            Self::Some(criteria) => {
                let files = listing.files.iter().map(|file| (file.path.as_str(), file.size));
                let choice = criteria.choose(&files).map_err(SelectionError::Nothing)?;
                let wanted = WantedFiles::chosen(&listing.files, |file| choice.wants(file.path.as_str()));
                let refused =
                    listing.refused.iter().filter(|refused| choice.wants(&refused.name)).cloned().collect();
                Ok(Selected { listing: whole, wanted, listed_as: None, refused, notes: choice.notes })
            }
            Self::File { name, placed_as } => {
                let Some(listed) = listing.files.iter().find(|file| file.path.as_str() == name) else {
                    let refused = listing.refused.iter().find(|refused| refused.name == *name);
                    return Err(refused.map_or_else(
                        || SelectionError::not_listed(name, listing),
                        |refused| refused.reason.into(),
                    ));
                };
                let placed = FileTable::of_one(FileRow { path: placed_as.view(), ..listed });
                let (wanted, listed_as) = (WantedFiles::all(Arc::new(placed)), Some(listed.path.to_path()));
                Ok(Selected { listing: whole, wanted, listed_as, refused: Vec::new(), notes: Vec::new() })
            }
        }
    }
}

impl SelectionError {
    fn not_listed(name: &str, listing: &Listing) -> Self {
        let paths = listing.files.iter().map(|file| file.path.as_str());
        Self::NotListed { nearest: nearest::nearest(&Glob::new(&glob::escaped(name)), paths) }
    }
}

impl From<RefusalReason> for SelectionError {
    fn from(reason: RefusalReason) -> Self {
        if reason.is_of_the_name() { Self::RefusedName } else { Self::Refused(reason) }
    }
}

impl Selection {
    /// The words that say it on a command line.
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::Some(criteria) => criteria.words(),
            Self::Everything | Self::File { .. } => Vec::new(),
        }
    }

    /// The words that say the same of one quantisation alone.
    pub fn words_for(&self, quantisation: &Quantisation) -> Vec<String> {
        let (globs, projectors) = match self {
            Self::Some(Criteria { globs, quantisations }) => {
                let projectors = quantisations.as_ref().map(|wanted| wanted.projectors);
                (globs.clone(), projectors.unwrap_or(Projectors::LeftOut))
            }
            Self::Everything | Self::File { .. } => (Globs::default(), Projectors::LeftOut),
        };
        let quantisations = vec![quantisation.clone()];
        Criteria { globs, quantisations: Some(WantedQuantisations { quantisations, projectors }) }.words()
    }
}

impl Selected {
    /// The listing that it was made of.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// The size of the wanted files together, in bytes.
    pub fn total(&self) -> u64 {
        self.wanted.total()
    }

    /// How much of the repository they are.
    pub fn portion(&self) -> Portion {
        let (files, bytes) = (self.wanted.len(), self.total());
        Portion { files, bytes, of_files: self.listing.files.len(), of_bytes: self.listing.total() }
    }

    /// How many files are not wanted.
    pub fn left_out(&self) -> usize {
        self.listing.files.len() - self.wanted.len()
    }

    /// The size of these, in bytes.
    pub fn left_out_bytes(&self) -> u64 {
        self.listing.total() - self.total()
    }

    /// A wanted file as the repository lists it.
    pub fn listed(&self, id: FileId) -> Option<ListedFile> {
        let placed = ListedFile::from(self.wanted.get(id)?);
        Some(match &self.listed_as {
            Some(path) => ListedFile { path: path.clone(), ..placed },
            None => placed,
        })
    }
}
