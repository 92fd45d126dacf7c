//! What each kind of selection makes of a listing.

use hfdown_protocol::{Digest, PathError};

use super::*;
use crate::hub::RefusalReason;

const COMMIT: &str = "607a30d783dfa663caf39e06633721c8d4cfcd7e";

fn listing() -> Listing {
    let refused = Refused { name: "../escape".to_owned(), reason: RefusalReason::Path(PathError::Dots) };
    let digest = Digest::git_sha1(COMMIT).unwrap();
    let names = ["config.json", "onnx/model.onnx", "model.onnx"];
    let listing = Listing::of(names.map(|name| (name, name.len() as u64, digest)));
    Listing { refused: vec![refused], ..listing }
}

#[test]
fn every_listed_file_is_wanted_or_left_out() {
    let one = |name: &str| Selection::File {
        name: name.to_owned(),
        placed_as: RepoPath::new("mine.onnx").unwrap(),
    };
    for (selection, wanted, left_out, refused) in [
        (Selection::Everything, &["config.json", "onnx/model.onnx", "model.onnx"][..], (0, 0), 1),
        // Only the whole name counts, and refused names concern nothing but the whole repository.
        (one("model.onnx"), &["mine.onnx"], (2, 26), 0),
        (one("onnx/model.onnx"), &["mine.onnx"], (2, 21), 0),
    ] {
        let selected = selection.apply(&Arc::new(listing())).unwrap();
        let paths: Vec<_> = selected.wanted.iter().map(|(_, file)| file.path.as_str()).collect();
        assert_eq!(paths, wanted, "{selection:?}");
        assert_eq!((selected.left_out(), selected.left_out_bytes()), left_out, "{selection:?}");
        assert_eq!(selected.refused.len(), refused, "{selection:?}");
        assert_eq!(selected.total() + selected.left_out_bytes(), listing().total());
    }
}

#[test]
fn a_wanted_file_keeps_its_name_in_the_repository() {
    let placed_as = RepoPath::new("mine.onnx").unwrap();
    let selection = Selection::File { name: "onnx/model.onnx".to_owned(), placed_as: placed_as.clone() };
    let selected = selection.apply(&Arc::new(listing())).unwrap();
    assert_eq!(selected.wanted.len(), 1);
    let (placed, listed) = (selected.wanted.get(FileId(0)).unwrap(), selected.listed(FileId(0)).unwrap());
    assert_eq!((placed.path, listed.path.as_str()), (placed_as.view(), "onnx/model.onnx"));
}

fn not_listed(nearest: &[&str]) -> SelectionError {
    SelectionError::NotListed { nearest: nearest.iter().map(|name| (*name).to_owned()).collect() }
}

#[test]
fn a_file_that_can_not_be_had_is_an_error() {
    for (name, expected) in [
        ("missing.json", not_listed(&[])),
        ("onnx", not_listed(&["onnx/"])),
        ("Config.json", not_listed(&["config.json"])),
        ("", not_listed(&[])),
        ("../escape", SelectionError::RefusedName),
        ("sizeless", SelectionError::Refused(RefusalReason::NoSize)),
    ] {
        let selection = Selection::File { name: name.to_owned(), placed_as: RepoPath::new("x").unwrap() };
        let mut listing = listing();
        listing.refused.push(Refused { name: "sizeless".to_owned(), reason: RefusalReason::NoSize });
        assert_eq!(selection.apply(&Arc::new(listing)), Err(expected), "{name}");
    }
}
