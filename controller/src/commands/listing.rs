//! What the Hub lists, and what of it is wanted.

use std::sync::Arc;

use hfdown_protocol::FileId;
use tokio_util::sync::CancellationToken;

use super::request::SyncRequest;
use crate::cli::{Settings, TypedCommand, of_command};
use crate::display::Events;
use crate::event::Event;
use crate::failure::{self, Problem};
use crate::hub::{HubError, Listing, RepoInfo, Revision};
use crate::plan::Intent;
use crate::selection::{Selected, Selection};
use crate::session::SessionError;
use crate::text::sanitize;

/// The most characters of a name that a user typed.
const LONGEST_NAME: usize = 200;

/// What the Hub says of the repository, pinned to a commit.
pub(super) async fn list(
    request: &SyncRequest,
    cancel: &CancellationToken,
) -> Result<(RepoInfo, Arc<Listing>), Problem> {
    let Settings { hub, repo, revision, .. } = &request.settings;
    let fail = |error: HubError| failure::hub(format!("cannot list {repo} at {revision}"), &error, hub, repo);
    unless_cancelled(cancel, async {
        let info = hub.info(repo, revision).await.map_err(fail)?;
        let listing = hub.list(&info).await.map_err(fail)?;
        Ok((info, Arc::new(listing)))
    })
    .await
}

/// What of it is wanted. Where an account alone may read it, one file is asked for now, so that a token that opens
/// nothing is known before anything is touched.
pub(super) async fn select(
    request: &SyncRequest,
    info: &RepoInfo,
    listing: &Arc<Listing>,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Selected, Problem> {
    let Settings { hub, repo, revision, .. } = &request.settings;
    let attempted = || match &request.selection {
        Selection::File { name, .. } => format!("cannot fetch {} of {repo}", sanitize(name, LONGEST_NAME)),
        Selection::Everything | Selection::Some(_) => format!("cannot select files of {repo}"),
    };
    let selected = chosen(&request.selection, listing, attempted, revision)?;
    let may_fetch = request.intent != Intent::Verify;
    if let (false, true, Some(file)) = (info.is_public(), may_fetch, selected.listed(FileId(0))) {
        let path = &file.path;
        let fail =
            |error: HubError| failure::hub(format!("cannot fetch {path} of {repo}"), &error, hub, repo);
        unless_cancelled(cancel, async { hub.sign(info, path).await.map_err(fail) }).await?;
    }
    let (repo, commit) = (listing.repo.to_string(), listing.commit.clone());
    events.send(Event::Listed { repo, commit, portion: selected.portion() }).await;
    tell_notes(&selected, events).await;
    Ok(selected)
}

/// What is wanted of a listing, or what there is instead.
pub(super) fn chosen(
    selection: &Selection,
    listing: &Arc<Listing>,
    attempted: impl FnOnce() -> String,
    revision: &Revision,
) -> Result<Selected, Problem> {
    selection.apply(listing).map_err(|error| {
        let info = of_command(&TypedCommand { verb: "info", after: Vec::new() }, &listing.repo, revision);
        failure::selection(attempted(), &error, &info)
    })
}

/// Tells what is worth knowing of a selection.
pub(super) async fn tell_notes(selected: &Selected, events: &Events) {
    for note in &selected.notes {
        events.send(Event::Warning { text: failure::selection_note(note) }).await;
    }
}

/// Carries on unless the user wants to stop.
pub(super) async fn unless_cancelled<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    tokio::select! {
        done = work => done,
        () = cancel.cancelled() => Err(failure::session(String::new(), &SessionError::Cancelled)),
    }
}
