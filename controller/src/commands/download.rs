//! `hfdown download MODEL [DIR]`: a whole model into a folder here.

use hfdown_protocol::Check;

use super::Context;
use super::road::travel;
use super::trip::{Bookkeeping, Selection, Trip};
use crate::cli::{RepoArguments, Settings, TransferArguments};
use crate::failure::{Exit, Problem};
use crate::plan::{Extraneous, Policy};

pub(super) async fn run(
    source: &RepoArguments,
    folder: Option<&str>,
    transfer: &TransferArguments,
    context: &Context,
) -> Result<Exit, Problem> {
    let events = context.events(None);
    let settings = &Settings::new(source, &events)?;
    let root = folder.map_or_else(|| format!("./{}", settings.repo), str::to_owned);
    let trip = Trip {
        settings,
        selection: Selection::Everything,
        machine: settings.here()?,
        destination: root.clone(),
        root,
        bookkeeping: Bookkeeping::Full,
        policy: Policy { check: Check::Records, extraneous: Extraneous::Keep },
        transfer,
        detaching: None,
    };
    travel(trip, &events, &context.cancel).await
}
