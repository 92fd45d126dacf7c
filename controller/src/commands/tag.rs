//! `org/name:Q4_K_M`: a quantisation, as `ollama` and `llama.cpp` choose one. It is answered with the files that have it.

use std::time::Duration;

use hfdown_agent::http::SpeedFloor;

use super::Context;
use crate::cli::{
    Command, Model, RepoArguments, Settings, TypedCommand, file_command, names_no_repository, typed_tag,
};
use crate::failure::Problem;
use crate::hub::{RepoId, Revision};

/// How long the Hub may take to say which files there are; without its answer there is a plainer one.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most files that are named. A quantisation of a large model has a dozen shards.
const MOST: usize = 3;

/// Why a command whose MODEL names a quantisation is not carried out.
pub(super) async fn refusal(command: &Command, context: &Context) -> Option<Problem> {
    let source = command.source()?;
    let (repo, tag) = typed_tag(source)?;
    let named = tokio::select! {
        named = tokio::time::timeout(PATIENCE, files(source, &repo, &tag, context)) => named.ok().flatten(),
        () = context.cancel.cancelled() => None,
    };
    let hint = match named {
        Some(files) if files.is_empty() => {
            format!("{repo} has no file of that name; `hfdown info {repo}` shows what there is")
        }
        Some(files) => {
            let revision =
                source.revision.as_deref().and_then(|typed| Revision::typed(typed).ok()).unwrap_or_default();
            let commands =
                files.iter().take(MOST).map(|file| format!("`{}`", file_command(&repo, file, &revision)));
            let more = files.len().saturating_sub(MOST);
            let more = if more > 0 {
                format!(" and {more} more: `hfdown info {repo}` shows them")
            } else {
                String::new()
            };
            format!("{}{more}", commands.collect::<Vec<_>>().join(", "))
        }
        None => format!(
            "`hfdown info {repo}` shows its files, and the one of that quantisation comes here with `hfdown file {repo} NAME`"
        ),
    };
    Some(
        names_no_repository(&source.model)
            .because(format!(
                "`:{tag}` is a quantisation; hfdown fetches all of a repository, or one of its files"
            ))
            .hint(hint),
    )
}

/// The files that have the quantisation in their names, if the Hub says so.
async fn files(source: &RepoArguments, repo: &RepoId, tag: &str, context: &Context) -> Option<Vec<String>> {
    let named = RepoArguments { model: repo.to_string(), revision: source.revision.clone(), token: None };
    let model = Model::whole(&named, &TypedCommand { verb: "info", after: Vec::new() }).ok()?;
    let events = context.events(None);
    let settings = Settings::new(model, source.token.as_deref(), SpeedFloor::default(), &events).ok()?;
    let info = settings.hub.info(&settings.repo, &settings.revision).await.ok()?;
    let listing = settings.hub.list(&info).await.ok()?;
    let tag = tag.to_ascii_lowercase();
    let paths = listing.files.iter().map(|file| file.path.to_string());
    Some(paths.filter(|path| path.to_ascii_lowercase().contains(&tag)).collect())
}
