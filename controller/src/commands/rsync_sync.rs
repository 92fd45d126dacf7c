//! `hfdown rsync-sync MODEL DIR`: bring a folder here up to date.

use super::Context;
use super::road::travel;
use super::trip::{Bookkeeping, Selection, Trip};
use crate::cli::{RepoArguments, Settings, SyncArguments, TransferArguments};
use crate::failure::{Exit, Problem};

pub(super) async fn run(
    source: &RepoArguments,
    folder: &str,
    sync: &SyncArguments,
    transfer: &TransferArguments,
    context: &Context,
) -> Result<Exit, Problem> {
    let events = context.events(None);
    let settings = &Settings::new(source, &events)?;
    let trip = Trip {
        settings,
        selection: Selection::Everything,
        machine: settings.here()?,
        destination: folder.to_owned(),
        root: folder.to_owned(),
        bookkeeping: Bookkeeping::Full,
        policy: sync.policy(),
        transfer,
        detaching: None,
    };
    travel(trip, &events, &context.cancel).await
}
