//! Every reason, refusal, keep and fate that a plan can have, as tables.

use super::*;
use crate::hub::{Listing, RefusalReason};
use crate::selection::Selection;
use hfdown_protocol::PathError;
use hfdown_protocol::Skipped;
use std::sync::Arc;

const SIZE: u64 = 100;
const STAMP: Stamp = Stamp { size: 7, modified: 1, changed: 2, inode: 3 };
const POLICY: Policy = Policy { check: Check::Records, extraneous: Extraneous::Keep };

fn path(name: &str) -> RepoPath {
    RepoPath::new(name).unwrap()
}

fn listed(name: &str) -> ListedFile {
    ListedFile { path: path(name), size: SIZE, digest: Digest::Sha256([7; 32]) }
}

/// A listing of files, of which some are wanted.
fn chosen(names: &[&str], rule: impl Fn(&str) -> bool) -> Selected {
    let listing = Listing::of(names.iter().map(|name| (*name, SIZE, listed(name).digest)));
    let listing = Arc::new(listing);
    let mut selected = Selection::Everything.apply(&listing).unwrap();
    selected.wanted = WantedFiles::chosen(&listing.files, |file| rule(file.path.as_str()));
    selected
}

fn selected(names: &[&str]) -> Selected {
    chosen(names, |_| true)
}

/// What was found, file by file.
fn inventory(found: &[Found]) -> Inventory {
    Inventory { found: found.iter().cloned().collect(), ..Inventory::default() }
}

fn extraneous(name: &str) -> ExtraneousFile {
    ExtraneousFile { path: path(name), stamp: STAMP }
}

fn failure() -> Failure {
    Failure::new(FailureKind::InTheWay, "a folder stands at a")
}

#[test]
fn what_is_found_decides_what_is_done() {
    let fetch = |reason, replaces, partial| Action::Fetch { reason, replaces, partial };
    let (foreign, edited, placed) = (Provenance::Foreign, Provenance::Edited, Provenance::Placed);
    let other = |provenance| Some(Replaced { stamp: STAMP, provenance });
    let table = [
        (Found::Absent { partial: 0 }, fetch(Reason::Missing, None, 0)),
        (Found::Absent { partial: 40 }, fetch(Reason::Missing, None, 40)),
        (
            Found::OtherSize { stamp: STAMP, provenance: placed, partial: 0 },
            fetch(Reason::OtherSize, other(placed), 0),
        ),
        (
            Found::OtherSize { stamp: STAMP, provenance: edited, partial: 99 },
            fetch(Reason::OtherSize, other(edited), 99),
        ),
        (
            Found::OtherContent { stamp: STAMP, provenance: foreign, partial: 0 },
            fetch(Reason::OtherContent, other(foreign), 0),
        ),
        (
            Found::OtherContent { stamp: STAMP, provenance: placed, partial: 1 },
            fetch(Reason::OtherContent, other(placed), 1),
        ),
        (Found::Intact { proof: Proof::Recorded }, Action::Keep { proof: Proof::Recorded }),
        (Found::Intact { proof: Proof::Read }, Action::Keep { proof: Proof::Read }),
        (Found::Intact { proof: Proof::SizeOnly }, Action::Keep { proof: Proof::SizeOnly }),
        (Found::Obstructed { failure: failure() }, Action::Refuse { failure: failure() }),
    ];
    // How closely the agent looked is in what it found: the policy changes nothing about a wanted file.
    for check in [Check::Records, Check::Contents, Check::Sizes, Check::Everything] {
        for removal in [Extraneous::Keep, Extraneous::Remove] {
            for (found, expected) in &table {
                let inventory = inventory(std::slice::from_ref(found));
                let plan = plan(&selected(&["a"]), &inventory, &Policy { check, extraneous: removal });
                let [only] = &plan.files().collect::<Vec<_>>()[..] else {
                    panic!("{found:?}: one file is planned")
                };
                assert_eq!(only.action, *expected, "{found:?}");
                assert_eq!((only.id, only.size, only.digest), (FileId(0), SIZE, listed("a").digest));
            }
        }
    }
}

#[test]
fn a_file_that_the_agent_did_not_look_at_is_not_touched() {
    let plan = plan(&selected(&["a"]), &Inventory::default(), &POLICY);
    let Some(Action::Refuse { failure }) = plan.get(FileId(0)).map(|file| file.action) else {
        panic!("{plan:?}")
    };
    assert_eq!(failure.kind, FailureKind::Protocol);
    assert!(plan.is_empty());
}

#[test]
fn a_plan_is_in_the_order_of_the_listing_and_complete() {
    let found = [
        Found::Intact { proof: Proof::Read },
        Found::Absent { partial: 30 },
        Found::Obstructed { failure: failure() },
        Found::Intact { proof: Proof::SizeOnly },
        Found::OtherSize { stamp: STAMP, provenance: Provenance::Placed, partial: 0 },
    ];
    let refused = Refused { name: "../x".to_owned(), reason: RefusalReason::Path(PathError::Dots) };
    let mut selected = selected(&["e", "d", "c", "b", "a"]);
    selected.refused = vec![refused];
    let plan =
        plan(&selected, &Inventory { extraneous: vec![extraneous("old")], ..inventory(&found) }, &POLICY);
    let order: Vec<_> = plan.files().map(|file| (file.id.0, file.path.as_str())).collect();
    assert_eq!(order, [(0, "e"), (1, "d"), (2, "c"), (3, "b"), (4, "a")]);
    let names = |files: Vec<Planned<'_>>| files.iter().map(|file| file.path.to_string()).collect::<Vec<_>>();
    assert_eq!(names(plan.to_fetch().collect()), ["d", "a"]);
    assert_eq!(names(plan.kept().collect()), ["e", "b"]);
    assert_eq!(names(plan.obstructed().map(|(file, _)| file).collect()), ["c"]);
    assert_eq!((plan.missing_bytes(), plan.kept_bytes(), plan.kept_by_size()), (170, 200, 1));
    assert_eq!(plan.refusals().collect::<Vec<_>>(), [FailureKind::InTheWay; 2]);
    assert_eq!(plan.skipped(), Skipped { kept: 2, kept_bytes: 200, by_size: 1, refused: 2 });
    assert!(!plan.is_empty());
}

#[test]
fn extraneous_files_go_where_the_policy_says_so_and_left_out_ones_never() {
    let inventory = Inventory {
        extraneous: ["gone", "left/out.bin", "left"].map(extraneous).into(),
        ..inventory(&[Found::Intact { proof: Proof::Recorded }])
    };
    let selected = chosen(&["a", "left/out.bin"], |name| name == "a");
    for (policy, removed) in
        [(Extraneous::Keep, vec![]), (Extraneous::Remove, vec![extraneous("gone"), extraneous("left")])]
    {
        let plan = plan(&selected, &inventory, &Policy { extraneous: policy, ..POLICY });
        // A file that is left out is counted, and nothing is done about it.
        assert_eq!((plan.len(), plan.left_out), (1, LeftOut { files: 1, bytes: SIZE }));
        assert_eq!(plan.extraneous, [(extraneous("gone"), policy), (extraneous("left"), policy)]);
        assert_eq!(plan.to_remove().cloned().collect::<Vec<_>>(), removed, "{policy:?}");
        assert_eq!(plan.is_empty(), policy == Extraneous::Keep);
    }
}

#[test]
fn the_parts_of_files_that_are_listed_and_left_out_stay() {
    // All files of this listing have the same one.
    let left_out = listed("left/out.bin").digest;
    let unwanted_parts = vec![Digest::Sha256([1; 32]), left_out];
    let inventory = Inventory { unwanted_parts, ..inventory(&[Found::Absent { partial: 0 }]) };
    let selected = chosen(&["a", "left/out.bin", "left/twin.bin"], |name| name == "a");
    assert_eq!(plan(&selected, &inventory, &POLICY).left_out_parts, [left_out]);
}

#[test]
fn a_file_under_another_name_is_asked_for_by_its_own() {
    let listing = Arc::new(selected(&["onnx/model.onnx"]).listing().clone());
    let one = Selection::File { name: "onnx/model.onnx".to_owned(), placed_as: path("mine.onnx") };
    let selected = one.apply(&listing).unwrap();
    // An earlier sync has placed it under its own name, too: that one is listed, and stays.
    let extraneous = vec![extraneous("onnx/model.onnx")];
    let inventory = Inventory { extraneous, ..inventory(&[Found::Absent { partial: 0 }]) };
    let plan = plan(&selected, &inventory, &Policy { extraneous: Extraneous::Remove, ..POLICY });
    assert_eq!(plan.extraneous, []);
    let only = plan.get(FileId(0)).unwrap();
    assert_eq!((only.path.as_str(), only.listed()), ("mine.onnx", listed("onnx/model.onnx")));
}

#[test]
fn more_partial_bytes_than_a_file_has_leave_nothing_to_fetch() {
    let inventory = inventory(&[Found::Absent { partial: SIZE + 1 }]);
    assert_eq!(plan(&selected(&["a"]), &inventory, &POLICY).missing_bytes(), 0);
}

#[test]
fn what_replaces_a_file_of_others_is_known_with_what_a_listing_does_not_show_first() {
    let names = ["a", "b/.env", ".ssh/authorized_keys", ".gitattributes", "c", ".bashrc", "d"];
    let (foreign, edited, placed) = (Provenance::Foreign, Provenance::Edited, Provenance::Placed);
    let found =
        [Some(foreign), Some(foreign), Some(foreign), Some(foreign), Some(edited), None, Some(placed)];
    let found = found.map(|provenance| match provenance {
        Some(provenance) => Found::OtherContent { stamp: STAMP, provenance, partial: 0 },
        None => Found::Absent { partial: 0 },
    });
    let plan = plan(&selected(&names), &inventory(&found), &POLICY);
    let names = |files: Vec<Planned<'_>>| files.iter().map(|file| file.path.to_string()).collect::<Vec<_>>();
    assert_eq!(names(plan.replacing(foreign)), ["b/.env", ".ssh/authorized_keys", ".gitattributes", "a"]);
    assert_eq!(names(plan.replacing(edited)), ["c"]);
    assert_eq!(names(plan.obeyed_at_home()), [".ssh/authorized_keys", ".bashrc"]);
}
