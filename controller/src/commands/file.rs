//! `hfdown file MODEL NAME [DEST]`: one file, among the user's own. The address of a file stands for MODEL and NAME.

use std::path::Path;

use hfdown_protocol::RepoPath;
use tokio_util::sync::CancellationToken;

use super::Context;
use super::misplaced::look;
use super::request::{FolderLayout, SyncRequest, Target};
use crate::cli::{Model, RepoArguments, Settings, TransferArguments, TypedCommand, check_path_here};
use crate::failure::{Exit, Problem};
use crate::hub::{InnerPath, InnerPathKind};
use crate::selection::Selection;
use crate::text::sanitize;

/// The most characters of a name that a user typed.
const LONGEST_NAME: usize = 200;

pub(super) async fn request(
    source: &RepoArguments,
    words: [Option<&str>; 2],
    transfer: &TransferArguments,
    context: &Context,
) -> Result<(SyncRequest, Target), Problem> {
    let events = context.events(None);
    let command = TypedCommand { verb: "file", after: words.into_iter().flatten().collect() };
    let (model, inner) = Model::with_path(source, &command)?;
    let (name, destination) = named(&model, inner, words)?;
    let settings = Settings::new(model, source.token.as_deref(), transfer.limits.floor(), &events)?;
    let (folder, placed_as) = place(&name, destination.unwrap_or("."), &context.cancel).await?;
    let destination = format!("{}/{placed_as}", folder.trim_end_matches('/'));
    let target = Target { destination, ..Target::local(&settings, folder, None, events)? };
    let request = SyncRequest {
        selection: Selection::File { name, placed_as },
        layout: FolderLayout::Bare,
        ..SyncRequest::new(settings, transfer)
    };
    Ok((request, target))
}

/// The file, and where it is to go. Behind the address of a file there is no NAME: the next word is DEST.
fn named<'a>(
    model: &Model,
    inner: Option<InnerPath>,
    words: [Option<&'a str>; 2],
) -> Result<(String, Option<&'a str>), Problem> {
    let repo = &model.repo;
    let problem = |attempted: &str| Problem::new(Exit::Usage, attempted);
    let listed = format!("`hfdown info {repo}` lists its files");
    match (inner, words) {
        // As a shell completes a name.
        (None, [Some(name), destination]) => Ok((name.trim_start_matches("./").to_owned(), destination)),
        (None, [None, _]) => Err(problem("the file's NAME is missing")
            .because(format!("`{repo}` is a repository"))
            .hint(listed)),
        (Some(InnerPath { path, kind: InnerPathKind::Folder }), _) => {
            let download = TypedCommand { verb: "download", after: Vec::new() };
            let folder = model.folder_command(&download, &path);
            Err(problem("a folder is no file")
                .because(format!(
                    "it leads to the folder `{}` inside of `{repo}`",
                    sanitize(path, LONGEST_NAME)
                ))
                .hint(format!("that folder is `{folder}`; {listed}")))
        }
        (Some(InnerPath { path, .. }), [destination, None]) => {
            let checked = destination.map_or(Ok(()), check_path_here);
            checked.map_err(|why| {
                problem(&format!("`{}` is no place for a file", destination.unwrap_or_default())).because(why)
            })?;
            Ok((path, destination))
        }
        (Some(InnerPath { path, .. }), [Some(name), destination]) if name == path => Ok((path, destination)),
        (Some(InnerPath { path, .. }), [name, _]) => Err(problem("two files are named")
            .because(format!(
                "MODEL leads to `{}` already, and NAME says `{}`",
                sanitize(&path, LONGEST_NAME),
                sanitize(name.unwrap_or_default(), LONGEST_NAME)
            ))
            .hint(format!("leave one of them out: `{}`", model.file_command(&path)))),
    }
}

/// The folder, and the file's name in it: as `cp` has it, a folder that exists or ends in `/` keeps the file's own
/// name.
async fn place(
    name: &str,
    destination: &str,
    cancel: &CancellationToken,
) -> Result<(String, RepoPath), Problem> {
    let own = name.rsplit('/').next().unwrap_or(name);
    let is_folder = destination.ends_with('/') || look(destination.into(), Path::is_dir, cancel).await?;
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

    #[tokio::test]
    async fn a_destination_is_read_as_cp_reads_it() {
        let (folder, cancel) = (tempfile::tempdir().unwrap(), CancellationToken::new());
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
            let (found_root, found_file) = place("onnx/model.onnx", destination, &cancel).await.unwrap();
            assert_eq!((found_root.as_str(), found_file.as_str()), (root, file), "{destination}");
        }
        assert!(place("onnx/model.onnx", "a/..", &cancel).await.is_err() || Path::new("a/..").is_dir());
    }
}
