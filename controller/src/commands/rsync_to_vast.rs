//! `hfdown rsync-to-vast MODEL SSH DIR`: bring a folder on a box up to date.

use std::num::NonZeroU32;

use hfdown_protocol::Traces;

use super::Context;
use super::road::travel;
use super::there::Place;
use super::trip::{Bookkeeping, Detaching, Selection, Trip};
use crate::cli::{BoxArguments, RepoArguments, Settings, SyncArguments, TransferArguments};
use crate::failure::{Exit, Problem};

/// What is asked for.
pub(super) struct Wish<'a> {
    pub(super) source: &'a RepoArguments,
    pub(super) there: &'a BoxArguments,
    pub(super) sync: &'a SyncArguments,
    pub(super) transfer: &'a TransferArguments,
    pub(super) traces: Traces,
    /// For how many seconds a box that is left alone may wait for new addresses; none where somebody stays.
    pub(super) idle_timeout: Option<NonZeroU32>,
}

pub(super) async fn run(wish: Wish<'_>, context: &Context) -> Result<Exit, Problem> {
    let Wish { source, there, sync, transfer, traces, idle_timeout } = wish;
    let folder = &there.folder;
    let Place { machine, name, events } = Place::new(there, traces, context).await?;
    let settings = &Settings::new(source, &events)?;
    let trip = Trip {
        settings,
        selection: Selection::Everything,
        machine,
        destination: format!("{name}:{folder}"),
        root: folder.clone(),
        bookkeeping: match traces {
            Traces::Keep => Bookkeeping::Full,
            Traces::Remove => Bookkeeping::Traceless,
        },
        policy: sync.policy(),
        transfer,
        detaching: idle_timeout.map(|idle_timeout| Detaching { ssh: &there.ssh, idle_timeout }),
    };
    travel(trip, &events, &context.cancel).await
}
