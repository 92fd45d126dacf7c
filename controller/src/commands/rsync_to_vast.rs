//! `hfdown rsync-to-vast MODEL SSH DIR | --cache`: bring a folder on a box up to date, or the hub cache there.

use std::num::NonZeroU32;

use hfdown_protocol::Traces;

use super::Context;
use super::request::{SyncRequest, Target, Through};
use crate::cli::{
    BoxDestination, Cache, Model, RepoArguments, Settings, SyncArguments, TransferArguments, TypedCommand,
};
use crate::failure::Problem;

/// What was typed.
pub(super) struct BoxSync<'a> {
    pub(super) source: &'a RepoArguments,
    pub(super) there: &'a BoxDestination,
    pub(super) sync: &'a SyncArguments,
    pub(super) transfer: &'a TransferArguments,
    pub(super) traces: Traces,
    pub(super) through: Through,
    /// For how many seconds a box that is left alone may wait for new addresses, where it is to be left alone.
    pub(super) detach: Option<NonZeroU32>,
}

pub(super) async fn request(typed: BoxSync<'_>, context: &Context) -> Result<(SyncRequest, Target), Problem> {
    let (source, there) = (typed.source, typed.there);
    let (ssh, folder) = (there.ssh.as_str(), there.folder.as_deref());
    let command = TypedCommand { verb: "rsync-to-vast", after: std::iter::once(ssh).chain(folder).collect() };
    let model = Model::whole(source, &command)?;
    let cache = Cache::on_box(&there.cache)?;
    let target = Target::on_box((ssh, &there.login), folder, cache.as_ref(), typed.traces, context).await?;
    let token = source.token.as_deref();
    let settings = Settings::new(model, token, typed.transfer.floor(), &target.events)?;
    let request = SyncRequest {
        policy: typed.sync.policy(),
        traces: typed.traces,
        through: typed.through,
        detach: typed.detach,
        ..SyncRequest::new(settings, typed.transfer)
    };
    Ok((request.into_cache(cache.as_ref()), target))
}
