//! What a target has of what it should have.

use std::collections::HashMap;

use hfdown_protocol::Commit;

/// What is where a model should be, by sizes and records alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxStatus {
    /// In a word.
    pub state: FolderState,
    /// How many files are there as they should be.
    pub files: usize,
    /// How many there should be.
    pub of_files: usize,
    /// The bytes that are there, of files in part as well.
    pub bytes: u64,
    /// How many there should be.
    pub of_bytes: u64,
    /// How many of the files are known by their size alone: no record says that they were proved.
    pub by_size: usize,
    /// The commit of which the folder says that it has it.
    pub commit: Option<Commit>,
}

/// The same in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderState {
    /// All is there.
    Complete,
    /// Some is.
    Partial,
    /// What is there is another commit.
    OtherCommit,
    /// Nothing is.
    Absent,
    /// A transfer that was detached is bringing it.
    Running,
}

impl FolderState {
    /// The word for programs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::OtherCommit => "other_commit",
            Self::Absent => "absent",
            Self::Running => "running",
        }
    }
}

/// The commit that most boxes have, of those that say so; of two that as many have, the one that comes first.
pub fn usual_commit<'a>(statuses: impl Iterator<Item = &'a BoxStatus>) -> Option<Commit> {
    let mut counts: Vec<(&Commit, usize)> = Vec::new();
    let mut known: HashMap<&Commit, usize> = HashMap::new();
    for commit in statuses.filter_map(|status| status.commit.as_ref()) {
        let at = *known.entry(commit).or_insert_with(|| {
            counts.push((commit, 0));
            counts.len() - 1
        });
        counts[at].1 += 1;
    }
    let most = counts.iter().map(|(_, count)| *count).max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(commit, _)| commit.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_commit_is_the_one_that_most_have() {
        let status = |commit: &str| BoxStatus {
            state: FolderState::Complete,
            files: 1,
            of_files: 1,
            bytes: 1,
            of_bytes: 1,
            by_size: 0,
            commit: Commit::new(commit.repeat(40)).ok(),
        };
        for (commits, usual) in [("ab", "a"), ("abb", "b"), ("baab", "b"), ("?a", "a"), ("?", "")] {
            let statuses: Vec<_> = commits.chars().map(|commit| status(&commit.to_string())).collect();
            let found = usual_commit(statuses.iter()).map(|commit| commit.as_str()[..1].to_owned());
            assert_eq!(found.unwrap_or_default(), usual, "{commits}");
        }
    }
}
