//! `hfdown rsync-sync MODEL DIR`: bring a folder here up to date.

use super::Context;
use super::request::{SyncRequest, Target};
use crate::cli::{Model, RepoArguments, Settings, SyncArguments, TransferArguments, TypedCommand};
use crate::failure::Problem;

pub(super) fn request(
    source: &RepoArguments,
    folder: &str,
    arguments: &SyncArguments,
    transfer: &TransferArguments,
    context: &Context,
) -> Result<(SyncRequest, Target), Problem> {
    let events = context.events(None);
    let model = Model::whole(source, &TypedCommand { verb: "rsync-sync", after: vec![folder] })?;
    let settings = Settings::new(model, source.token.as_deref(), transfer.floor(), &events)?;
    let target = Target::local(&settings, folder.to_owned(), events)?;
    let request = SyncRequest { policy: arguments.policy(), ..SyncRequest::new(settings, transfer) };
    Ok((request, target))
}
