//! `hfdown download MODEL [DIR]`: a whole model into a folder here.

use super::Context;
use super::request::{SyncRequest, Target};
use crate::cli::{Model, RepoArguments, Settings, TransferArguments, TypedCommand};
use crate::failure::Problem;

pub(super) fn request(
    source: &RepoArguments,
    folder: Option<&str>,
    transfer: &TransferArguments,
    context: &Context,
) -> Result<(SyncRequest, Target), Problem> {
    let events = context.events(None);
    let command = TypedCommand { verb: "download", after: folder.into_iter().collect() };
    let model = Model::whole(source, &command)?;
    let settings = Settings::new(model, source.token.as_deref(), transfer.floor(), &events)?;
    let folder = folder.map_or_else(|| format!("./{}", settings.repo), str::to_owned);
    let target = Target::local(&settings, folder, events)?;
    Ok((SyncRequest::new(settings, transfer), target))
}
