//! `hfdown rsync-sync MODEL DIR | --cache`: bring a folder here up to date, or the hub cache.

use super::Context;
use super::request::{SyncRequest, Target};
use crate::cli::{
    Cache, CacheArguments, Model, RepoArguments, Settings, SyncArguments, TransferArguments, TypedCommand,
};
use crate::failure::Problem;

pub(super) fn request(
    source: &RepoArguments,
    folder: Option<&str>,
    cache: &CacheArguments,
    arguments: &SyncArguments,
    transfer: &TransferArguments,
    context: &Context,
) -> Result<(SyncRequest, Target), Problem> {
    let events = context.events(None);
    let model =
        Model::whole(source, &TypedCommand { verb: "rsync-sync", after: folder.into_iter().collect() })?;
    let settings = Settings::new(model, source.token.as_deref(), transfer.floor(), &events)?;
    let cache = Cache::here(cache)?;
    let target = Target::local(&settings, folder.unwrap_or_default().to_owned(), cache.as_ref(), events)?;
    let request = SyncRequest { policy: arguments.policy(), ..SyncRequest::new(settings, transfer) };
    Ok((request.into_cache(cache.as_ref()), target))
}
