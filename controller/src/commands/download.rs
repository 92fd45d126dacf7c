//! `hfdown download MODEL [DIR | --cache]`: a model, or some of its files, into a folder here, or into the hub cache.

use super::Context;
use super::request::{SyncRequest, Target};
use crate::cli::{
    Cache, CacheArguments, Model, RepoArguments, SelectionArguments, Settings, TransferArguments,
    TypedCommand,
};
use crate::failure::Problem;

pub(super) fn request(
    source: &RepoArguments,
    folder: Option<&str>,
    cache: &CacheArguments,
    selection: &SelectionArguments,
    transfer: &TransferArguments,
    context: &Context,
) -> Result<(SyncRequest, Target), Problem> {
    let events = context.events(None);
    let words = selection.words();
    let after = folder.into_iter().chain(words.iter().map(String::as_str)).collect();
    let model = Model::whole(source, &TypedCommand { verb: "download", after })?;
    let selection = selection.selection(model.quantisation.as_ref())?;
    let settings = Settings::new(model, source.token.as_deref(), transfer.limits.floor(), &events)?;
    let folder = folder.map_or_else(|| format!("./{}", settings.repo), str::to_owned);
    let cache = Cache::here(cache)?;
    let target = Target::local(&settings, folder, cache.as_ref(), events)?;
    let request = SyncRequest { selection, ..SyncRequest::new(settings, transfer) };
    Ok((request.into_cache(cache.as_ref()), target))
}
