//! `hfdown cache ls`, as text.

use std::time::{Duration, SystemTime};

use hfdown_agent::hub_cache::Amount;

use crate::cache::{CacheListing, CacheRows, CacheTotals, RepositoryRow, RevisionRow};
use crate::text::units::{ago, bytes, count};
use crate::text::width::{columns, padded};

/// Digits of a commit that people tell it by.
const SHORT: usize = 12;

/// The rows under their headings, and what they come to.
pub(super) fn text(listing: &CacheListing) -> String {
    let table = match &listing.rows {
        CacheRows::Repositories(rows) => table(
            ["REPOSITORY", "SIZE", "REVISIONS", "FILES", "LAST USED", "LAST CHANGED", "REFS"],
            rows.iter().map(|row| repository(row, listing.now)).collect(),
        ),
        CacheRows::Revisions(rows) => table(
            ["REPOSITORY", "COMMIT", "SIZE", "FILES", "LAST CHANGED", "REFS"],
            rows.iter().map(|row| revision(row, listing.now)).collect(),
        ),
    };
    let CacheTotals { repositories, revisions, bytes: size, .. } = listing.totals;
    let repositories =
        if repositories == 1 { "1 repository".to_owned() } else { format!("{repositories} repositories") };
    let total = format!("{repositories}, {}, {}", count(revisions, "revision"), bytes(size));
    if table.is_empty() { total } else { format!("{table}\n\n{total}") }
}

/// What cut-off runs have left, if anything.
pub(super) fn leftovers(totals: &CacheTotals) -> Option<String> {
    let CacheTotals { incomplete, parts, orphaned, .. } = totals;
    let sized = |amount: &Amount, noun: &str| {
        (amount.files > 0).then(|| format!("{} ({})", count(amount.files, noun), bytes(amount.bytes)))
    };
    let left: Vec<_> = [
        sized(incomplete, "incomplete file"),
        sized(orphaned, "blob").map(|blobs| format!("{blobs} of no revision")),
        sized(parts, "file").map(|files| format!("{files} that a cut-off run of hfdown can go on from")),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!left.is_empty())
        .then(|| format!("not counted: {}; `hfdown cache prune` says what may go", left.join(", ")))
}

fn repository(row: &RepositoryRow, now: SystemTime) -> [String; 7] {
    [
        row.id.clone(),
        bytes(row.amount.bytes),
        row.revisions.to_string(),
        row.amount.files.to_string(),
        since(row.last_used, now),
        since(row.last_changed, now),
        row.refs.join(" "),
    ]
}

fn revision(row: &RevisionRow, now: SystemTime) -> [String; 6] {
    [
        row.id.clone(),
        row.commit.chars().take(SHORT).collect(),
        bytes(row.amount.bytes),
        row.amount.files.to_string(),
        since(row.last_changed, now),
        row.refs.join(" "),
    ]
}

/// Clocks differ: what lies ahead has just been.
fn since(time: SystemTime, now: SystemTime) -> String {
    ago(now.duration_since(time).unwrap_or(Duration::ZERO))
}

/// Columns as wide as they have to be. Numbers end where their heading does.
fn table<const N: usize>(headings: [&str; N], rows: Vec<[String; N]>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut widths = headings.map(columns);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns(cell));
        }
    }
    let is_number = headings.map(|heading| ["SIZE", "REVISIONS", "FILES"].contains(&heading));
    let line = |row: &[String; N]| {
        let cells: Vec<_> = (0..N)
            .map(|at| {
                let fill = " ".repeat(widths[at].saturating_sub(columns(&row[at])));
                if is_number[at] { fill + &row[at] } else { padded(&row[at], widths[at]) }
            })
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let lines: Vec<_> =
        std::iter::once(headings.map(str::to_owned)).chain(rows).map(|row| line(&row)).collect();
    lines.join("\n")
}

#[cfg(test)]
pub(super) mod tests {
    use hfdown_agent::hub_cache::CachedKind;
    use insta::assert_snapshot;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// A cache of two repositories.
    pub(in crate::output) fn listing() -> CacheListing {
        let now = SystemTime::UNIX_EPOCH + HOUR * 24 * 365 * 56;
        let row = |id: &str, kind, bytes, used: Duration| RepositoryRow {
            id: id.to_owned(),
            kind,
            revisions: 2,
            refs: vec!["main".to_owned(), "refs/pr/1".to_owned()],
            amount: Amount { files: 26, bytes },
            last_used: now - used,
            last_changed: now - HOUR * 24 * 40,
            incomplete: Amount { files: 1, bytes: 1_000 },
            parts: Amount::default(),
            orphaned: Amount::default(),
            path: "/cache/folder".to_owned(),
        };
        let rows = vec![
            row("openai-community/gpt2", CachedKind::Model, 548_105_171, HOUR * 2),
            row("datasets/模型/squad", CachedKind::Dataset, 8, Duration::ZERO),
        ];
        let totals = CacheTotals {
            repositories: 2,
            revisions: 4,
            bytes: 548_105_179,
            incomplete: Amount { files: 2, bytes: 2_000 },
            parts: Amount { files: 1, bytes: 5_000_000 },
            orphaned: Amount { files: 1, bytes: 70 },
        };
        CacheListing { path: "/cache".to_owned(), rows: CacheRows::Repositories(rows), totals, now }
    }

    #[test]
    fn rows_stand_under_their_headings() {
        assert_snapshot!(text(&listing()), @"
        REPOSITORY               SIZE  REVISIONS  FILES  LAST USED    LAST CHANGED  REFS
        openai-community/gpt2  548 MB          2     26  2 hours ago  40 days ago   main refs/pr/1
        datasets/模型/squad       8 B          2     26  just now     40 days ago   main refs/pr/1

        2 repositories, 4 revisions, 548 MB
        ");
        let empty = CacheListing {
            rows: CacheRows::Repositories(Vec::new()),
            totals: CacheTotals::default(),
            ..listing()
        };
        assert_snapshot!(text(&empty), @"0 repositories, 0 revisions, 0 B");
    }

    #[test]
    fn what_is_left_over_is_said_by_kind() {
        assert_snapshot!(leftovers(&listing().totals).unwrap_or_default(), @"not counted: 2 incomplete files (2.0 kB), 1 blob (70 B) of no revision, 1 file (5.0 MB) that a cut-off run of hfdown can go on from; `hfdown cache prune` says what may go");
        assert_eq!(leftovers(&CacheTotals::default()), None);
    }
}
