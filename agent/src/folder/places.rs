//! Which of the files that are missing could be put where they belong, as far as that shows before anything is fetched.

use std::collections::HashMap;

use hfdown_protocol::{Failure, FailureKind, Found, Wanted};

use super::refusal::{Obstacle, folder_of};
use super::root::Root;

/// Of so many folders it is remembered what was seen.
const MOST_FOLDERS: usize = 4096;

/// What is known of the places of wanted files.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// What keeps files from being put into folders, as far as it was looked for.
    folders: HashMap<String, Option<Obstacle>>,
    /// Whether a file that is missing can have its place.
    is_one_free: bool,
    /// What keeps files from being put into the destination itself, where that concerns one of them.
    refused: Option<Obstacle>,
}

impl Places {
    /// What was found, unless it shows already that the wanted file can't have its place.
    pub(crate) fn judge(&mut self, root: &Root, wanted: &Wanted, found: Found) -> Found {
        let (is_there, is_obstructed) = match &found {
            Found::Absent { .. } => (false, false),
            Found::OtherSize { .. } | Found::OtherContent { .. } => (true, false),
            // It may not even be looked at.
            Found::Obstructed { failure } if failure.kind == FailureKind::PermissionDenied => (true, true),
            Found::Obstructed { .. } => return found,
            Found::Intact { .. } => {
                return match self.obstacle_of_name(root, wanted) {
                    Some(obstacle) => Found::Obstructed { failure: obstacle.failure("cannot place it") },
                    None => found,
                };
            }
        };
        let place = root.place_of(wanted);
        let in_root = self.obstacle_in(root, ".");
        let in_folder = self.obstacle_in(root, place.parent().unwrap_or("."));
        if in_root.is_some() && in_root == in_folder {
            self.refused = in_root;
        }
        if is_obstructed {
            return found;
        }
        let of_file = || if is_there { root.obstacle_at(&place) } else { None };
        let of_name = self.obstacle_of_name(root, wanted);
        if let Some(obstacle) = in_folder.or(of_name).or_else(of_file) {
            return Found::Obstructed { failure: obstacle.failure("cannot place it") };
        }
        self.is_one_free = true;
        found
    }

    /// The failure where the destination itself keeps every missing file from being there: one, however many these are.
    pub(crate) fn refusal(&self, root: &Root) -> Option<Failure> {
        let obstacle = self.refused.as_ref().filter(|_| !self.is_one_free)?;
        Some(obstacle.failure(&format!("cannot write to {}", root.path().display())))
    }

    /// What keeps a file from having its own name, where that is not its place.
    fn obstacle_of_name(&mut self, root: &Root, wanted: &Wanted) -> Option<Obstacle> {
        root.missing_name(wanted).and_then(|name| self.obstacle_in(root, folder_of(&name)))
    }

    /// Looked for once per folder.
    fn obstacle_in(&mut self, root: &Root, folder: &str) -> Option<Obstacle> {
        if let Some(known) = self.folders.get(folder) {
            return known.clone();
        }
        let obstacle = root.obstacle_in(folder);
        // Files of one folder mostly stand together: of a million folders few are looked for again.
        if self.folders.len() >= MOST_FOLDERS {
            self.folders.clear();
        }
        self.folders.insert(folder.to_owned(), obstacle.clone());
        obstacle
    }
}
