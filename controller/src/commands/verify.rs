//! `hfdown verify MODEL [SSH] DIR`: read everything that is there and say what is right; with `--repair`, fetch the rest.
//!
//! It is a sync that believes no record. Without `--repair` it ends before the plan, needs no lock and changes nothing, so
//! that it can look at a folder which may not be written to, or which a sync is changing.

use std::time::Duration;

use hfdown_protocol::{Check, Traces};

use super::Context;
use super::attempts::SyncRun;
use super::remedies::{ListedBy, Remedies};
use super::request::{FolderLayout, SyncRequest, Target, Targets, Through};
use crate::cli::{
    BoxAccess, Cache, CacheArguments, FleetArguments, LimitArguments, LoginArguments, Model, PlaceKind,
    RepoArguments, SelectionArguments, Settings, TypedCommand, TypedPlaces, VerifyArguments, of_command,
};
use crate::event::{Event, HintBeside};
use crate::failure::{Exit, Problem};
use crate::plan::{Extraneous, Intent, Inventory, Policy};
use crate::selection::{Selected, Selection};
use crate::session::Machine;
use crate::verification::{VerificationTotals, verify};

const USAGE: &str = "hfdown verify MODEL DIR, or with a folder on a box hfdown verify MODEL 'ssh -p PORT USER@HOST' DIR; --cache in \
     the place of DIR is the hub cache";

/// What was typed.
pub(super) struct TypedVerification<'a> {
    pub(super) source: &'a RepoArguments,
    pub(super) place: &'a [String],
    pub(super) cache: &'a CacheArguments,
    pub(super) selection: &'a SelectionArguments,
    pub(super) verify: &'a VerifyArguments,
    pub(super) login: &'a LoginArguments,
    pub(super) fleet: &'a FleetArguments,
    pub(super) limits: &'a LimitArguments,
}

pub(super) async fn request(
    typed: TypedVerification<'_>,
    context: &Context,
) -> Result<(SyncRequest, Targets), Problem> {
    let TypedVerification { source, place, cache, selection, verify, login, fleet, limits } = typed;
    let words = selection.words();
    let after = place.iter().chain(&words).map(String::as_str).collect();
    let model = Model::whole(source, &TypedCommand { verb: "verify", after })?;
    let selection = selection.selection(model.quantisation.as_ref())?;
    let settings = |model, events| Settings::new(model, source.token.as_deref(), limits.floor(), events);
    let places = TypedPlaces { words: place, is_cache: cache.is_wanted(), fleet };
    let (settings, targets, cache) = match PlaceKind::of(&places, "verify", USAGE)? {
        PlaceKind::Here { folder } => {
            let (events, cache) = (context.events(None), Cache::here(cache)?);
            let settings = settings(model, &events)?;
            let folder = folder.unwrap_or_default().to_owned();
            let target = Target::local(&settings, folder, cache.as_ref(), events)?;
            (settings, Targets::One(Box::new(target)), cache)
        }
        PlaceKind::OnBoxes => {
            let (cache, access) = (Cache::on_box(cache)?, BoxAccess::new(login, Traces::Keep)?);
            let targets = Targets::on_boxes(places, &access, cache.as_ref(), context).await?;
            (settings(model, &targets.events(context))?, targets, cache)
        }
    };
    let intent = if verify.repair { Intent::Execute } else { Intent::Verify };
    let through = if verify.through_controller { Through::Controller } else { Through::Nothing };
    // The layout that needs no commit, which only the record knows.
    let layout = if verify.offline { FolderLayout::Bare } else { FolderLayout::LocalDir };
    let request = SyncRequest {
        selection,
        layout,
        policy: Policy { check: Check::Everything, extraneous: Extraneous::Keep },
        through,
        ..SyncRequest::within(settings, limits, intent)
    };
    Ok((request.into_cache(cache.as_ref()), targets))
}

/// Tells every file, once in a run, and what it comes to.
pub(super) async fn tell(
    request: &SyncRequest,
    target: &Target,
    selected: &Selected,
    inventory: &Inventory,
    took: Duration,
    by: ListedBy,
    run: &mut SyncRun,
) {
    let (mut totals, mut remedies) = (VerificationTotals::default(), Remedies::default());
    for file in verify(selected, inventory) {
        totals.add(&file);
        remedies.add(&file);
        target.events.send(Event::Checked(file)).await;
    }
    target.events.send(Event::Verification { totals, took }).await;
    if !totals.is_right() && request.intent == Intent::Verify {
        let is_part = request.selection == Selection::Everything
            && (totals.wrong.files, totals.right.files > 0) == (0, true);
        if let Some(text) = remedies.in_words(is_part, by) {
            target.events.send(Event::Hint { text, beside: HintBeside::Result }).await;
        }
    }
    run.carryover.tally = totals.tally();
}

fn is_cache(request: &SyncRequest) -> bool {
    matches!(request.layout, FolderLayout::HubCache(_))
}

/// What to do where there is no Hub to go by.
pub(super) fn advise_without_hub(problem: Problem, request: &SyncRequest, target: &Target) -> Problem {
    let is_verification = request.policy.check == Check::Everything && request.intent == Intent::Verify;
    let is_known_here = target.ssh.is_empty() || !is_cache(request);
    if problem.exit != Exit::Unreachable || !is_verification || !is_known_here {
        return advise(problem, request, target);
    }
    let known = if is_cache(request) { "what the cache itself says" } else { "the record of the last sync" };
    let before = problem.hint.as_ref().map(|hint| format!("{hint}; or ")).unwrap_or_default();
    problem.hint(format!("{before}add --offline to go by {known}, without a Hub"))
}

/// What to do where there is nothing to verify.
pub(super) fn advise(problem: Problem, request: &SyncRequest, target: &Target) -> Problem {
    if request.policy.check != Check::Everything {
        return problem;
    }
    if problem.exit != Exit::NotFound || problem.hint.is_some() {
        return problem;
    }
    let Settings { repo, revision, .. } = &request.settings;
    let (verb, ssh) = match target.machine {
        Machine::Local(_) => ("rsync-sync", None),
        Machine::Box { .. } => ("rsync-to-vast", Some(target.ssh.clone())),
    };
    let place = match (request.layout, &target.folder) {
        (FolderLayout::HubCache(_), folder) => Cache::words(folder.as_deref(), ssh.is_none()),
        (FolderLayout::LocalDir | FolderLayout::Bare, folder) => folder.iter().cloned().collect(),
    };
    let words: Vec<String> = ssh.into_iter().chain(place).chain(request.selection.words()).collect();
    let command = TypedCommand { verb, after: words.iter().map(String::as_str).collect() };
    problem.hint(format!("check the path; `{}` brings the model there", of_command(&command, repo, revision)))
}
