//! `hfdown rsync-sync MODEL DIR | --cache`: bring a folder here up to date, or the hub cache.

use super::Context;
use super::request::{SyncRequest, Target};
use crate::cli::{
    Cache, CacheArguments, Model, RepoArguments, SelectionArguments, Settings, SyncArguments,
    TransferArguments, TypedCommand,
};
use crate::failure::Problem;

/// What was typed.
pub(super) struct FolderSync<'a> {
    pub(super) source: &'a RepoArguments,
    pub(super) cache: &'a CacheArguments,
    pub(super) selection: &'a SelectionArguments,
    pub(super) sync: &'a SyncArguments,
    pub(super) transfer: &'a TransferArguments,
}

pub(super) fn request(
    typed: &FolderSync<'_>,
    folder: Option<&str>,
    context: &Context,
) -> Result<(SyncRequest, Target), Problem> {
    let FolderSync { source, cache, selection, sync, transfer } = *typed;
    let events = context.events(None);
    let words = selection.words();
    let after = folder.into_iter().chain(words.iter().map(String::as_str)).collect();
    let model = Model::whole(source, &TypedCommand { verb: "rsync-sync", after })?;
    let selection = selection.selection(model.quantisation.as_ref())?;
    let settings = Settings::new(model, source.token.as_deref(), transfer.limits.floor(), &events)?;
    let cache = Cache::here(cache)?;
    let target = Target::local(&settings, folder.unwrap_or_default().to_owned(), cache.as_ref(), events)?;
    let request = SyncRequest { selection, policy: sync.policy(), ..SyncRequest::new(settings, transfer) };
    Ok((request.into_cache(cache.as_ref()), target))
}
