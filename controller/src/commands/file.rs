//! `hfdown file MODEL NAME [DEST]`: one file, among the user's own.

use std::path::Path;

use hfdown_protocol::RepoPath;

use super::Context;
use super::request::{FolderLayout, SyncRequest, Target};
use crate::cli::{RepoArguments, Settings, TransferArguments};
use crate::failure::{Exit, Problem};
use crate::selection::Selection;

pub(super) fn request(
    source: &RepoArguments,
    name: &str,
    destination: Option<&str>,
    transfer: &TransferArguments,
    context: &Context,
) -> Result<(SyncRequest, Target), Problem> {
    let events = context.events(None);
    let settings = Settings::new(source, transfer.floor(), &events)?;
    let (folder, placed_as) = place(name, destination.unwrap_or("."))?;
    let destination = format!("{}/{placed_as}", folder.trim_end_matches('/'));
    let target = Target { destination, ..Target::local(&settings, folder, events)? };
    let request = SyncRequest {
        selection: Selection::File { name: name.to_owned(), placed_as },
        layout: FolderLayout::Bare,
        ..SyncRequest::new(settings, transfer)
    };
    Ok((request, target))
}

/// The folder, and the file's name in it: as `cp` has it, a folder that exists or ends in `/` keeps the file's own
/// name.
fn place(name: &str, destination: &str) -> Result<(String, RepoPath), Problem> {
    let own = name.rsplit('/').next().unwrap_or(name);
    let is_folder = destination.ends_with('/') || Path::new(destination).is_dir();
    let (root, placed_as) = if is_folder {
        (destination.to_owned(), own)
    } else {
        match destination.rsplit_once('/') {
            Some(("", file)) => ("/".to_owned(), file),
            Some((folder, file)) => (folder.to_owned(), file),
            None => (".".to_owned(), destination),
        }
    };
    let placed_as = RepoPath::new(placed_as).map_err(|error| {
        Problem::new(Exit::Usage, format!("cannot place a file as `{placed_as}`"))
            .because(error)
            .hint("name the file to write, or a folder that exists or ends in `/`")
    })?;
    Ok((root, placed_as))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_read_as_cp_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().to_str().unwrap();
        let in_folder = format!("{folder}/x.bin");
        for (destination, root, file) in [
            (".", ".", "model.onnx"),
            ("new/", "new/", "model.onnx"),
            (folder, folder, "model.onnx"),
            (in_folder.as_str(), folder, "x.bin"),
            ("x.bin", ".", "x.bin"),
            ("a/b/x.bin", "a/b", "x.bin"),
            ("/x.bin", "/", "x.bin"),
        ] {
            let (found_root, found_file) = place("onnx/model.onnx", destination).unwrap();
            assert_eq!((found_root.as_str(), found_file.as_str()), (root, file), "{destination}");
        }
        assert!(place("onnx/model.onnx", "a/..").is_err() || Path::new("a/..").is_dir());
    }
}
