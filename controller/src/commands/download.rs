//! `hfdown download MODEL [DIR]`: a whole model into a folder here.

use hfdown_protocol::Check;

use super::Context;
use super::road::travel;
use super::trip::{Bookkeeping, Selection, Trip};
use crate::cli::{Copying, Settings, Source};
use crate::failure::{Exit, Problem};
use crate::plan::{Policy, Strays};

pub(super) async fn run(
    source: &Source,
    folder: Option<&str>,
    copying: &Copying,
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
        policy: Policy { check: Check::Records, strays: Strays::Keep },
        copying,
        detaching: None,
    };
    travel(trip, &events, &context.cancel).await
}
