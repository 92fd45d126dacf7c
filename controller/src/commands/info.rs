//! `hfdown info MODEL`: what the Hub says.

use std::sync::Arc;

use hfdown_agent::http::SpeedFloor;

use super::Context;
use super::listing::{chosen, tell_notes};
use crate::cli::{Model, RepoArguments, SelectionArguments, Settings, TypedCommand, of_command};
use crate::event::Event;
use crate::failure::{self, Exit, Problem};
use crate::selection::Contents;

pub(super) async fn run(
    source: &RepoArguments,
    selection: &SelectionArguments,
    context: &Context,
) -> Result<Exit, Problem> {
    let events = context.events(None);
    let words = selection.words();
    let after = words.iter().map(String::as_str).collect();
    let model = Model::whole(source, &TypedCommand { verb: "info", after })?;
    let selection = selection.selection(model.quantisation.as_ref())?;
    let settings = Settings::new(model, source.token.as_deref(), SpeedFloor::default(), &events)?;
    let Settings { hub, repo, revision, .. } = &settings;
    let fail = |error| failure::hub(format!("cannot list {repo} at {revision}"), &error, hub, repo);
    let asking = async {
        let info = hub.info(repo, revision).await?;
        let listing = hub.list(&info).await?;
        Ok((info, Arc::new(listing)))
    };
    let (info, listing) = tokio::select! {
        answered = asking => answered.map_err(fail)?,
        () = context.cancel.cancelled() => return Ok(Exit::Cancelled),
    };
    let selected = chosen(&selection, &listing, || format!("cannot select files of {repo}"), revision)?;
    tell_notes(&selected, &events).await;
    let command = |options: &[String]| {
        let after = options.iter().map(String::as_str).collect();
        of_command(&TypedCommand { verb: "download", after }, repo, revision)
    };
    let files = selected.wanted.iter().map(|(_, file)| (file.path.as_str(), file.size));
    let contents = Box::new(Contents::of(files, &selection, command));
    events.send(Event::Described { info: Box::new(info), selected: Box::new(selected), contents }).await;
    Ok(Exit::Done)
}
