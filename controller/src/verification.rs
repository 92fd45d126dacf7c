//! What of a folder is right: decided from what is wanted of the listing and what an agent found, and from nothing else.

use std::collections::HashSet;

use hfdown_protocol::{Failure, FailureKind, Found, Proof};

use crate::hub::RefusalReason;
use crate::plan::{Intent, Inventory};
use crate::selection::Selected;
use crate::tally::Tally;
use crate::text::sanitize;

/// The most characters of a name that is shown of what is listed and refused, or not listed.
const LONGEST_NAME: usize = 4096;

/// One file, and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedFile {
    /// Where it is, or should be; sanitised.
    pub path: String,
    /// Its size in bytes as it is listed, or as it is where it is not listed.
    pub size: u64,
    /// What is to be said.
    pub verdict: Verdict,
}

/// What is to be said of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is there, and every byte of it is right.
    Right,
    /// What is there is not it.
    Wrong(Flaw),
    /// It is not there.
    Missing,
    /// It is listed in a way that no file can be made of.
    Refused(RefusalReason),
    /// It is there and not listed.
    Extra(ExtraOrigin),
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// It has another size, this one.
    OtherSize(u64),
    /// It has the right size and other bytes.
    OtherContent,
    /// Its bytes are in the hub cache, and its name in the snapshot leads elsewhere.
    Misnamed,
    /// It is no file, can't be read, or does not stay the same while it is read.
    Unusable(Failure),
}

/// How a file came to be there that is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtraOrigin {
    /// An earlier sync placed it; `--delete` removes it.
    Extraneous,
    /// Another program, or the user.
    Foreign,
}

/// Some files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileCount {
    /// How many.
    pub files: u32,
    /// Their size in bytes.
    pub bytes: u64,
}

/// What a verification has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VerificationTotals {
    /// Files that are right.
    pub right: FileCount,
    /// Those that are not.
    pub wrong: FileCount,
    /// Those that are not there.
    pub missing: FileCount,
    /// Those that are not listed.
    pub extra: FileCount,
}

/// Every file: the wanted ones in the listing's order, those that are listed and refused, and those that are not listed.
/// What is left out is none of them, whether it is there or not.
pub fn verify<'a>(
    selected: &'a Selected,
    inventory: &'a Inventory,
) -> impl Iterator<Item = CheckedFile> + 'a {
    let wanted = selected.wanted.iter().map(|(id, file)| CheckedFile {
        path: file.path.to_string(),
        size: file.size,
        verdict: verdict(inventory.found.get(id.0 as usize)),
    });
    let refused = selected.refused.iter().map(|refused| CheckedFile {
        path: sanitize(&refused.name, LONGEST_NAME),
        size: 0,
        verdict: Verdict::Refused(refused.reason),
    });
    // What is left out is listed, and the wanted files are not among these.
    let mut unlisted: HashSet<&str> = inventory.extraneous.iter().map(|file| file.path.as_str()).collect();
    unlisted.extend(inventory.unlisted.iter().map(|file| file.path.as_str()));
    if !unlisted.is_empty() {
        for file in selected.listing().files.iter() {
            unlisted.remove(file.path.as_str());
        }
    }
    let extraneous = inventory
        .extraneous
        .iter()
        .map(|file| (file.path.as_str(), file.stamp.size, ExtraOrigin::Extraneous));
    let foreign = inventory.unlisted.iter().map(|file| (file.path.as_str(), file.size, ExtraOrigin::Foreign));
    let extra = extraneous.chain(foreign).filter(move |(path, ..)| unlisted.contains(path));
    let extra = extra.map(|(path, size, origin)| CheckedFile {
        path: sanitize(path, LONGEST_NAME),
        size,
        verdict: Verdict::Extra(origin),
    });
    wanted.chain(refused).chain(extra)
}

fn verdict(found: Option<Found>) -> Verdict {
    match found {
        Some(Found::Intact { proof: Proof::Misnamed }) => Verdict::Wrong(Flaw::Misnamed),
        Some(Found::Absent { .. } | Found::Intact { proof: Proof::Unnamed }) => Verdict::Missing,
        Some(Found::Intact { .. }) => Verdict::Right,
        Some(Found::OtherSize { stamp, .. }) => Verdict::Wrong(Flaw::OtherSize(stamp.size)),
        Some(Found::OtherContent { .. }) => Verdict::Wrong(Flaw::OtherContent),
        Some(Found::Obstructed { failure }) => Verdict::Wrong(Flaw::Unusable(failure)),
        // The session sees to it that every file is reported.
        None => {
            let failure = Failure::new(FailureKind::Protocol, "the agent did not look at it");
            Verdict::Wrong(Flaw::Unusable(failure))
        }
    }
}

impl VerificationTotals {
    /// Counts one more file.
    pub fn add(&mut self, file: &CheckedFile) {
        let count = match file.verdict {
            Verdict::Right => &mut self.right,
            Verdict::Wrong(_) => &mut self.wrong,
            Verdict::Missing | Verdict::Refused(_) => &mut self.missing,
            Verdict::Extra(_) => &mut self.extra,
        };
        count.files = count.files.saturating_add(1);
        count.bytes = count.bytes.saturating_add(file.size);
    }

    /// Whether everything that is wanted is there and right.
    pub fn is_right(&self) -> bool {
        self.wrong.files == 0 && self.missing.files == 0
    }

    /// What the run has come to where nothing is done about it.
    pub fn tally(&self) -> Tally {
        let refused = self.wrong.files.saturating_add(self.missing.files);
        let refusals = if self.is_right() { Vec::new() } else { vec![FailureKind::Corrupt] };
        Tally {
            kept: self.right.files,
            kept_bytes: self.right.bytes,
            refused,
            refusals,
            intent: Intent::Verify,
            ..Tally::default()
        }
    }
}

#[cfg(test)]
#[path = "verification_tests.rs"]
mod tests;
