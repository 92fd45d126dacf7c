//! `hfdown download MODEL [DIR | --cache]`: a whole model into a folder here, or into the hub cache.

use super::Context;
use super::request::{SyncRequest, Target};
use crate::cli::{Cache, CacheArguments, Model, RepoArguments, Settings, TransferArguments, TypedCommand};
use crate::failure::Problem;

pub(super) fn request(
    source: &RepoArguments,
    folder: Option<&str>,
    cache: &CacheArguments,
    transfer: &TransferArguments,
    context: &Context,
) -> Result<(SyncRequest, Target), Problem> {
    let events = context.events(None);
    let command = TypedCommand { verb: "download", after: folder.into_iter().collect() };
    let model = Model::whole(source, &command)?;
    let settings = Settings::new(model, source.token.as_deref(), transfer.floor(), &events)?;
    let folder = folder.map_or_else(|| format!("./{}", settings.repo), str::to_owned);
    let cache = Cache::here(cache)?;
    let target = Target::local(&settings, folder, cache.as_ref(), events)?;
    Ok((SyncRequest::new(settings, transfer).into_cache(cache.as_ref()), target))
}
