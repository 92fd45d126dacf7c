//! One table with everything that can be found, and what is said of it.

use std::sync::Arc;

use hfdown_protocol::{
    Digest, ExtraneousFile, PathError, Proof, Provenance, RepoPath, Stamp, UnlistedFile, WantedFiles,
};

use super::*;
use crate::hub::{Listing, Refused};
use crate::selection::Selection;

/// A listing of which the first files are wanted.
fn selected(names: &[&str], wanted: usize) -> Selected {
    let listing = Arc::new(Listing::of(names.iter().map(|name| (*name, 7, Digest::GitSha1([0; 20])))));
    let mut selected = Selection::Everything.apply(&listing).unwrap();
    let left_out = &names[wanted..];
    selected.wanted = WantedFiles::chosen(&listing.files, |file| !left_out.contains(&file.path.as_str()));
    selected
}

fn stamp(size: u64) -> Stamp {
    Stamp { size, modified: 0, changed: 0, inode: 0 }
}

#[test]
fn every_file_is_told_once_and_what_is_left_out_is_not() {
    let unreadable = Failure::new(FailureKind::PermissionDenied, "cannot read it");
    let (provenance, partial) = (Provenance::Placed, 0);
    let cases = [
        ("right", Found::Intact { proof: Proof::Read }, Verdict::Right),
        ("unnamed", Found::Intact { proof: Proof::Unnamed }, Verdict::Missing),
        ("misnamed", Found::Intact { proof: Proof::Misnamed }, Verdict::Wrong(Flaw::Misnamed)),
        ("missing", Found::Absent { partial: 3 }, Verdict::Missing),
        (
            "short",
            Found::OtherSize { stamp: stamp(3), provenance, partial },
            Verdict::Wrong(Flaw::OtherSize(3)),
        ),
        (
            "changed",
            Found::OtherContent { stamp: stamp(7), provenance, partial },
            Verdict::Wrong(Flaw::OtherContent),
        ),
        (
            "closed",
            Found::Obstructed { failure: unreadable.clone() },
            Verdict::Wrong(Flaw::Unusable(unreadable)),
        ),
    ];
    let names: Vec<_> = cases.iter().map(|(path, ..)| *path).chain(["left/out", "earlier"]).collect();
    let mut selected = selected(&names, cases.len());
    let name = "../\u{1b}x".to_owned();
    selected.refused = vec![Refused { name, reason: RefusalReason::Path(PathError::Dots) }];
    let unlisted = |path: &str| UnlistedFile { path: path.to_owned(), size: 9 };
    let extraneous = |path| ExtraneousFile { path: RepoPath::new(path).unwrap(), stamp: stamp(8) };
    let inventory = Inventory {
        found: cases.iter().map(|(_, found, _)| found.clone()).collect(),
        extraneous: vec![extraneous("old"), extraneous("earlier")],
        unlisted: vec![unlisted("a\u{1b}[2Jb"), unlisted("left/out"), unlisted("notes.txt")],
        ..Inventory::default()
    };
    let checked: Vec<_> = verify(&selected, &inventory).collect();
    let told: Vec<_> =
        checked.iter().map(|file| (file.path.as_str(), file.size, file.verdict.clone())).collect();
    let wanted = cases.iter().map(|(path, _, verdict)| (*path, 7, verdict.clone()));
    let others = [
        ("../x", 0, Verdict::Refused(RefusalReason::Path(PathError::Dots))),
        ("old", 8, Verdict::Extra(ExtraOrigin::Extraneous)),
        ("a[2Jb", 9, Verdict::Extra(ExtraOrigin::Foreign)),
        ("notes.txt", 9, Verdict::Extra(ExtraOrigin::Foreign)),
    ];
    assert_eq!(told, wanted.chain(others).collect::<Vec<_>>());

    let mut totals = VerificationTotals::default();
    for file in &checked {
        totals.add(file);
    }
    let count = |files, bytes| FileCount { files, bytes };
    let expected = VerificationTotals {
        right: count(1, 7),
        wrong: count(4, 28),
        missing: count(3, 14),
        extra: count(3, 26),
    };
    assert_eq!(totals, expected);
    assert_eq!((totals.tally().kept, totals.tally().failed()), (1, 7));
    assert!(!totals.is_right());
    assert!(VerificationTotals { wrong: count(0, 0), missing: count(0, 0), ..totals }.is_right());
}
