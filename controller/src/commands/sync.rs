//! The path of every transfer: list and select, once; then connect, survey, plan and execute for each target, which is in
//! `target_sync.rs`.

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::Context;
use super::fleet::{self, FleetOptions, FleetSync};
use super::listing::{list, select};
use super::misplaced::{in_order, refuse_name_of_a_file};
use super::request::{SyncRequest, Target, Targets};
use super::target_sync::carry_out;
use super::verify;
use crate::display::Events;
use crate::failure::{Exit, Problem};
use crate::hub::{Listing, RepoInfo};
use crate::selection::Selected;

/// What the Hub was asked, which is the same for every target.
pub(super) struct Prepared {
    pub(super) info: Arc<RepoInfo>,
    pub(super) listing: Arc<Listing>,
    pub(super) selected: Selected,
    /// When the command began.
    pub(super) began: Instant,
}

/// Brings targets up to date.
pub(super) async fn sync(
    request: SyncRequest,
    targets: Targets,
    options: FleetOptions,
    context: &Context,
) -> Result<Exit, Problem> {
    let events = targets.events(context);
    match targets {
        Targets::One(target) => {
            let cancel = &context.cancel;
            let prepared = prepare(&request, std::slice::from_ref(&*target), &events, cancel).await?;
            carry_out(&request, &target, &prepared, cancel).await.map(|result| result.exit)
        }
        Targets::Fleet(fleet) => {
            let (of_fleet, targets): (Vec<_>, Vec<_>) = fleet.into_iter().unzip();
            let prepared = prepare(&request, &targets, &events, &context.cancel).await?;
            let fleet = of_fleet.into_iter().zip(targets).collect();
            Ok(fleet::run(FleetSync { request, prepared }, fleet, options, context).await)
        }
    }
}

/// Asks the Hub what there is, and selects what is wanted of it.
async fn prepare(
    request: &SyncRequest,
    targets: &[Target],
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Prepared, Problem> {
    let began = Instant::now();
    let (info, listing) = match list(request, cancel).await {
        Ok(listed) => listed,
        Err(mut problem) => {
            // What is wrong with the repository is the same for each target.
            if let Some(target) = targets.first() {
                problem = in_order(problem, request, target, cancel).await;
                problem = verify::advise(problem, request, target);
            }
            return Err(problem);
        }
    };
    for target in targets {
        refuse_name_of_a_file(request, target, &listing, cancel).await?;
    }
    let selected = select(request, &info, &listing, events, cancel).await?;
    Ok(Prepared { info: Arc::new(info), listing, selected, began })
}
