//! `hfdown cache verify`, as text.

use crate::cache::{CacheFileState, CacheVerification, CheckedCacheFile};
use crate::text::units::count;

/// Digits of a commit that people tell it by.
const SHORT: usize = 12;

/// A file and how it is.
pub(super) fn line(file: &CheckedCacheFile) -> String {
    let commit: String = file.commit.chars().take(SHORT).collect();
    let why = file.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    format!("{}: {}@{commit}/{}{why}", state(file.state), file.id, file.path)
}

/// The word for how a file is, in texts and objects.
pub(super) fn state(state: CacheFileState) -> &'static str {
    match state {
        CacheFileState::Right => "ok",
        CacheFileState::Wrong => "wrong",
        CacheFileState::Missing => "missing",
        CacheFileState::Unreadable => "unreadable",
        CacheFileState::Unknown => "unknown",
    }
}

/// What a check has come to.
pub(super) fn sum(sum: &CacheVerification) -> String {
    let CacheVerification { revisions, ok, wrong, missing, unreadable, unknown, left_out } = *sum;
    let mut parts =
        vec![format!("{} ok", count(ok, "file")), format!("{wrong} wrong"), format!("{missing} missing")];
    if unreadable > 0 {
        parts.push(format!("{unreadable} unreadable"));
    }
    if unknown > 0 {
        parts.push(format!("{unknown} of unknown digest"));
    }
    let left_out = match left_out {
        0 => String::new(),
        left_out => format!(
            " · {} of the repositories not there, left out by a selection or never fetched",
            count(left_out, "file")
        ),
    };
    format!("{} of {}{left_out}", parts.join(", "), count(revisions, "revision"))
}

#[cfg(test)]
mod tests {
    use hfdown_agent::hub_cache::CachedKind;
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn says_what_is_wrong_and_how_much_is_not() {
        let file = CheckedCacheFile {
            id: "acme/tiny".to_owned(),
            kind: CachedKind::Model,
            commit: "1".repeat(40),
            path: "sub/model.safetensors".to_owned(),
            state: CacheFileState::Missing,
            why: Some("its blob is missing".to_owned()),
        };
        assert_snapshot!(line(&file), @"missing: acme/tiny@111111111111/sub/model.safetensors (its blob is missing)");
        let good = CacheVerification { revisions: 1, ok: 26, ..CacheVerification::default() };
        assert_snapshot!(sum(&good), @"26 files ok, 0 wrong, 0 missing of 1 revision");
        let bad = CacheVerification {
            revisions: 2,
            ok: 1,
            wrong: 2,
            missing: 3,
            unreadable: 4,
            unknown: 5,
            left_out: 6,
        };
        assert_snapshot!(sum(&bad), @"1 file ok, 2 wrong, 3 missing, 4 unreadable, 5 of unknown digest of 2 revisions · 6 files of the repositories not there, left out by a selection or never fetched");
    }
}
