//! `hfdown cache rm` and `prune`, as text.

use hfdown_agent::hub_cache::Amount;

use crate::cache::{CacheRemoval, Freed, GoingExtent, GoingRepository, GoingRevision};
use crate::text::units::{bytes, count};

/// Digits of a commit that people tell it by.
const SHORT: usize = 12;

/// What is to go, a line each, and what that frees.
pub(super) fn text(removal: &CacheRemoval) -> String {
    let mut lines: Vec<_> = removal.repositories.iter().flat_map(repository).collect();
    if let Some(shared) = sized(removal.shared, "file") {
        lines.push(format!("remove {shared} of the shared store, to which no repository has a link then"));
    }
    let (revisions, from) = (removal.revisions(), repositories(removal.repositories.len()));
    lines.push(format!("{} of {from}: {} will be free", count(revisions, "revision"), bytes(removal.bytes)));
    lines.join("\n")
}

/// What a removal has come to.
pub(super) fn freed(freed: &Freed) -> String {
    let failed = match freed.failed {
        0 => String::new(),
        failed => format!(" · {} left as it was", repositories(failed)),
    };
    let (revisions, from) = (count(freed.revisions, "revision"), repositories(freed.repositories));
    format!("removed {revisions} of {from}: {} are free{failed}", bytes(freed.bytes))
}

fn repository(going: &GoingRepository) -> Vec<String> {
    let id = &going.id;
    if going.extent == GoingExtent::Whole {
        let names: Vec<_> =
            going.revisions.iter().flat_map(|revision| &revision.refs).map(String::as_str).collect();
        let names = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
        let revisions = count(going.revisions.len(), "revision");
        return vec![format!("remove {id}: all of it ({revisions}{names}), {}", bytes(going.bytes))];
    }
    let mut lines: Vec<_> =
        going.revisions.iter().map(|one| format!("remove {id}{}", revision(one))).collect();
    let left: Vec<_> = [
        sized(going.incomplete, "incomplete file"),
        sized(going.parts, "part"),
        sized(going.orphaned, "blob").map(|blobs| format!("{blobs} of no revision")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !left.is_empty() {
        lines.push(format!("remove from {id}: {}", left.join(", ")));
    }
    lines
}

fn revision(going: &GoingRevision) -> String {
    let short: String = going.commit.chars().take(SHORT).collect();
    let names = if going.refs.is_empty() { "no ref".to_owned() } else { going.refs.join(", ") };
    format!("@{short} ({names})")
}

fn sized(amount: Amount, noun: &str) -> Option<String> {
    (amount.files > 0).then(|| format!("{} ({})", count(amount.files, noun), bytes(amount.bytes)))
}

fn repositories(number: usize) -> String {
    if number == 1 { "1 repository".to_owned() } else { format!("{number} repositories") }
}

#[cfg(test)]
mod tests {
    use hfdown_agent::hub_cache::CachedKind;
    use insta::assert_snapshot;

    use super::*;
    use crate::plan::Intent;

    #[test]
    fn each_kind_of_what_goes_has_its_line() {
        let revision = |commit: &str, refs: &[&str]| GoingRevision {
            commit: commit.repeat(40),
            refs: refs.iter().map(|name| (*name).to_owned()).collect(),
        };
        let going = |id: &str, extent, revisions| GoingRepository {
            id: id.to_owned(),
            kind: CachedKind::Model,
            extent,
            revisions,
            incomplete: Amount { files: 2, bytes: 300 },
            parts: Amount { files: 1, bytes: 4_000 },
            orphaned: Amount { files: 1, bytes: 50 },
            bytes: 70_000,
        };
        let removal = CacheRemoval {
            intent: Intent::Execute,
            repositories: vec![
                going(
                    "acme/tiny",
                    GoingExtent::Whole,
                    vec![revision("1", &["main", "v1"]), revision("2", &[])],
                ),
                going("datasets/acme/data", GoingExtent::Part, vec![revision("3", &[])]),
            ],
            shared: Amount { files: 1, bytes: 9_000 },
            bytes: 149_000,
        };
        assert_snapshot!(text(&removal), @"
        remove acme/tiny: all of it (2 revisions: main, v1), 70 kB
        remove datasets/acme/data@333333333333 (no ref)
        remove from datasets/acme/data: 2 incomplete files (300 B), 1 part (4.0 kB), 1 blob (50 B) of no revision
        remove 1 file (9.0 kB) of the shared store, to which no repository has a link then
        3 revisions of 2 repositories: 149 kB will be free
        ");
        let done = Freed { repositories: 1, revisions: 2, bytes: 70_000, failed: 1 };
        assert_snapshot!(freed(&done), @"removed 2 revisions of 1 repository: 70 kB are free · 1 repository left as it was");
    }
}
