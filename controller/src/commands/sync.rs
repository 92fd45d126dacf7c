//! The path of every transfer: list and select, once; then connect, survey, plan and execute for each target, which is in
//! `target_sync.rs`.

use std::collections::HashSet;
use std::sync::Arc;

use super::Context;
use super::fleet::{self, FleetOptions, FleetSync};
use super::listing::{list, select};
use super::misplaced::{in_order, refuse_name_of_a_file};
use super::request::{SyncRequest, Targets};
use super::verify;
use crate::failure::{Exit, Problem};
use crate::hub::{Listing, RepoInfo};
use crate::selection::Selected;
use crate::session::{PublicFiles, SharedAnswers, XetSources};

/// What the Hub was asked, which is the same for every target.
pub(super) struct Prepared {
    pub(super) info: Arc<RepoInfo>,
    pub(super) listing: Arc<Listing>,
    pub(super) selected: Selected,
    /// What the Hub says of its files while they are fetched.
    pub(super) answers: Arc<SharedAnswers>,
    /// The Hub's Xet store.
    pub(super) xet: Arc<XetSources>,
    /// Who finds out where they are, if they are public.
    pub(super) public: PublicFiles,
}

/// Brings targets up to date.
pub(super) async fn sync(
    request: SyncRequest,
    targets: Targets,
    options: FleetOptions,
    context: &Context,
) -> Result<Exit, Problem> {
    let prepared = prepare(&request, &targets, context).await?;
    fleet::run(FleetSync { request, prepared }, targets, options, context).await
}

/// Asks the Hub what there is, and selects what is wanted of it.
async fn prepare(request: &SyncRequest, targets: &Targets, context: &Context) -> Result<Prepared, Problem> {
    let cancel = &context.cancel;
    let (info, listing) = match list(request, cancel).await {
        Ok(listed) => listed,
        Err(mut problem) => {
            // What is wrong with the repository is the same for each target.
            if let Some(target) = targets.iter().next() {
                problem = in_order(problem, request, target, cancel).await;
                problem = verify::advise_without_hub(problem, request, target);
            }
            return Err(problem);
        }
    };
    let mut folders = HashSet::new();
    for target in targets.iter().filter(|target| folders.insert(target.folder.as_deref())) {
        refuse_name_of_a_file(request, target, &listing, cancel).await?;
    }
    let selected = select(request, &info, &listing, &targets.events(context), cancel).await?;
    let public = PublicFiles::for_targets(targets.iter().count());
    let public = if request.detach.is_some() { public.in_advance() } else { public };
    let (info, answers) = (Arc::new(info), Arc::default());
    let hub = Arc::clone(&request.settings.hub);
    let xet = Arc::new(XetSources::new(hub, Arc::clone(&info), request.xet));
    Ok(Prepared { info, listing, selected, answers, xet, public })
}
