//! `hfdown info MODEL`: what the Hub says.

use hfdown_agent::http::SpeedFloor;

use super::Context;
use crate::cli::{Model, RepoArguments, Settings, TypedCommand};
use crate::event::Event;
use crate::failure::{self, Exit, Problem};

pub(super) async fn run(source: &RepoArguments, context: &Context) -> Result<Exit, Problem> {
    let events = context.events(None);
    let model = Model::whole(source, &TypedCommand { verb: "info", after: Vec::new() })?;
    let settings = Settings::new(model, source.token.as_deref(), SpeedFloor::default(), &events)?;
    let Settings { hub, repo, revision, .. } = &settings;
    let fail = |error| failure::hub(format!("cannot list {repo} at {revision}"), &error, hub, repo);
    let asking = async {
        let info = hub.info(repo, revision).await?;
        let listing = hub.list(&info).await?;
        Ok((info, listing))
    };
    let (info, listing) = tokio::select! {
        answered = asking => answered.map_err(fail)?,
        () = context.cancel.cancelled() => return Ok(Exit::Cancelled),
    };
    events.send(Event::Described { info: Box::new(info), listing: Box::new(listing) }).await;
    Ok(Exit::Done)
}
