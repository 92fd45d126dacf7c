//! One target, brought up to date: connect, survey, plan, execute, and say what has become of it.

use std::sync::Arc;
use std::time::Instant;

use hfdown_protocol::{Check, Commit, End, FileTable, FoundBasis, Traces};
use tokio_util::sync::CancellationToken;

use super::attempts::{Interrupted, SyncRun, TargetWork, attempts};
use super::fleet::BoxResult;
use super::remedies::ListedBy;
use super::request::{FolderLayout, SyncRequest, Target, Through};
use super::summary::exit;
use super::sync::Prepared;
use super::verify;
use crate::cli::Settings;
use crate::detached_records::DetachedRecord;
use crate::event::{Event, HintBeside};
use crate::failure::{self, Problem};
use crate::fleet::BoxEnding;
use crate::hub::Listing;
use crate::link::Leftovers;
use crate::plan::{self, Intent, Inventory, Plan};
use crate::routes::{LARGEST_PLAIN, Routes};
use crate::selection::Selected;
use crate::session::{
    self, ConnectAttempt, DetachOptions, Execution, Listened, Machine, Relaying, SelfServed, Session,
    Sources, left_running,
};
use crate::tally::Tally;
use crate::text::sanitize;
use crate::text::units::{bytes, count};

/// The most characters of a name that is listed and refused.
const LONGEST_NAME: usize = 200;

/// Brings one target up to date with what there is, by a run that has `began` then.
pub(super) async fn carry_out(
    request: &SyncRequest,
    target: &Target,
    prepared: &Prepared,
    began: Instant,
    cancel: &CancellationToken,
) -> Result<BoxResult, Problem> {
    let relaying = match (&target.machine, request.through) {
        (Machine::Local(_), _) => Relaying::Here,
        (Machine::Box { .. }, Through::Controller) => Relaying::ToBox,
        (Machine::Box { .. }, Through::Nothing) => Relaying::Never,
    };
    let (hub, info) = (Arc::clone(&request.settings.hub), Arc::clone(&prepared.info));
    let answers = Arc::clone(&prepared.answers);
    let sources =
        Sources::shared(hub, info, relaying, prepared.public, answers).with_xet(Arc::clone(&prepared.xet));
    let sync = TargetSync { request, target, prepared, sources, cancel };
    let (run, ended) = attempts(&sync, target, cancel).await;
    tell_what_stays(request, target, &run, &ended).await;
    advise(request, target, &sync.sources).await;
    if ended.is_err() {
        // What came over the network came, and costs what it costs.
        let tally = Tally { elapsed: began.elapsed(), intent: request.intent, ..run.carryover.tally.clone() };
        target.events.send(Event::Tallied(tally)).await;
    }
    let ended = ended.map_err(|problem| verify::advise(problem, request, target))?;
    Ok(summarise(request, target, &prepared.listing.commit, run, ended, began).await)
}

/// What is to be done, where.
struct TargetSync<'a> {
    request: &'a SyncRequest,
    target: &'a Target,
    prepared: &'a Prepared,
    sources: Sources,
    cancel: &'a CancellationToken,
}

impl TargetWork for TargetSync<'_> {
    type Done = Listened;

    async fn attempt(
        &self,
        attempt: &mut ConnectAttempt,
        run: &mut SyncRun,
    ) -> Result<Listened, Interrupted> {
        let Self { request, target, cancel, .. } = self;
        let Prepared { listing, .. } = self.prepared;
        let known = (&listing.commit, &listing.files);
        let mut session = connect(request, target, known, attempt, cancel).await?;
        session.root().clone_into(&mut run.held);
        let ended = self.conduct(&mut session, run).await;
        let is_last = ended.is_ok() || cancel.is_cancelled() || !run.may_follow;
        if is_last {
            (run.left, run.dismissal) = session.close_for_good().await;
        } else {
            run.left = session.close().await;
        }
        ended
    }
}

impl TargetSync<'_> {
    /// All of it but hello and goodbye.
    async fn conduct(&self, session: &mut Session, run: &mut SyncRun) -> Result<Listened, Interrupted> {
        let Self { request, target, sources, .. } = self;
        let Prepared { listing, selected, .. } = self.prepared;
        let looking = Instant::now();
        let inventory = survey(request, target, selected, session, run).await?;
        if request.policy.check == Check::Everything && run.plan.is_none() {
            let took = looking.elapsed();
            verify::tell(request, target, selected, &inventory, took, ListedBy::Hub, run).await;
        }
        if request.intent == Intent::Verify {
            return Ok(Listened::Finished);
        }
        let mut plan = plan::plan(selected, &inventory, &request.policy);
        plan.is_in_cache = matches!(request.layout, FolderLayout::HubCache(_));
        plan.routes = self.routes(&plan, &inventory.bases).await;
        let plan = Arc::new(plan);
        announce(request, target, &plan, run).await;
        let execution = execution(request, listing, &plan);
        if let Execution::Detached(_) = execution {
            let first = plan.to_fetch().next().map(|first| first.listed());
            if let Some(first) = first {
                tokio::select! {
                    () = sources.try_without_token(&first) => {}
                    () = self.cancel.cancelled() => {}
                }
            }
            // Before the client can leave: links break at any time.
            keep_record(request, target, listing, (sources, &*plan), session.root()).await;
        }
        if let Execution::Attached | Execution::Detached(_) = execution {
            describe(session, listing, target).await?;
        }
        let (events, run) = (&target.events, &mut run.carryover);
        let executed = session.execute(&plan, &execution, sources, events, run).await;
        executed.map_err(|error| Interrupted {
            attempted: format!("cannot fetch {} to {}", listing.repo, target.destination),
            error,
        })
    }
}

impl TargetSync<'_> {
    /// By what way the files of a plan come. Trouble with the Xet store is none of the run's.
    async fn routes(&self, plan: &Plan, bases: &[FoundBasis]) -> Routes {
        let xet = &self.prepared.xet;
        let (mut routes, trouble) = tokio::select! {
            found = xet.routes(plan, &self.prepared.listing) => found,
            () = self.cancel.cancelled() => return Routes::default(),
        };
        if let Some(failure) = trouble {
            self.target.events.send(Event::FellBack { path: None, failure }).await;
        }
        let repository = (&*self.request.settings.hub, &*self.prepared.info);
        tokio::select! {
            () = xet.compare(plan, repository, bases, &mut routes) => {}
            () = self.cancel.cancelled() => {}
        }
        if self.request.detach.is_some() {
            tokio::select! {
                () = xet.fit_in_advance(plan, &mut routes) => {}
                () = self.cancel.cancelled() => {}
            }
        }
        routes
    }
}

pub(super) async fn connect(
    request: &SyncRequest,
    target: &Target,
    (commit, files): (&Commit, &Arc<FileTable>),
    attempt: &mut ConnectAttempt,
    cancel: &CancellationToken,
) -> Result<Session, Interrupted> {
    let open = request.open(target, commit, Arc::clone(files), *attempt);
    let session = session::connect(&target.machine, open, &target.events, cancel)
        .await
        .map_err(|error| Interrupted::on(target, || format!("cannot open {}", target.destination), error))?;
    *attempt = ConnectAttempt::Reconnect;
    Ok(session)
}

/// Tells a hub cache that does not know it what the commit contains.
async fn describe(session: &mut Session, listing: &Listing, target: &Target) -> Result<(), Interrupted> {
    session
        .describe(listing)
        .await
        .map_err(|error| Interrupted { attempted: format!("cannot begin in {}", target.destination), error })
}

pub(super) async fn survey(
    request: &SyncRequest,
    target: &Target,
    selected: &Selected,
    session: &mut Session,
    run: &mut SyncRun,
) -> Result<Inventory, Interrupted> {
    session
        .survey(selected, request.policy.check, &target.events, &mut run.carryover)
        .await
        .map_err(|error| Interrupted { attempted: format!("cannot look at {}", target.destination), error })
}

/// Tells the first plan of a run, which is the whole of what is to be done, and what of it can't be had.
async fn announce(request: &SyncRequest, target: &Target, plan: &Arc<Plan>, run: &mut SyncRun) {
    if run.plan.is_some() {
        return;
    }
    let events = &target.events;
    events.send(Event::Planned { plan: Arc::clone(plan), intent: request.intent }).await;
    if request.through == Through::Controller {
        let (host, size) = (request.settings.hub.host(), bytes(plan.missing_bytes()));
        let text = format!(
            "files that {host} gives no signed address for travel twice, from there to this machine and from here to the box: \
             up to {size} down this machine's line and {size} up"
        );
        events.send(Event::Warning { text }).await;
    }
    for refused in &plan.refused {
        let path = sanitize(&refused.name, LONGEST_NAME);
        events.send(Event::Failed { path, failure: refused.reason.failure() }).await;
    }
    for (file, failure) in plan.obstructed() {
        events.send(Event::Failed { path: file.path.to_string(), failure }).await;
    }
    run.carryover.begin(plan);
    run.plan = Some(Arc::clone(plan));
}

/// What is done with a plan. An agent that is to be left alone is left only where there is something to fetch; where
/// there is nothing, the plan is executed all the same: the agent records what it has just proved.
fn execution(request: &SyncRequest, listing: &Listing, plan: &Plan) -> Execution {
    match (request.intent, request.detach) {
        (Intent::DryRun | Intent::Verify, _) => Execution::DryRun,
        (Intent::Execute, Some(idle_timeout)) if plan.to_fetch().next().is_some() => {
            let title = format!("{} @ {}", listing.repo, listing.commit.short());
            Execution::Detached(DetachOptions { title, idle_timeout })
        }
        (Intent::Execute, _) => Execution::Attached,
    }
}

/// Remembers where addresses come from that an agent can't get by itself, for `hfdown attach` on this machine.
async fn keep_record(
    request: &SyncRequest,
    target: &Target,
    listing: &Listing,
    (sources, plan): (&Sources, &Plan),
    root: &str,
) {
    let Machine::Box { target: host, .. } = &target.machine else { return };
    let needs_terms =
        plan.to_fetch().any(|planned| planned.size > LARGEST_PLAIN && plan.routes.xet(planned.id).is_some());
    if !sources.needs_this_machine() && !needs_terms {
        return;
    }
    let record = DetachedRecord {
        endpoint: request.settings.hub.endpoint().to_string(),
        repo: listing.repo.to_string(),
        commit: listing.commit.clone(),
    };
    if let Err(error) = target.records.keep(host, root, &record) {
        let text = format!("`hfdown attach` will not be able to renew addresses: {error}");
        target.events.send(Event::Warning { text }).await;
    }
}

/// Tells of what was to leave no traces and stays on the machine all the same.
async fn tell_what_stays(
    request: &SyncRequest,
    target: &Target,
    run: &SyncRun,
    ended: &Result<Listened, Problem>,
) {
    let warn = async |text: String| target.events.send(Event::Warning { text }).await;
    if let Some(text) = left_running(&run.dismissal) {
        warn(text).await;
    }
    if run.left == Leftovers::Something {
        let text = "what was put on the box could not be removed: look for agent-* in its ~/.cache/hfdown, and for \
                    ~/.no_auto_tmux";
        warn(text.to_owned()).await;
    }
    let tally = &run.carryover.tally;
    let is_complete =
        matches!(ended, Ok(Listened::Finished)) && tally.end == End::Complete && tally.lost == 0;
    let is_fetching = request.intent == Intent::Execute && tally.to_fetch > 0;
    if request.traces == Traces::Remove && is_fetching && !is_complete {
        warn(format!(
            "what has arrived of files that are not complete stays in {} on the box, for the next run to go on from",
            request.own_folder(target, &run.held)
        ))
        .await;
    }
    let left_out = run.plan.as_ref().map_or(0, |plan| plan.left_out_parts.len());
    if request.traces == Traces::Remove && request.intent == Intent::Execute && is_complete && left_out > 0 {
        let (files, is) = (count(left_out, "file"), if left_out == 1 { "is" } else { "are" });
        let folder = request.own_folder(target, &run.held);
        warn(format!(
            "what has arrived of {files} that {is} left out stays in {folder} on the box, for a run that wants it"
        ))
        .await;
    }
}

/// Says once what can be done about files that were refused.
async fn advise(request: &SyncRequest, target: &Target, sources: &Sources) {
    let Settings { hub, repo, .. } = &request.settings;
    let hint =
        async |text: String| target.events.send(Event::Hint { text, beside: HintBeside::Failure }).await;
    if let Some(text) = sources.take_refusal().and_then(|error| failure::hub_advice(&error, hub, repo)) {
        hint(text).await;
    }
    if let Some(SelfServed { files, bytes: size }) = sources.take_withheld() {
        let (files, size) = (count(files, "file"), bytes(size));
        hint(format!(
            "{} gives out no signed addresses that a box could fetch from: `--through-controller` sends {files} ({size}) over \
             the link, by way of this machine; or use `hfdown rsync-sync` here and copy",
            hub.host()
        ))
        .await;
    }
}

async fn summarise(
    request: &SyncRequest,
    target: &Target,
    commit: &Commit,
    run: SyncRun,
    ended: Listened,
    began: Instant,
) -> BoxResult {
    let missing = run.plan.map_or(0, |plan| plan.missing_bytes());
    let snapshot = request.snapshot(&run.held, commit);
    let tally = Tally { elapsed: began.elapsed(), intent: request.intent, snapshot, ..run.carryover.tally };
    match ended {
        Listened::Finished => {
            let exit = exit(&tally);
            target.events.send(Event::Finished(tally.clone())).await;
            BoxResult { exit, ending: BoxEnding::Finished(tally) }
        }
        Listened::Underway => {
            // A transfer into a cache is found by the folder that it has for itself.
            let folder = match request.layout {
                FolderLayout::HubCache(_) => &run.held,
                FolderLayout::LocalDir | FolderLayout::Bare => target.typed_folder(),
            };
            let command = |verb| shell_words::join(["hfdown", verb, &target.ssh, folder]);
            let (attach, stop) = (command("attach"), command("stop"));
            let files = tally.to_fetch as usize;
            target.events.send(Event::Detached { files, bytes: missing, attach, stop }).await;
            BoxResult {
                exit: exit(&tally.as_planned()),
                ending: BoxEnding::Detached { files, bytes: missing },
            }
        }
    }
}
