//! `hfdown rsync-to-vast MODEL SSH… DIR | --cache`: bring a folder on boxes up to date, or the hub caches there.

use std::num::NonZeroU32;

use hfdown_protocol::Traces;

use super::Context;
use super::request::{SyncRequest, Targets, Through};
use crate::cli::{
    BoxAccess, BoxDestination, Cache, Model, RepoArguments, SelectionArguments, Settings, SyncArguments,
    TransferArguments, TypedCommand, TypedPlaces,
};
use crate::failure::Problem;

/// What was typed.
pub(super) struct BoxSync<'a> {
    pub(super) source: &'a RepoArguments,
    pub(super) there: &'a BoxDestination,
    pub(super) selection: &'a SelectionArguments,
    pub(super) sync: &'a SyncArguments,
    pub(super) transfer: &'a TransferArguments,
    pub(super) traces: Traces,
    pub(super) through: Through,
    /// For how many seconds a box that is left alone may wait for new addresses, where it is to be left alone.
    pub(super) detach: Option<NonZeroU32>,
}

pub(super) async fn request(
    typed: BoxSync<'_>,
    context: &Context,
) -> Result<(SyncRequest, Targets), Problem> {
    let (source, there) = (typed.source, typed.there);
    let words = typed.selection.words();
    let after = there.places.iter().chain(&words).map(String::as_str).collect();
    let model = Model::whole(source, &TypedCommand { verb: "rsync-to-vast", after })?;
    let selection = typed.selection.selection(model.quantisation.as_ref())?;
    let cache = Cache::on_box(&there.cache)?;
    let access = BoxAccess::new(&there.login, typed.traces)?;
    let places = TypedPlaces { words: &there.places, is_cache: there.cache.is_wanted(), fleet: &there.fleet };
    let targets = Targets::on_boxes(places, &access, cache.as_ref(), context).await?;
    let (token, floor) = (source.token.as_deref(), typed.transfer.limits.floor());
    let settings = Settings::new(model, token, floor, &targets.events(context))?;
    let request = SyncRequest {
        selection,
        policy: typed.sync.policy(),
        traces: typed.traces,
        through: typed.through,
        detach: typed.detach,
        ..SyncRequest::new(settings, typed.transfer)
    };
    Ok((request.into_cache(cache.as_ref()), targets))
}
