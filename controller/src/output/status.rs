//! What is there of a model, in a line.

use crate::fleet::{BoxStatus, FolderState};
use crate::text::units::{bytes, bytes_of, count, percent};

pub(super) fn line(status: &BoxStatus) -> String {
    let BoxStatus { state, files, of_files, bytes: there, of_bytes, by_size, commit } = status;
    let at = commit.as_ref().map(|commit| format!(" @ {}", commit.short())).unwrap_or_default();
    let share = || {
        let (of_files, size) = (count(*of_files, "file"), bytes_of(*there, *of_bytes));
        format!("{files} of {of_files}, {size} ({} %)", percent(*there, *of_bytes))
    };
    match state {
        FolderState::Complete => {
            let by_size = match by_size {
                0 => String::new(),
                files if files == of_files => "; nothing is on record, sizes alone were compared".to_owned(),
                files => format!("; {} compared by size only", count(*files, "file")),
            };
            format!("complete{at} · {} · {}{by_size}", count(*of_files, "file"), bytes(*of_bytes))
        }
        FolderState::Partial => format!("partial{at} · {}", share()),
        FolderState::OtherCommit => format!("another commit{at} · {}", share()),
        FolderState::Absent => "absent".to_owned(),
        FolderState::Running => format!("a detached transfer is running · {}", share()),
    }
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::Commit;

    use super::*;

    #[test]
    fn a_state_is_told_with_what_belongs_to_it() {
        let status = |state, files, bytes, by_size| BoxStatus {
            state,
            files,
            of_files: 12,
            bytes,
            of_bytes: 13_400_000_000,
            by_size,
            commit: Commit::new("607a30d783dfa663caf39e06633721c8d4cfcd7e").ok(),
        };
        let whole = 13_400_000_000;
        for (status, expected) in [
            (status(FolderState::Complete, 12, whole, 0), "complete @ 607a30d · 12 files · 13 GB"),
            (
                status(FolderState::Complete, 12, whole, 1),
                "complete @ 607a30d · 12 files · 13 GB; 1 file compared by size only",
            ),
            (
                BoxStatus { commit: None, ..status(FolderState::Complete, 12, whole, 12) },
                "complete · 12 files · 13 GB; nothing is on record, sizes alone were compared",
            ),
            (
                status(FolderState::Partial, 3, 1_340_000_000, 0),
                "partial @ 607a30d · 3 of 12 files, 1.3 of 13 GB (10 %)",
            ),
            (
                status(FolderState::OtherCommit, 0, 0, 0),
                "another commit @ 607a30d · 0 of 12 files, 0 B of 13 GB (0 %)",
            ),
            (status(FolderState::Absent, 0, 0, 0), "absent"),
            (
                status(FolderState::Running, 6, 6_700_000_000, 0),
                "a detached transfer is running · 6 of 12 files, 6.7 of 13 GB (50 %)",
            ),
        ] {
            assert_eq!(line(&status), expected);
        }
    }
}
