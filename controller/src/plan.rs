//! What is to be done: decided from what is wanted of the listing, what is on disk and the policy, and from nothing else.
//!
//! [`plan`] is a pure function. A plan is complete: what is kept is in it too, each action carries what was seen, and
//! there is no dry run below it, only a plan that is not carried out.

mod by_file;
mod totals;

use std::collections::HashSet;

use hfdown_protocol::{
    Check, Digest, ExtraneousFile, Failure, FailureKind, FileId, FileRow, Found, FoundBasis, Proof,
    Provenance, RepoPath, RepoPathRef, Stamp, TooManyFiles, UnlistedFile, WantedFiles,
};

pub use self::by_file::ByFile;
use crate::hub::{ListedFile, Refused};
use crate::routes::Routes;
use crate::selection::Selected;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How closely to look at what is there.
    pub check: Check,
    /// What becomes of files that the Hub no longer lists.
    pub extraneous: Extraneous,
}

/// What becomes of files that an earlier sync placed and the Hub no longer lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extraneous {
    /// They stay.
    Keep,
    /// They go (`--delete`).
    Remove,
}

/// What an agent found, by [`FileId`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory {
    /// What stands at each wanted file's place.
    pub found: ByFile<Found>,
    /// Files that an earlier sync placed and that are not wanted now.
    pub extraneous: Vec<ExtraneousFile>,
    /// Parts that an earlier run left behind of files that are not wanted now.
    pub unwanted_parts: Vec<Digest>,
    /// What else is there, sorted, where it was asked for: as the agent says it, not sanitised.
    pub unlisted: Vec<UnlistedFile>,
    /// Files that wanted ones may share bytes with.
    pub bases: Vec<FoundBasis>,
}

/// What is to be done, file by file, in the listing's order. Every listed file is in it, or counted as left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The wanted files, by where they belong.
    wanted: WantedFiles,
    /// The path in the repository of the one wanted file, where that is another one.
    listed_as: Option<RepoPath>,
    /// The numbers of the files in the conversation with the agent, in order, where they don't just count up.
    ids: Option<Vec<FileId>>,
    actions: ByFile<Action>,
    /// Listed files that are not wanted: nothing is done about them, whether they are there or not.
    pub left_out: LeftOut,
    /// What the listing has that no file can be made of.
    pub refused: Vec<Refused>,
    /// What becomes of the extraneous files.
    pub extraneous: Vec<(ExtraneousFile, Extraneous)>,
    /// Files that are listed and left out, of which a part is there: it stays for a run that wants them.
    pub left_out_parts: Vec<Digest>,
    /// Whether it is for the hub cache, where the names of files are made as well: links, mostly.
    pub is_in_cache: bool,
    /// By what way its files come, where that has been asked.
    pub routes: Routes,
}

/// How much of a repository is not wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// One wanted file and what is to be done about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned<'a> {
    /// Its number in the conversation with the agent.
    pub id: FileId,
    /// Where it belongs, relative to the destination folder.
    pub path: RepoPathRef<'a>,
    /// Its path in the repository, where that is another one.
    pub listed_as: Option<&'a RepoPath>,
    /// Its size in bytes.
    pub size: u64,
    /// What proves it.
    pub digest: Digest,
    /// What to do.
    pub action: Action,
}

/// What to do about a wanted file.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// It is there already.
    Keep {
        /// How that is known.
        proof: Proof,
    },
    /// It is to be fetched.
    Fetch {
        /// Why.
        reason: Reason,
        /// What it replaces.
        replaces: Option<Replaced>,
        /// Bytes of it that an earlier run left behind.
        partial: u64,
    },
    /// It can't have its place.
    Refuse {
        /// What is in the way.
        failure: Failure,
    },
}

/// A file that another one takes the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// What was seen of it.
    pub stamp: Stamp,
    /// Who put it there.
    pub provenance: Provenance,
}

/// Why a file is to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is not there.
    Missing,
    /// What is there has another size.
    OtherSize,
    /// What is there has the same size and other bytes.
    OtherContent,
}

/// Whether a plan will be carried out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Intent {
    /// It will.
    #[default]
    Execute,
    /// It is only shown.
    DryRun,
    /// There is none: what is there is verified, and no more.
    Verify,
}

/// Decides.
pub fn plan(selected: &Selected, inventory: &Inventory, policy: &Policy) -> Plan {
    // What is listed is not extraneous: neither what is left out, nor what is placed under another name this time.
    let mut unlisted: HashSet<&str> = inventory.extraneous.iter().map(|file| file.path.as_str()).collect();
    if !unlisted.is_empty() {
        for file in selected.listing().files.iter() {
            unlisted.remove(file.path.as_str());
        }
    }
    let extraneous = inventory.extraneous.iter().filter(|file| unlisted.contains(file.path.as_str()));
    Plan {
        wanted: selected.wanted.clone(),
        listed_as: selected.listed_as.clone(),
        ids: None,
        actions: (0..selected.wanted.len()).map(|index| action(inventory.found.get(index))).collect(),
        left_out: LeftOut { files: selected.left_out(), bytes: selected.left_out_bytes() },
        refused: selected.refused.clone(),
        extraneous: extraneous.map(|file| (file.clone(), policy.extraneous)).collect(),
        left_out_parts: left_out_parts(selected, inventory),
        is_in_cache: false,
        routes: Routes::default(),
    }
}

fn left_out_parts(selected: &Selected, inventory: &Inventory) -> Vec<Digest> {
    let mut parts: HashSet<Digest> = inventory.unwanted_parts.iter().copied().collect();
    if parts.is_empty() {
        return Vec::new();
    }
    let listed = selected.listing().files.iter().map(|file| file.digest);
    listed.filter(|digest| parts.remove(digest)).collect()
}

fn action(found: Option<Found>) -> Action {
    match found {
        Some(Found::Intact { proof }) => Action::Keep { proof },
        Some(Found::Absent { partial }) => Action::Fetch { reason: Reason::Missing, replaces: None, partial },
        Some(Found::OtherSize { stamp, provenance, partial }) => Action::Fetch {
            reason: Reason::OtherSize,
            replaces: Some(Replaced { stamp, provenance }),
            partial,
        },
        Some(Found::OtherContent { stamp, provenance, partial }) => Action::Fetch {
            reason: Reason::OtherContent,
            replaces: Some(Replaced { stamp, provenance }),
            partial,
        },
        Some(Found::Obstructed { failure }) => Action::Refuse { failure },
        // The session sees to it that every file is reported; should it not, nothing is replaced unseen.
        None => {
            Action::Refuse { failure: Failure::new(FailureKind::Protocol, "the agent did not look at it") }
        }
    }
}

/// First components of names that begin with a dot and are no news in a repository.
const USUAL: [&str; 12] = [
    ".DS_Store",
    ".cache",
    ".dockerignore",
    ".editorconfig",
    ".eval_results",
    ".gitattributes",
    ".github",
    ".gitignore",
    ".gitkeep",
    ".gitmodules",
    ".ipynb_checkpoints",
    ".pre-commit-config.yaml",
];

impl Planned<'_> {
    /// What it replaces.
    pub fn replaces(&self) -> Option<Replaced> {
        match self.action {
            Action::Fetch { replaces, .. } => replaces,
            Action::Keep { .. } | Action::Refuse { .. } => None,
        }
    }

    /// Whether some folder on the way to it, or the file, has a name that begins with a dot: a listing without `-a` does
    /// not show it.
    pub fn is_dotted(&self) -> bool {
        self.path.as_str().split('/').any(|component| component.starts_with('.'))
    }

    /// Whether programs may obey it where it is in a home folder, as `.ssh/authorized_keys` or `.bashrc` are.
    fn is_obeyed_at_home(&self) -> bool {
        let first = self.path.as_str().split('/').next().unwrap_or_default();
        first.starts_with('.') && !USUAL.contains(&first)
    }

    /// The file as the repository lists it.
    pub fn listed(&self) -> ListedFile {
        let path = self.listed_as.map_or_else(|| self.path.to_path(), RepoPath::clone);
        ListedFile { path, size: self.size, digest: self.digest }
    }
}

impl Plan {
    /// Adds a file that has its number already: a larger one than those before it.
    pub fn add(&mut self, id: FileId, file: FileRow<'_>, action: Action) -> Result<(), TooManyFiles> {
        self.wanted.push(file)?;
        self.actions.push(action);
        self.ids.get_or_insert_default().push(id);
        Ok(())
    }

    /// How many wanted files there are.
    pub fn len(&self) -> usize {
        self.wanted.len()
    }

    /// The wanted files and what is to be done about them.
    pub fn files(&self) -> impl Iterator<Item = Planned<'_>> {
        (0..self.len()).filter_map(|index| self.at(index))
    }

    /// A wanted file by its number.
    pub fn get(&self, id: FileId) -> Option<Planned<'_>> {
        self.at(self.index(id)?)
    }

    /// Where a file stands in the order of the plan.
    pub fn index(&self, id: FileId) -> Option<usize> {
        match &self.ids {
            None => Some(id.0 as usize).filter(|index| *index < self.len()),
            Some(ids) => ids.binary_search(&id).ok(),
        }
    }

    fn at(&self, index: usize) -> Option<Planned<'_>> {
        let number = FileId(u32::try_from(index).ok()?);
        let id = self.ids.as_ref().map_or(number, |ids| ids[index]);
        let (FileRow { path, size, digest }, action) = (self.wanted.get(number)?, self.actions.get(index)?);
        Some(Planned { id, path, listed_as: self.listed_as.as_ref(), size, digest, action })
    }

    /// The files to fetch.
    pub fn to_fetch(&self) -> impl Iterator<Item = Planned<'_>> {
        self.files().filter(|file| matches!(file.action, Action::Fetch { .. }))
    }

    /// The files to fetch that replace one which was put there like this; those that a listing does not show come first.
    pub fn replacing(&self, provenance: Provenance) -> Vec<Planned<'_>> {
        let replaces =
            |file: &Planned<'_>| file.replaces().is_some_and(|there| there.provenance == provenance);
        let mut files: Vec<_> = self.files().filter(replaces).collect();
        files.sort_by_key(|file| !file.is_dotted());
        files
    }

    /// The files to fetch whose names programs may obey.
    pub fn obeyed_at_home(&self) -> Vec<Planned<'_>> {
        self.to_fetch().filter(Planned::is_obeyed_at_home).collect()
    }

    /// The files that are there already.
    pub fn kept(&self) -> impl Iterator<Item = Planned<'_>> {
        self.files().filter(|file| matches!(file.action, Action::Keep { .. }))
    }

    /// Those of them whose name is missing in the snapshot, or leads elsewhere.
    pub fn to_link(&self) -> impl Iterator<Item = Planned<'_>> {
        let is_unnamed =
            |action: &Action| matches!(action, Action::Keep { proof: Proof::Unnamed | Proof::Misnamed });
        self.kept().filter(move |file| is_unnamed(&file.action))
    }

    /// The wanted files that can't have their place.
    pub fn obstructed(&self) -> impl Iterator<Item = (Planned<'_>, Failure)> {
        self.files().filter_map(|file| match &file.action {
            Action::Refuse { failure } => Some((file.clone(), failure.clone())),
            Action::Keep { .. } | Action::Fetch { .. } => None,
        })
    }

    /// The extraneous to remove.
    pub fn to_remove(&self) -> impl Iterator<Item = &ExtraneousFile> {
        self.extraneous.iter().filter(|(_, fate)| *fate == Extraneous::Remove).map(|(file, _)| file)
    }

    /// Whether there is nothing for an agent to do.
    pub fn is_empty(&self) -> bool {
        self.to_fetch().next().is_none() && self.to_remove().next().is_none()
    }
}

#[cfg(test)]
impl Plan {
    /// A plan for these files, numbered from 0.
    pub(crate) fn of(files: impl IntoIterator<Item = (ListedFile, Action)>) -> Self {
        let mut plan = Self::default();
        for (id, (file, action)) in (0..).zip(files) {
            let row = FileRow { path: file.path.view(), size: file.size, digest: file.digest };
            plan.add(FileId(id), row, action).unwrap();
        }
        plan
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
