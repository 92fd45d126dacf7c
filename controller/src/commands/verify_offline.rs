//! `hfdown verify --offline`: what should be there is what the last sync has recorded. The Hub is not asked anything.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use hfdown_protocol::{Commit, FileTable};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::attempts::{Interrupted, SyncRun, TargetWork, attempts};
use super::fleet::BoxResult;
use super::listing::{chosen, tell_notes, unless_cancelled};
use super::remedies::ListedBy;
use super::request::{FolderLayout, SyncRequest, Target};
use super::summary::exit;
use super::{target_sync, verify};
use crate::cli::Settings;
use crate::event::{Event, RecordCompleteness};
use crate::failure::{Exit, Problem};
use crate::fleet::BoxEnding;
use crate::hub::{Listing, SnapshotListing, SnapshotListingError, TreeDetails, snapshot_listing};
use crate::session::{ConnectAttempt, FolderRecord, Machine, Session};
use crate::tally::Tally;
use crate::text::units::count;

/// A commit that no repository has: of a record that does not say its own.
const UNKNOWN: &str = "0000000000000000000000000000000000000000";

/// What should be there, and how that is known.
struct ExpectedFiles {
    listing: Arc<Listing>,
    /// What it is of, as far as that is known.
    commit: Option<Commit>,
    completeness: RecordCompleteness,
}

/// Verifies a folder by what is on record in it, and a hub cache here by what it says itself.
pub(super) async fn carry_out(
    request: &SyncRequest,
    target: &Target,
    cancel: &CancellationToken,
) -> Result<BoxResult, Problem> {
    let began = Instant::now();
    let cached = match request.layout {
        FolderLayout::HubCache(_) => Some(cached(request, target, cancel).await?),
        FolderLayout::LocalDir | FolderLayout::Bare => None,
    };
    let unknown = Commit::new(UNKNOWN).map_err(|error| Problem::new(Exit::Failed, "").because(error))?;
    let look = OfflineLook { request, target, cached: cached.as_ref(), unknown: &unknown, cancel };
    let (run, ended) = attempts(&look, target, cancel).await;
    ended.map_err(|problem| verify::advise(problem, request, target))??;
    let tally = Tally { elapsed: began.elapsed(), ..run.carryover.tally };
    let exit = exit(&tally);
    target.events.send(Event::Finished(tally.clone())).await;
    Ok(BoxResult { exit, ending: BoxEnding::Finished(tally) })
}

/// A conversation about what is there.
struct OfflineLook<'a> {
    request: &'a SyncRequest,
    target: &'a Target,
    cached: Option<&'a ExpectedFiles>,
    unknown: &'a Commit,
    cancel: &'a CancellationToken,
}

impl TargetWork for OfflineLook<'_> {
    type Done = Result<(), Problem>;

    async fn attempt(
        &self,
        attempt: &mut ConnectAttempt,
        run: &mut SyncRun,
    ) -> Result<Result<(), Problem>, Interrupted> {
        let nothing = Arc::default();
        let known = match self.cached {
            Some(ExpectedFiles { listing, .. }) => (&listing.commit, &listing.files),
            None => (self.unknown, &nothing),
        };
        let mut session =
            target_sync::connect(self.request, self.target, known, attempt, self.cancel).await?;
        let looked = self.look(&mut session, run).await;
        session.close_for_good().await;
        looked
    }
}

impl OfflineLook<'_> {
    async fn look(
        &self,
        session: &mut Session,
        run: &mut SyncRun,
    ) -> Result<Result<(), Problem>, Interrupted> {
        let Self { request, target, cached, unknown, .. } = *self;
        let looking = Instant::now();
        let recalled;
        let expected = if let Some(cached) = cached {
            cached
        } else {
            let record = session.recall().await.map_err(|error| Interrupted {
                attempted: format!("cannot read the record in {}", target.destination),
                error,
            })?;
            if let Err(problem) = check(&record, request, target) {
                return Ok(Err(problem));
            }
            recalled = expected(record, request, unknown);
            &recalled
        };
        let Settings { repo, revision, .. } = &request.settings;
        let attempted = || format!("cannot verify {repo} offline");
        let selected = match chosen(&request.selection, &expected.listing, attempted, revision) {
            Ok(selected) => selected,
            Err(problem) => return Ok(Err(problem)),
        };
        let (files, bytes, commit) = (selected.wanted.len(), selected.total(), expected.commit.clone());
        let (repo, completeness) = (repo.to_string(), expected.completeness);
        target.events.send(Event::Recalled { repo, commit, completeness, files, bytes }).await;
        tell_notes(&selected, &target.events).await;
        let inventory = target_sync::survey(request, target, &selected, session, run).await?;
        verify::tell(request, target, &selected, &inventory, looking.elapsed(), ListedBy::Record, run).await;
        Ok(Ok(()))
    }
}

fn expected(record: FolderRecord, request: &SyncRequest, unknown: &Commit) -> ExpectedFiles {
    let FolderRecord { files, sync } = record;
    let commit = sync.as_ref().map(|sync| sync.commit.clone());
    let is_whole = sync.is_some_and(|sync| sync.files.is_some());
    let completeness = if is_whole { RecordCompleteness::Whole } else { RecordCompleteness::Partial };
    let listing = listing(request, commit.clone().unwrap_or_else(|| unknown.clone()), files);
    ExpectedFiles { listing, commit, completeness }
}

fn listing(request: &SyncRequest, commit: Commit, files: FileTable) -> Arc<Listing> {
    let repo = request.settings.repo.clone();
    Arc::new(Listing {
        repo,
        commit,
        files: Arc::new(files),
        refused: Vec::new(),
        details: TreeDetails::default(),
    })
}

/// What a hub cache here says that a snapshot should contain.
async fn cached(
    request: &SyncRequest,
    target: &Target,
    cancel: &CancellationToken,
) -> Result<ExpectedFiles, Problem> {
    let attempted = || format!("cannot verify {} offline", target.destination);
    let Settings { repo, revision, .. } = &request.settings;
    let (Machine::Local(_), Some(cache)) = (&target.machine, &target.folder) else {
        return Err(Problem::new(Exit::Usage, attempted())
            .because("what a snapshot on a box should contain is asked of the Hub")
            .hint("leave --offline out, or verify a folder there, or run `hfdown verify --cache --offline` on the box"));
    };
    let (cache, repository, revision) = (PathBuf::from(cache), repo.cache_folder(), revision.to_string());
    let reading = async {
        let read = spawn_blocking(move || snapshot_listing::read(&cache, &repository, &revision)).await;
        let read = read.map_err(|error| Problem::new(Exit::Failed, attempted()).because(error))?;
        read.map_err(|error| {
            let exit = match error {
                SnapshotListingError::Disk(_) => Exit::Failed,
                SnapshotListingError::NoRevision(_) | SnapshotListingError::NoSnapshot(_) => Exit::NotFound,
            };
            Problem::new(exit, attempted())
                .because(error)
                .hint(format!("`hfdown download {repo} --cache` brings it there"))
        })
    };
    let SnapshotListing { commit, files } = unless_cancelled(cancel, reading).await?;
    let listing = listing(request, commit.clone(), files);
    Ok(ExpectedFiles { listing, commit: Some(commit), completeness: RecordCompleteness::Whole })
}

/// Whether the record can take the place of a listing.
fn check(record: &FolderRecord, request: &SyncRequest, target: &Target) -> Result<(), Problem> {
    let problem = || {
        Problem::new(Exit::NotFound, format!("cannot verify {} offline", target.destination))
            .hint("without --offline the Hub is asked what there should be")
    };
    if record.files.is_empty() {
        return Err(problem().because("no sync has left a record there that can be read"));
    }
    if record.lost() > 0 {
        let lost = count(record.lost(), "file");
        return Err(
            problem().because(format_args!("the record there is damaged: {lost} of it can't be read"))
        );
    }
    let revision = request.settings.revision.to_string();
    match (Commit::new(revision.as_str()), &record.sync) {
        (Ok(wanted), Some(sync)) if wanted != sync.commit => {
            Err(problem().because(format_args!("the record there is of commit {}", sync.commit)))
        }
        _ => Ok(()),
    }
}
