//! `hfdown status [MODEL] [SSH]… DIR`: what is there of what should be, by sizes and records. No file is read, nothing is
//! changed, and a transfer that was detached is not disturbed.
//!
//! What should be there is what the Hub lists, or without MODEL what the last sync has recorded.

use std::collections::HashSet;
use std::sync::Arc;

use hfdown_agent::Environment;
use hfdown_agent::http::{EnvironmentOwner, Proxies, SpeedFloor};
use hfdown_protocol::{Access, Check, Commit, Found, Layout, Limits, Mode, Proof, Traces, TransferStatus};
use tokio_util::sync::CancellationToken;

use super::Context;
use super::attempts::{Interrupted, SyncRun, TargetWork, attempts};
use super::fleet::{self, BoxResult, FleetOptions, FleetWork};
use super::listing::{chosen, list};
use super::request::{SyncRequest, Target, Targets};
use crate::cli::{
    self, BoxAccess, Cache, LimitArguments, Model, PlaceKind, RepoArguments, Settings, StatusArguments,
    TypedCommand, TypedPlaces,
};
use crate::failure::{Exit, Problem};
use crate::fleet::{BoxEnding, BoxOutcome, BoxStatus, FolderState, usual_commit};
use crate::hub::{Listing, RepoId, RepoKind, TreeDetails};
use crate::plan::{Intent, Inventory};
use crate::selection::{Selected, Selection};
use crate::session::{self, ConnectAttempt, FolderRecord, FolderRequest, Machine, Session};

const USAGE: &str = "hfdown status MODEL DIR, or for folders on boxes hfdown status MODEL 'ssh -p PORT USER@HOST' … DIR; without \
     MODEL, what should be there is what the last sync has recorded";

/// A commit that no repository has: of a record that does not say its own.
const UNKNOWN: &str = "0000000000000000000000000000000000000000";
/// The name of a repository that is only known by what was recorded of it.
const RECORDED: &str = "recorded";

/// What the Hub says should be there.
struct ExpectedModel {
    request: SyncRequest,
    listing: Arc<Listing>,
    selected: Selected,
}

/// A look at each of many.
struct FleetStatus {
    /// None is what is on record.
    expected: Option<ExpectedModel>,
}

pub(super) async fn run(
    typed: &StatusArguments,
    options: FleetOptions,
    context: &Context,
) -> Result<Exit, Problem> {
    let (model, words) = typed.model_and_places();
    let is_cache = typed.cache.is_wanted();
    if is_cache && model.is_none() {
        return Err(Problem::new(Exit::Usage, "MODEL is missing: whose snapshot in the hub cache is meant")
            .hint(
                "hfdown status organisation/name --cache; one without an organisation is named with --model",
            ));
    }
    let places = TypedPlaces { words, is_cache, fleet: &typed.fleet };
    let (targets, cache) = match PlaceKind::of(&places, "status", USAGE)? {
        PlaceKind::Here { folder } => {
            let cache = Cache::here(&typed.cache)?;
            (Targets::One(Box::new(here(folder, cache.as_ref(), context)?)), cache)
        }
        PlaceKind::OnBoxes => {
            let (cache, access) = (Cache::on_box(&typed.cache)?, BoxAccess::new(&typed.login, Traces::Keep)?);
            (Targets::on_boxes(places, &access, cache.as_ref(), context).await?, cache)
        }
    };
    let expected = match model {
        None => None,
        Some(model) => {
            let after = words.iter().map(String::as_str).collect();
            let source = RepoArguments {
                model: model.to_owned(),
                revision: typed.revision.clone(),
                token: typed.token.clone(),
            };
            let model = Model::whole(&source, &TypedCommand { verb: "status", after })?;
            let selection = typed.selection.selection(model.quantisation.as_ref())?;
            let token = typed.token.as_deref();
            let settings = Settings::new(model, token, SpeedFloor::default(), &targets.events(context))?;
            let request = SyncRequest {
                selection,
                ..SyncRequest::within(settings, &LimitArguments::default(), Intent::Verify)
            };
            Some(ExpectedModel::of(request.into_cache(cache.as_ref()), &context.cancel).await?)
        }
    };
    fleet::run(FleetStatus { expected }, targets, options, context).await
}

/// A folder on this machine.
fn here(folder: Option<&str>, cache: Option<&Cache>, context: &Context) -> Result<Target, Problem> {
    let environment = Environment::new(None, Proxies::of_process(EnvironmentOwner::ThisMachine))
        .map_err(|error| Problem::new(Exit::Failed, "cannot use the network").because_of(&error))?;
    let (folder, destination) = match cache {
        Some(cache) => (cache.folder.clone(), cache.in_words.clone()),
        None => (folder.map(str::to_owned), folder.unwrap_or_default().to_owned()),
    };
    let (ssh, records) = (String::new(), cli::detached_records());
    let events = context.events(None);
    Ok(Target { machine: Machine::Local(environment), folder, destination, ssh, events, records })
}

impl ExpectedModel {
    async fn of(request: SyncRequest, cancel: &CancellationToken) -> Result<Self, Problem> {
        let (_, listing) = list(&request, cancel).await?;
        let selected = {
            let Settings { repo, revision, .. } = &request.settings;
            let attempted = || format!("cannot select files of {repo}");
            chosen(&request.selection, &listing, attempted, revision)?
        };
        Ok(Self { request, listing, selected })
    }
}

impl FleetWork for FleetStatus {
    async fn carry_out(&self, target: &Target, cancel: &CancellationToken) -> Result<BoxResult, Problem> {
        let look = StatusLook { expected: self.expected.as_ref(), target, cancel };
        let (_, status) = attempts(&look, target, cancel).await;
        let status = status?;
        let exit = exit_of(&status);
        Ok(BoxResult { exit, ending: BoxEnding::Status(Box::new(status)) })
    }

    fn is_settled_together(&self) -> bool {
        self.expected.is_none()
    }

    /// Without MODEL, what most boxes have is what all should have.
    fn settle(&self, outcomes: &mut [Option<BoxOutcome>]) {
        let status = |outcome: &BoxOutcome| match &outcome.ending {
            BoxEnding::Status(status) => Some(BoxStatus::clone(status)),
            _ => None,
        };
        let statuses: Vec<BoxStatus> = outcomes.iter().flatten().filter_map(status).collect();
        let usual = usual_commit(statuses.iter());
        for outcome in outcomes.iter_mut().flatten() {
            if let BoxEnding::Status(status) = &mut outcome.ending
                && status.commit.is_some()
                && status.commit != usual
                && status.state != FolderState::Running
            {
                status.state = FolderState::OtherCommit;
                outcome.exit = exit_of(status);
            }
        }
    }
}

fn exit_of(status: &BoxStatus) -> Exit {
    if status.state == FolderState::Complete { Exit::Done } else { Exit::Partial }
}

/// A conversation about what is there, and where that may not be all another one about a transfer that may be bringing it.
struct StatusLook<'a> {
    expected: Option<&'a ExpectedModel>,
    target: &'a Target,
    cancel: &'a CancellationToken,
}

impl TargetWork for StatusLook<'_> {
    type Done = BoxStatus;

    async fn attempt(
        &self,
        attempt: &mut ConnectAttempt,
        run: &mut SyncRun,
    ) -> Result<BoxStatus, Interrupted> {
        let Self { target, cancel, .. } = self;
        let attempted = || format!("cannot look at {}", target.destination);
        let interrupted = |error| Interrupted::on(target, attempted, error);
        let opened = session::connect(&target.machine, self.open(*attempt), &target.events, cancel).await;
        let mut session = opened.map_err(interrupted)?;
        *attempt = ConnectAttempt::Reconnect;
        let root = session.root().to_owned();
        let looked = self.look(&mut session, run).await;
        session.close_for_good().await;
        let status = looked.map_err(interrupted)?;
        // What is on record may be whole while a transfer brings another commit.
        let is_as_wanted = status.state == FolderState::Complete && self.expected.is_some();
        if is_as_wanted || matches!(target.machine, Machine::Local(_)) {
            return Ok(status);
        }
        let running = session::inquire(&target.machine, &root, *attempt, &target.events, cancel).await;
        Ok(match running.map_err(interrupted)? {
            Some(running) => under_way(&running, status),
            None => status,
        })
    }
}

impl StatusLook<'_> {
    fn open(&self, attempt: ConnectAttempt) -> FolderRequest {
        match self.expected {
            Some(ExpectedModel { request, listing, .. }) => {
                request.open(self.target, &listing.commit, Arc::clone(&listing.files), attempt)
            }
            // The layout that needs no commit.
            None => FolderRequest {
                root: self.target.folder.clone(),
                access: Access::ReadOnly,
                layout: Layout::Bare,
                traces: Traces::Keep,
                limits: Limits::default(),
                attempt,
                mode: Mode::Attached,
                listing: Arc::default(),
            },
        }
    }

    async fn look(
        &self,
        session: &mut Session,
        run: &mut SyncRun,
    ) -> Result<BoxStatus, session::SessionError> {
        let record = session.recall().await?;
        let recorded;
        let selected = if let Some(ExpectedModel { selected, .. }) = self.expected {
            selected
        } else {
            recorded = of_record(&record)?;
            &recorded
        };
        let events = &self.target.events;
        let inventory = session.survey(selected, Check::Stamps, events, &mut run.carryover).await?;
        let commit = self.expected.map(|expected| &expected.listing.commit);
        Ok(status(selected, &inventory, &record, commit))
    }
}

/// What is on record, in the place of a listing.
fn of_record(record: &FolderRecord) -> Result<Selected, session::SessionError> {
    let impossible = |error: &dyn std::fmt::Display| session::SessionError::Protocol(error.to_string());
    let commit = record.sync.as_ref().map(|sync| sync.commit.clone());
    let unknown = || Commit::new(UNKNOWN).map_err(|error| impossible(&error));
    let listing = Listing {
        repo: RepoId::new(RepoKind::Model, RECORDED).map_err(|error| impossible(&error))?,
        commit: commit.map_or_else(unknown, Ok)?,
        files: Arc::new(record.files.clone()),
        refused: Vec::new(),
        details: TreeDetails::default(),
    };
    Selection::Everything.apply(&Arc::new(listing)).map_err(|error| impossible(&error))
}

/// What it comes to. `commit` is the one that is wanted, if the Hub was asked.
fn status(
    selected: &Selected,
    inventory: &Inventory,
    record: &FolderRecord,
    commit: Option<&Commit>,
) -> BoxStatus {
    let recorded: HashSet<&str> = record.files.iter().map(|row| row.path.as_str()).collect();
    let (mut files, mut bytes, mut by_size) = (0, 0_u64, 0);
    for (id, file) in selected.wanted.iter() {
        let is_there = match inventory.found.get(id.0 as usize) {
            Some(Found::Intact { proof: Proof::SizeOnly }) => {
                // What is on record and looks otherwise has changed since it was proved, or is another commit's.
                let is_unrecorded = !recorded.contains(file.path.as_str());
                by_size += usize::from(is_unrecorded);
                is_unrecorded
            }
            Some(Found::Intact { .. }) => true,
            Some(
                Found::Absent { partial }
                | Found::OtherSize { partial, .. }
                | Found::OtherContent { partial, .. },
            ) => {
                bytes = bytes.saturating_add(partial.min(file.size));
                false
            }
            Some(Found::Obstructed { .. }) | None => false,
        };
        if is_there {
            files += 1;
            bytes = bytes.saturating_add(file.size);
        }
    }
    let (of_files, of_bytes) = (selected.wanted.len(), selected.total());
    let sync = record.sync.as_ref();
    let is_whole = commit.is_some() || sync.is_some_and(|sync| sync.files.is_some()) && record.lost() == 0;
    let state = match sync.map(|sync| &sync.commit) {
        _ if is_whole && files == of_files => FolderState::Complete,
        None if bytes == 0 && files == 0 => FolderState::Absent,
        Some(own) if commit.is_some_and(|commit| commit != own) => FolderState::OtherCommit,
        _ => FolderState::Partial,
    };
    BoxStatus {
        state,
        files,
        of_files,
        bytes,
        of_bytes,
        by_size,
        commit: sync.map(|sync| sync.commit.clone()),
    }
}

/// The same while a transfer brings it.
fn under_way(running: &TransferStatus, status: BoxStatus) -> BoxStatus {
    let kept = running.skipped;
    BoxStatus {
        state: FolderState::Running,
        files: (running.summary.placed as usize).saturating_add(kept.kept as usize),
        of_files: (running.files as usize).saturating_add(kept.kept as usize),
        bytes: running.done.saturating_add(kept.kept_bytes),
        of_bytes: running.bytes.saturating_add(kept.kept_bytes),
        ..status
    }
}
