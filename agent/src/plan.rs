//! What the controller has decided, and its execution: fetch, remove, record, tidy up.

use std::collections::HashSet;
use std::sync::Arc;

use hfdown_protocol::{
    End, ExtraneousFile, Failure, FailureKind, Job, Layout, Limits, Report, Summary, Traces, Wanted,
};
use tokio_util::sync::CancellationToken;

use crate::environment::RetryTiming;
use crate::folder::{self, Folder, Records};
use crate::part;
use crate::survey::twins;
use crate::transfer::{Engine, FileTransfer, Network, Workshop};

/// A plan as it was ordered.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    jobs: Vec<Job>,
    ordered: HashSet<u32>,
    extraneous: Vec<ExtraneousFile>,
}

impl Plan {
    /// Adds files to fetch. Each must have been listed, and is fetched once.
    pub(crate) fn fetch(&mut self, wanted: &[Wanted], jobs: Vec<Job>) -> Result<(), Failure> {
        let is_known = |job: &Job| (job.file.0 as usize) < wanted.len();
        if !jobs.iter().all(|job| is_known(job) && self.ordered.insert(job.file.0)) {
            return Err(Failure::new(FailureKind::Protocol, "a job names no listed file, or one twice"));
        }
        self.jobs.extend(jobs);
        Ok(())
    }

    /// Adds extraneous files to remove.
    pub(crate) fn remove(&mut self, extraneous: Vec<ExtraneousFile>) {
        self.extraneous.extend(extraneous);
    }

    /// Whether there is nothing to fetch.
    pub(crate) fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Fetches, then removes if everything is in place, then leaves the bookkeeping in order.
    pub(crate) async fn carry_out(
        self,
        folder: Folder,
        wanted: Arc<Vec<Wanted>>,
        network: Arc<Network>,
        patience: RetryTiming,
        stop: CancellationToken,
        limits: &Limits,
    ) -> Result<Summary, Failure> {
        let Self { jobs, extraneous, .. } = self;
        let names: Vec<_> =
            wanted.iter().zip(twins(&wanted)).map(|(wanted, twin)| part::name(wanted.digest, twin)).collect();
        let tasks = jobs
            .into_iter()
            .map(|job| {
                let index = job.file.0 as usize;
                FileTransfer::new(wanted[index].clone(), job.replaces, names[index].clone(), job.source)
            })
            .collect();
        let workshop = Workshop {
            root: Arc::clone(&folder.root),
            records: Arc::clone(&folder.records),
            network: Arc::clone(&network),
            patience,
            stop,
        };
        let mut summary = Engine::new(workshop, tasks, limits).run().await?;
        let is_whole = summary.failed == 0 && summary.end == End::Complete;
        let finishing = tokio::task::spawn_blocking(move || {
            let reports = remove(&folder, &extraneous, is_whole);
            // Where everything is in place, no part is waited for any more.
            let resumable = if is_whole { HashSet::new() } else { names.into_iter().collect() };
            tidy(&folder, &resumable).map(|()| reports)
        });
        let reports = finishing.await.unwrap_or_else(|error| {
            Err(Failure::new(FailureKind::Disk, format_args!("the agent has a defect: {error}")))
        })?;
        for report in reports {
            summary.removed += u32::from(matches!(report, Report::Removed { .. }));
            // Nobody listens only when the conversation is over.
            let _ = network.reports.send(report).await;
        }
        Ok(summary)
    }
}

fn remove(folder: &Folder, extraneous: &[ExtraneousFile], is_whole: bool) -> Vec<Report> {
    let mut records = folder.records();
    let mut remove = |file: &ExtraneousFile| {
        if is_whole {
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

fn tidy(folder: &Folder, resumable: &HashSet<String>) -> Result<(), Failure> {
    let root = &folder.root;
    match (root.layout(), root.traces()) {
        (Layout::LocalDir { .. }, Traces::Keep) => {
            root.sweep_parts(|part| resumable.contains(part));
            save(&mut folder.records(), folder)
        }
        (Layout::Bare, Traces::Keep) => {
            root.tidy();
            Ok(())
        }
        (_, Traces::Remove) => {
            root.sweep_parts(|part| resumable.contains(part));
            root.tidy();
            Ok(())
        }
    }
}

fn save(records: &mut Records, folder: &Folder) -> Result<(), Failure> {
    let attempt = format!("cannot record what is in {}", folder.root.path().display());
    records.save(folder.root.work()?).map_err(|error| crate::disk::failure(&attempt, &error))
}
