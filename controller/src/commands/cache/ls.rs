//! `hfdown cache ls`: what is there.

use std::time::SystemTime;

use super::{Context, open};
use crate::cache::{CacheEvent, CacheListing, CacheOrder, CacheTarget};
use crate::cli::CachePlace;
use crate::event::Event;
use crate::failure::{Exit, Problem};

/// What has a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Repositories,
    Revisions,
}

pub(super) async fn run(
    models: &[String],
    detail: Detail,
    order: CacheOrder,
    place: &CachePlace,
    context: &Context,
) -> Result<Exit, Problem> {
    let opened = open::open(place, context).await?;
    let (path, scan) = (&opened.path, &opened.scan);
    let mut shown = Vec::new();
    for typed in models {
        let (CacheTarget::Repository(index) | CacheTarget::Revision(index, _)) =
            opened.resolve(typed, "show")?;
        shown.push(index);
    }
    shown.sort_unstable();
    shown.dedup();
    let shown = (!models.is_empty()).then_some(&shown[..]);
    opened.warn(context).await;
    let now = SystemTime::now();
    let listing = match detail {
        Detail::Repositories => CacheListing::of_repositories(path, scan, shown, order, now),
        Detail::Revisions => CacheListing::of_revisions(path, scan, shown, order, now),
    };
    let events = context.events(None);
    if opened.cache.is_none() {
        events.send(Event::Cache(Box::new(CacheEvent::Absent { path: listing.path.clone() }))).await;
    }
    events.send(Event::Cache(Box::new(CacheEvent::Listed(listing)))).await;
    Ok(Exit::Done)
}
