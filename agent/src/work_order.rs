//! The work that a controller orders, and its execution: fetch, remove, record, tidy up.

use std::collections::HashSet;
use std::sync::Arc;

use hfdown_protocol::{
    ChunkRun, Digest, End, ExtraneousFile, Failure, FailureKind, FileId, Job, Limits, Report, RunsOf,
    Summary, WantedFiles, limits,
};
use tokio_util::sync::CancellationToken;

use crate::environment::RetryTiming;
use crate::folder::{self, Completeness, FileSet, Folder};
use crate::source::Network;
use crate::transfer::{Basis, Engine, FilesToFetch, Jobs, Workshop};

/// What the controller has ordered so far.
#[derive(Debug, Default)]
pub(crate) struct WorkOrder {
    jobs: Jobs,
    extraneous: Vec<ExtraneousFile>,
    /// Of whose parts none goes.
    left_out: Vec<Digest>,
}

impl WorkOrder {
    /// Adds files to fetch. Each must have been listed, and is fetched once.
    pub(crate) fn fetch(&mut self, wanted: &WantedFiles, jobs: Vec<Job>) -> Result<(), Failure> {
        jobs.into_iter().try_for_each(|job| self.jobs.add(wanted, job))
    }

    /// Says what an ordered file is a newer version of.
    pub(crate) fn add_basis(&mut self, file: FileId, basis: Basis) -> Result<(), Failure> {
        self.jobs.add_basis(file, basis)
    }

    /// Adds chunks of a file that has a basis.
    pub(crate) fn add_runs(
        &mut self,
        file: FileId,
        whose: RunsOf,
        runs: Vec<ChunkRun>,
    ) -> Result<(), Failure> {
        self.jobs.add_runs(file, whose, runs)
    }

    /// Adds extraneous files to remove.
    pub(crate) fn remove(&mut self, extraneous: Vec<ExtraneousFile>) {
        self.extraneous.extend(extraneous);
    }

    /// Adds files that are listed and left out: their parts stay. There are no more than parts were told of.
    pub(crate) fn keep_parts(&mut self, digests: Vec<Digest>) {
        let room = limits::FILES.saturating_sub(self.left_out.len());
        self.left_out.extend(digests.into_iter().take(room));
    }

    /// Whether there is nothing to fetch.
    pub(crate) fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Fetches, then removes if everything is in place, then leaves the bookkeeping in order.
    pub(crate) async fn carry_out(
        self,
        folder: Folder,
        wanted: WantedFiles,
        network: Arc<Network>,
        timing: RetryTiming,
        stop: CancellationToken,
        limits: &Limits,
    ) -> Result<Summary, Failure> {
        let Self { jobs, extraneous, left_out } = self;
        let workshop = Workshop {
            root: Arc::clone(&folder.root),
            records: Arc::clone(&folder.records),
            network: Arc::clone(&network),
            timing,
            stop,
        };
        let (limits, mut fetched) = (limits.clone(), FileSet::default());
        jobs.files().for_each(|file| fetched.insert(file));
        let (at, files) = (folder.clone(), wanted.clone());
        // It looks at every part: where that may block.
        let engine = tokio::task::spawn_blocking(move || {
            at.load_records(&files);
            workshop.root.begin()?;
            let parts = workshop.root.layout().parts(&files);
            Engine::new(workshop, FilesToFetch::new(files, jobs, parts), &limits)
        });
        let mut summary = engine.await.unwrap_or_else(|error| Err(defect(&error)))?.run().await?;
        let completeness = match summary {
            Summary { failed: 0, end: End::Complete, .. } => Completeness::Whole,
            _ => Completeness::Partial,
        };
        let finishing = tokio::task::spawn_blocking(move || {
            if completeness == Completeness::Whole {
                folder.intact().extend(&fetched);
            }
            let reports = remove(&folder, &extraneous, completeness);
            let mut resumable = match completeness {
                Completeness::Whole => HashSet::new(),
                Completeness::Partial => folder.resumable(&wanted),
            };
            resumable.extend(folder.root.parts_of(left_out));
            folder.finish(&wanted, completeness, &resumable).map(|()| reports)
        });
        let reports = finishing.await.unwrap_or_else(|error| Err(defect(&error)))?;
        for report in reports {
            summary.removed += u32::from(matches!(report, Report::Removed { .. }));
            // This fails only when the conversation is over.
            let _ = network.reports.send(report).await;
        }
        Ok(summary)
    }
}

fn defect(error: &tokio::task::JoinError) -> Failure {
    Failure::new(FailureKind::Disk, format_args!("the agent has a defect: {error}"))
}

fn remove(folder: &Folder, extraneous: &[ExtraneousFile], completeness: Completeness) -> Vec<Report> {
    let mut records = folder.records();
    let mut remove = |file: &ExtraneousFile| {
        if completeness == Completeness::Whole {
            return folder::remove_extraneous(&folder.root, &mut records, file);
        }
        Err(Failure::new(FailureKind::ChangedMeanwhile, "not everything that is wanted is in place"))
    };
    let outcome = |(index, removed): (u32, Result<(), Failure>)| match removed {
        Ok(()) => Report::Removed { index },
        Err(failure) => Report::NotRemoved { index, failure },
    };
    (0..).zip(extraneous.iter().map(&mut remove)).map(outcome).collect()
}
