//! Why a name can't be had in the destination, so that its reader can mend it: what stands in the way, whose it is, and
//! which command lets it go.

use std::io::{self, ErrorKind};
use std::path::Path;

use cap_std::fs::{Dir, Metadata};
use hfdown_protocol::{Failure, FailureKind};

use super::work_folder::DestinationFolder;
use crate::disk;
use crate::system;

/// In such a folder a file is its owner's to rename and remove (`chmod +t`).
const STICKY: u32 = 0o1000;

/// What keeps a name from being had, in words, and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Obstacle {
    pub(super) kind: FailureKind,
    pub(super) words: String,
}

impl Obstacle {
    fn new(kind: FailureKind, words: String) -> Self {
        Self { kind, words }
    }

    /// The failure of an attempt that it keeps from succeeding; of one that is told already, without a word of it.
    pub(crate) fn failure(&self, attempt: &str) -> Failure {
        let colon = if attempt.is_empty() { "" } else { ": " };
        Failure::new(self.kind, format_args!("{attempt}{colon}{}", self.words))
    }
}

impl DestinationFolder<'_> {
    /// The failure of an attempt to make, replace or remove what is at a path.
    pub(super) fn refusal(self, attempt: &str, path: &str, error: &io::Error) -> Failure {
        // What the system has said, and not what our own code makes of a path.
        let is_refusal = error.raw_os_error().is_some()
            && matches!(
                error.kind(),
                ErrorKind::PermissionDenied
                    | ErrorKind::ReadOnlyFilesystem
                    | ErrorKind::CrossesDevices
                    | ErrorKind::ResourceBusy
            );
        let failure = disk::failure_on(self.path, attempt, error);
        if !is_refusal {
            return failure;
        }
        let obstacle = self.obstacle_at(path).or_else(|| self.obstacle_in(folder_of(path)));
        match (obstacle, error.kind()) {
            (Some(obstacle), _) => obstacle.failure(attempt),
            // A folder that is mounted from the same disk.
            (None, ErrorKind::CrossesDevices) => self.elsewhere(folder_of(path)).failure(attempt),
            (None, _) => match owner_of(self.folder, path) {
                Some(owner) => {
                    Failure::new(failure.kind, format_args!("{failure} ({path} belongs to {owner})"))
                }
                None => failure,
            },
        }
    }

    /// What of the file at a path keeps it from being replaced or removed.
    pub(super) fn obstacle_at(self, path: &str) -> Option<Obstacle> {
        let metadata = self.folder.symlink_metadata(path).ok()?;
        let protection = system::protection(self.folder, path);
        let (owner, sudo) = (owner(&metadata), sudo());
        let quoted = quoted(&self.path.join(path));
        if protection.is_mount_point {
            let words = format!(
                "{path} is a mount point: another disk's file is mounted there; `{sudo}umount {quoted}` frees the name"
            );
            return Some(Obstacle::new(FailureKind::InTheWay, words));
        }
        let (is, flag) = match (protection.immutable, protection.append_only) {
            (true, _) => ("is immutable", "-i"),
            (false, true) => ("may only be appended to", "-a"),
            (false, false) => return self.sticky(path, &metadata),
        };
        let words =
            format!("{path} belongs to {owner} and {is}; `{sudo}chattr {flag} {quoted}` lets it be replaced");
        Some(Obstacle::new(FailureKind::PermissionDenied, words))
    }

    fn sticky(self, path: &str, file: &Metadata) -> Option<Obstacle> {
        let own = system::own_uid();
        let folder = self.folder.metadata(folder_of(path)).ok()?;
        let (folder, file) = (system::looks(&folder), system::looks(file));
        let is_theirs = own != 0 && folder.uid != own && file.uid != own;
        (folder.mode & STICKY != 0 && is_theirs).then(|| {
            let (owner, shown) = (system::user(file.uid), self.shown(folder_of(path)));
            let quoted = quoted(&self.path.join(path));
            let words = format!(
                "{path} belongs to {owner}, and in {shown} only the owner of a file may replace it (mode {:04o}); \
                 `sudo chown {own} {quoted}` makes it yours",
                folder.mode
            );
            Obstacle::new(FailureKind::PermissionDenied, words)
        })
    }

    /// The link that a folder is, or is in.
    pub(super) fn link_to(self, folder: &str) -> Option<Obstacle> {
        let mut folders =
            std::iter::successors(Some(folder), |path| path.rsplit_once('/').map(|(above, _)| above));
        let is_link = |path: &&str| self.folder.symlink_metadata(path).is_ok_and(|there| there.is_symlink());
        let link = folders.find(is_link)?;
        Some(Obstacle::new(FailureKind::InTheWay, format!("{link} is a link, and is not followed")))
    }

    /// What keeps files from being made, replaced or removed in a folder, or in the nearest one above it that there is.
    pub(super) fn obstacle_in(self, folder: &str) -> Option<Obstacle> {
        // Its own metadata is to be had also where nothing in it is.
        let look = |folder: &str| {
            if folder == "." { self.folder.dir_metadata() } else { self.folder.metadata(folder) }
        };
        let (mut folder, mut metadata) = (folder, look(folder));
        let is_further_up =
            |error: &io::Error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied);
        while metadata.as_ref().is_err_and(is_further_up) && folder != "." {
            folder = folder_of(folder);
            metadata = look(folder);
        }
        // What can't be looked at is found out when it is used.
        let metadata = metadata.ok().filter(Metadata::is_dir)?;
        let looks = system::looks(&metadata);
        let (shown, owner, own, sudo) =
            (self.shown(folder), system::user(looks.uid), system::own_uid(), sudo());
        let quoted = quoted(&self.path.join(folder).components().collect::<std::path::PathBuf>());
        let protection = system::protection(self.folder, folder);
        let denied = |words| Some(Obstacle::new(FailureKind::PermissionDenied, words));
        match (protection.immutable, protection.append_only) {
            (true, _) => {
                return denied(format!(
                    "{shown} belongs to {owner} and is immutable; `{sudo}chattr -i {quoted}` lets files be put there or removed"
                ));
            }
            (false, true) => {
                return denied(format!(
                    "{shown} belongs to {owner} and may only be appended to; `{sudo}chattr -a {quoted}` lets files be \
                     replaced or removed there"
                ));
            }
            (false, false) => {}
        }
        match system::may_change(self.folder, folder) {
            Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem && folder != "." => {
                return denied(format!("the disk that is mounted at {shown} is read-only"));
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let who = system::own_user();
                let mend = if looks.uid == own {
                    format!("`chmod u+rwx {quoted}` lets you")
                } else {
                    format!("`{sudo}chown {own} {quoted}` makes it yours")
                };
                let mode = looks.mode;
                return denied(format!(
                    "{shown} belongs to {owner}, and {who} may not write to it (mode {mode:04o}); {mend}"
                ));
            }
            _ => {}
        }
        let home = self.folder.dir_metadata().ok()?;
        (system::disk_of(&home) != system::disk_of(&metadata)).then(|| self.elsewhere(folder))
    }

    fn elsewhere(self, folder: &str) -> Obstacle {
        let shown = self.shown(folder);
        let words = format!(
            "another disk or folder is mounted at {shown} or above it, and a proved file gets its name by a rename, \
             which does not lead from one to the other: unmount it, or sync to a folder without such mounts"
        );
        Obstacle::new(FailureKind::InTheWay, words)
    }

    fn shown(self, folder: &str) -> String {
        if folder == "." { self.path.display().to_string() } else { format!("the folder {folder}") }
    }
}

/// Whose it is, where it is not this user's: ` (it belongs to alice (uid 1001))`.
pub(super) fn if_anothers(metadata: &Metadata) -> String {
    let uid = system::looks(metadata).uid;
    if uid == system::own_uid() { String::new() } else { format!(" (it belongs to {})", system::user(uid)) }
}

fn owner_of(folder: &Dir, path: &str) -> Option<String> {
    folder.symlink_metadata(path).ok().map(|metadata| owner(&metadata))
}

fn owner(metadata: &Metadata) -> String {
    system::user(system::looks(metadata).uid)
}

fn sudo() -> &'static str {
    if system::own_uid() == 0 { "" } else { "sudo " }
}

/// The folder that a path is in.
pub(super) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(".", |(folder, _)| folder)
}

/// A path as a shell takes it.
pub(super) fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |character: char| character.is_alphanumeric() || "/._-+@:,=".contains(character);
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
