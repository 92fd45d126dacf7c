//! `hfdown rsync-sync MODEL DIR`: bring a folder here up to date.

use super::Context;
use super::road::travel;
use super::trip::{Bookkeeping, Selection, Trip};
use crate::cli::{Copying, Settings, Source, Syncing};
use crate::failure::{Exit, Problem};

pub(super) async fn run(
    source: &Source,
    folder: &str,
    syncing: &Syncing,
    copying: &Copying,
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
        policy: syncing.policy(),
        copying,
        detaching: None,
    };
    travel(trip, &events, &context.cancel).await
}
