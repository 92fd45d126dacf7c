//! What each kind of selection makes of a listing.

use hfdown_protocol::{Commit, Digest, PathError};

use super::*;
use crate::hub::{RefusalReason, RepoId};

const COMMIT: &str = "607a30d783dfa663caf39e06633721c8d4cfcd7e";

fn file(path: &str) -> ListedFile {
    let digest = Digest::git_sha1(COMMIT).unwrap();
    ListedFile { path: RepoPath::new(path).unwrap(), size: path.len() as u64, digest }
}

fn listing() -> Listing {
    let refused = Refused { name: "../escape".to_owned(), reason: RefusalReason::Path(PathError::Dots) };
    let files = ["config.json", "onnx/model.onnx", "model.onnx"].map(file);
    Listing {
        repo: "acme/model".parse::<RepoId>().unwrap(),
        commit: Commit::new(COMMIT).unwrap(),
        files: files.into(),
        refused: vec![refused],
    }
}

#[test]
fn every_listed_file_is_wanted_or_left_out() {
    let one = |name: &str| Selection::File {
        name: name.to_owned(),
        placed_as: RepoPath::new("mine.onnx").unwrap(),
    };
    let names = |files: &[&str]| files.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (selection, wanted, left_out, refused) in [
        (Selection::Everything, names(&["config.json", "onnx/model.onnx", "model.onnx"]), names(&[]), 1),
        // Only the whole name counts, and refused names concern nothing but the whole repository.
        (one("model.onnx"), names(&["mine.onnx"]), names(&["config.json", "onnx/model.onnx"]), 0),
        (one("onnx/model.onnx"), names(&["mine.onnx"]), names(&["config.json", "model.onnx"]), 0),
    ] {
        let selected = selection.apply(&listing()).unwrap();
        let paths: Vec<_> = selected.wanted.iter().map(|file| file.path().to_string()).collect();
        let others: Vec<_> = selected.left_out.iter().map(|file| file.path.to_string()).collect();
        assert_eq!((paths, others), (wanted, left_out), "{selection:?}");
        assert_eq!(selected.refused.len(), refused, "{selection:?}");
        assert_eq!(selected.total(), selected.wanted.iter().map(|file| file.listed.size).sum::<u64>());
    }
}

#[test]
fn a_wanted_file_keeps_its_name_in_the_repository() {
    let placed_as = RepoPath::new("mine.onnx").unwrap();
    let selection = Selection::File { name: "onnx/model.onnx".to_owned(), placed_as: placed_as.clone() };
    let selected = selection.apply(&listing()).unwrap();
    let [only] = &selected.wanted[..] else { panic!("one file is wanted") };
    assert_eq!((only.path(), only.listed.path.as_str()), (&placed_as, "onnx/model.onnx"));
}

#[test]
fn a_file_that_can_not_be_had_is_an_error() {
    for (name, expected) in [
        ("missing.json", SelectionError::NotListed),
        ("onnx", SelectionError::NotListed),
        ("Config.json", SelectionError::NotListed),
        ("", SelectionError::NotListed),
        ("../escape", SelectionError::RefusedName),
        ("sizeless", SelectionError::Refused(RefusalReason::NoSize)),
    ] {
        let selection = Selection::File { name: name.to_owned(), placed_as: RepoPath::new("x").unwrap() };
        let mut listing = listing();
        listing.refused.push(Refused { name: "sizeless".to_owned(), reason: RefusalReason::NoSize });
        assert_eq!(selection.apply(&listing), Err(expected), "{name}");
    }
}
