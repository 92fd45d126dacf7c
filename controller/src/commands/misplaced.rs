//! Words in the place of others: NAME where DIR is, as `hf download` takes it (`hfdown download org/name config.json`), and DIR
//! before MODEL.

use std::path::{Path, PathBuf};

use hfdown_protocol::{Check, RepoPathRef};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::listing::unless_cancelled;
use super::request::{FolderLayout, SyncRequest, Target};
use crate::cli::{TypedCommand, file_command, of_command};
use crate::failure::{Exit, Problem};
use crate::hub::{Listing, RepoId};
use crate::session::Machine;

/// Refuses a folder that is none yet and has the name of a listed file. A slash at its end says that it is meant. Before
/// anything is connected, so that the folders of a box are not looked at.
pub(super) async fn refuse_name_of_a_file(
    request: &SyncRequest,
    target: &Target,
    listing: &Listing,
    cancel: &CancellationToken,
) -> Result<(), Problem> {
    let settings = &request.settings;
    let folder = target.typed_folder();
    let is_typed = folder != format!("./{}", settings.repo);
    let is_box = matches!(target.machine, Machine::Box { .. });
    // What is verified is there, whatever it is called.
    let is_verified = request.policy.check == Check::Everything;
    if request.layout != FolderLayout::LocalDir || is_verified || !is_typed {
        return Ok(());
    }
    let file = namesake(folder, listing);
    let is_pattern =
        folder.contains(['*', '?', '[']) && !folder.ends_with('/') && !request.selection.words().is_empty();
    if file.is_none() && !is_pattern {
        return Ok(());
    }
    if !is_box && look(here(folder), Path::is_dir, cancel).await? {
        return Ok(());
    }
    let Some(file) = file else {
        let option = shell_words::join(["--include", folder]);
        return Err(Problem::new(
            Exit::Usage,
            format!("cannot tell whether `{folder}` is the folder, or a pattern"),
        )
        .because("DIR stands where it does, and it has wildcards in it")
        .hint(format!(
            "each pattern is an option of its own: `{option}`; a folder of that name is `{folder}/`"
        )));
    };
    let (repo, revision) = (&settings.repo, &settings.revision);
    let (meant, words) = (format!("{folder}/"), request.selection.words());
    let place = if is_box { vec![target.ssh.as_str(), &meant] } else { vec![meant.as_str()] };
    let after = place.into_iter().chain(words.iter().map(String::as_str)).collect();
    let whole = of_command(&TypedCommand { verb: settings.verb, after }, repo, revision);
    let file_alone = file_command(repo, file.as_str(), revision);
    let there = if is_box { " on the box" } else { "" };
    Err(Problem::new(Exit::Usage, format!("cannot tell whether `{folder}` is the folder for {repo}, or a file of it"))
        .because(format!("`{file}` is a file of {repo}, and DIR is the folder that all of its files go to"))
        .hint(format!("that file alone comes here with `{file_alone}`; all of them into a folder of that name{there}: `{whole}`")))
}

/// A repository that the Hub does not know, where a folder here has that name, and DIR that of a repository: the words are
/// in the wrong order.
pub(super) async fn in_order(
    problem: Problem,
    request: &SyncRequest,
    target: &Target,
    cancel: &CancellationToken,
) -> Problem {
    let settings = &request.settings;
    let repo = target.typed_folder().parse::<RepoId>().ok().filter(|repo| repo.name().contains('/'));
    let (Exit::NotFound, Machine::Local(_), Some(repo)) = (problem.exit, &target.machine, repo) else {
        return problem;
    };
    if look(here(target.typed_folder()), Path::exists, cancel).await.unwrap_or(true) {
        return problem;
    }
    let (name, kind) = (settings.repo.name(), settings.repo.kind().plural());
    for folder in [settings.repo.to_string(), format!("{kind}/{name}")] {
        if look(PathBuf::from(&folder), Path::is_dir, cancel).await.unwrap_or(false) {
            let swapped = TypedCommand { verb: settings.verb, after: vec![&folder] };
            let command = of_command(&swapped, &repo, &settings.revision);
            return problem.hint(format!("`{folder}` is a folder here; MODEL comes first: `{command}`"));
        }
    }
    problem
}

/// Looks at a path, on a thread of its own: a disk that does not answer must not hold up Ctrl-C.
pub(super) async fn look(
    path: PathBuf,
    at: fn(&Path) -> bool,
    cancel: &CancellationToken,
) -> Result<bool, Problem> {
    let looking = async { Ok(spawn_blocking(move || at(&path)).await.unwrap_or_default()) };
    unless_cancelled(cancel, looking).await
}

/// The listed file whose name a folder has.
fn namesake<'a>(folder: &str, listing: &'a Listing) -> Option<RepoPathRef<'a>> {
    if folder.ends_with('/') {
        return None;
    }
    let whole = folder.trim_start_matches("./");
    let last = folder.rsplit('/').next()?;
    let named = |name: &str| listing.files.iter().map(|file| file.path).find(|path| path.as_str() == name);
    let below = || {
        let is_last = |path: &RepoPathRef<'_>| path.as_str().rsplit('/').next() == Some(last);
        listing.files.iter().map(|file| file.path).find(is_last).filter(|_| last.contains('.'))
    };
    named(whole).or_else(|| named(last)).or_else(below)
}

/// The folder as an agent here will read it.
fn here(folder: &str) -> PathBuf {
    match (folder.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => Path::new(folder).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::Digest;

    use super::*;

    #[test]
    fn a_folder_has_the_name_of_a_file_with_all_of_its_path_or_the_end_of_it() {
        let digest = Digest::GitSha1([0; 20]);
        let names = ["LICENSE", "config.json", "onnx/model.onnx", "onnx/vocab"];
        let listing = Listing::of(names.map(|name| (name, 1, digest)));
        for (folder, expected) in [
            ("config.json", Some("config.json")),
            ("./config.json", Some("config.json")),
            ("/workspace/config.json", Some("config.json")),
            ("LICENSE", Some("LICENSE")),
            ("onnx/model.onnx", Some("onnx/model.onnx")),
            ("models/model.onnx", Some("onnx/model.onnx")),
            ("onnx/vocab", Some("onnx/vocab")),
            ("models/vocab", None),
            ("onnx", None),
            ("config.json/", None),
            ("config.json/x", None),
            ("config", None),
            (".", None),
        ] {
            assert_eq!(namesake(folder, &listing).map(RepoPathRef::as_str), expected, "{folder}");
        }
    }
}
