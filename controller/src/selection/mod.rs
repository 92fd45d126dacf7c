//! What of a repository is wanted. Pure: a listing goes in, and every file of it comes out as wanted or left out.
//!
//! A wanted file knows its name in the repository and the path that it is placed at; nothing behind this room asks how
//! it was chosen. A file that is left out is not extraneous: it may well be in the folder, and `--delete` leaves it
//! there.
//!
//! Further kinds each become a file of this room and an arm of [`Selection::apply`]: `--include` and `--exclude` (a
//! `Globs` with `huggingface_hub`'s fnmatch, which decides by the name alone), and `--quant` (which first groups the
//! listing by quantisation, so that all shards of one come along, and says what there is where none matches). They
//! combine: what every one of them wants is wanted.

#[cfg(test)]
mod tests;

use std::fmt;

use hfdown_protocol::RepoPath;

use crate::hub::{ListedFile, Listing, RefusalReason, Refused};

/// Which files of a repository are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    Everything,
    /// One, placed under a name of the user's.
    File {
        /// Its name in the repository, as it was typed.
        name: String,
        /// Where it is placed, relative to the destination folder.
        placed_as: RepoPath,
    },
}

/// A listing, sorted into what is wanted and what is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// The wanted files, in the listing's order. Their paths are unique, and none lies below another.
    pub wanted: Vec<SelectedFile>,
    /// The others.
    pub left_out: Vec<ListedFile>,
    /// What is listed and wanted, and no file can be made of.
    pub refused: Vec<Refused>,
}

/// A wanted file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectedFile {
    /// The file as the repository lists it.
    pub listed: ListedFile,
    /// Where it is placed, where that is not its path in the repository.
    pub placed_as: Option<RepoPath>,
}

/// Why a selection can't be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// The named file is not listed.
    #[error("there is no such file in this version of the repository")]
    NotListed,
    /// The named file is listed under a name that no file may have.
    #[error("the Hub lists it, but no file may have that name")]
    RefusedName,
    /// The named file is listed in a way that no file can be made of.
    #[error(transparent)]
    Refused(RefusalReason),
}

impl Selection {
    /// Sorts a listing.
    pub fn apply(&self, listing: &Listing) -> Result<Selected, SelectionError> {
        match self {
            Self::Everything => {
                let wanted = listing.files.iter().cloned().map(SelectedFile::from).collect();
                Ok(Selected { wanted, left_out: Vec::new(), refused: listing.refused.clone() })
            }
            Self::File { name, placed_as } => {
                let (named, left_out): (Vec<_>, _) =
                    listing.files.iter().cloned().partition(|file| file.path.as_str() == name);
                let Some(listed) = named.into_iter().next() else {
                    let refused = listing.refused.iter().find(|refused| refused.name == *name);
                    return Err(refused.map_or(SelectionError::NotListed, |refused| refused.reason.into()));
                };
                let wanted = vec![SelectedFile { listed, placed_as: Some(placed_as.clone()) }];
                Ok(Selected { wanted, left_out, refused: Vec::new() })
            }
        }
    }
}

impl From<RefusalReason> for SelectionError {
    fn from(reason: RefusalReason) -> Self {
        if reason.is_of_the_name() { Self::RefusedName } else { Self::Refused(reason) }
    }
}

impl fmt::Display for Selection {
    /// What is wanted, for errors.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => formatter.write_str("files"),
            Self::File { name, .. } => formatter.write_str(name),
        }
    }
}

impl Selected {
    /// The size of the wanted files together, in bytes.
    pub fn total(&self) -> u64 {
        self.wanted.iter().map(|file| file.listed.size).fold(0, u64::saturating_add)
    }
}

impl SelectedFile {
    /// Where it is placed, relative to the destination folder.
    pub fn path(&self) -> &RepoPath {
        self.placed_as.as_ref().unwrap_or(&self.listed.path)
    }
}

impl From<ListedFile> for SelectedFile {
    fn from(listed: ListedFile) -> Self {
        Self { listed, placed_as: None }
    }
}
