//! One transfer: the board, the connections, the deliveries, and what they share.

use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use hfdown_protocol::{End, Failure, FailureKind, Limits, Report, Summary, Ticked, limits};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::board::Board;
use super::fault::Fault;
use super::governor::{self, Advice, Governor};
use super::pace::Pace;
use super::slot::{Course, Piece};
use super::task::{Network, Task};
use super::throttle::Throttle;
use super::worker;
use crate::folder::{Records, Root};
use crate::machine;
use crate::part::Part;
use crate::surroundings::Patience;

/// A few ticks a second, whatever the byte rate.
const TICK: Duration = Duration::from_millis(200);
/// Files flushed at once. A disk is no faster for more, and each holds a thread for as long as the disk takes.
const FLUSHES: usize = 2;
/// Files hashed at once, each on a thread.
const HASHES: usize = 6;
/// The most that must stay free beside the files themselves: metadata, journals, records.
const LARGEST_MARGIN: u64 = 16 << 20;
/// The least of it. A small file must fit on a small disk.
const SMALLEST_MARGIN: u64 = 1 << 20;

/// A transfer that is ready to run.
#[derive(Debug)]
pub(crate) struct Engine {
    shared: Arc<Shared>,
    governor: Governor,
    needed: u64,
}

/// What every part of a transfer sees.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) root: Arc<Root>,
    pub(super) board: Board,
    pub(super) network: Arc<Network>,
    pub(super) throttle: Throttle,
    pub(super) pace: Pace,
    /// Bytes that have come over the network since the governor was last told, and a bit for each connection that
    /// brought some.
    arrived: AtomicU64,
    carried: AtomicU64,
    /// Deliveries, and steps on the disk: a transfer ends when these have, also when the connection that began one was
    /// told to stop.
    pub(super) underway: TaskTracker,
    pub(super) stop: CancellationToken,
    pub(super) flushes: Semaphore,
    pub(super) hashes: Semaphore,
    records: Arc<Mutex<Records>>,
    fatal: OnceLock<Failure>,
    count: Count,
}

#[derive(Debug, Default)]
struct Count {
    placed: AtomicU32,
    failed: AtomicU32,
    fetched: AtomicU64,
}

/// The parts of the world that a transfer works with.
#[derive(Debug)]
pub(crate) struct Workshop {
    pub(crate) root: Arc<Root>,
    pub(crate) records: Arc<Mutex<Records>>,
    pub(crate) network: Arc<Network>,
    pub(crate) patience: Patience,
    pub(crate) stop: CancellationToken,
}

impl Engine {
    pub(crate) fn new(workshop: Workshop, tasks: Vec<Task>, limits: &Limits) -> Self {
        let Workshop { root, records, network, patience, stop } = workshop;
        let missing = tasks.iter().map(|task| task.wanted.size - on_disk(&root, task));
        // The sizes are whatever the Hub says.
        let needed = missing.fold(0, u64::saturating_add);
        let governor = Governor::new(limits.connections.map(NonZeroU16::get).map(usize::from));
        let digests = machine::cpus().min(HASHES);
        let tasks = tasks.into_iter().map(Arc::new).collect();
        let board = Board::new(tasks, governor.allowed(), digests, patience);
        let throttle = Throttle::new(limits.bytes_per_second);
        let underway = TaskTracker::new();
        let (flushes, hashes) = (Semaphore::new(FLUSHES), Semaphore::new(HASHES));
        let (fatal, count) = (OnceLock::new(), Count::default());
        let shared = Arc::new(Shared {
            root,
            board,
            network,
            throttle,
            pace: Pace::default(),
            arrived: AtomicU64::new(0),
            carried: AtomicU64::new(0),
            underway,
            stop,
            flushes,
            hashes,
            records,
            fatal,
            count,
        });
        Self { shared, governor, needed }
    }

    /// Carries everything out, as far as it can be. An error ends the conversation.
    pub(crate) async fn run(self) -> Result<Summary, Failure> {
        self.check_space()?;
        let Self { shared, mut governor, .. } = self;
        let mut workers = JoinSet::new();
        for number in 0..governor.most() {
            workers.spawn(worker::work(number, Arc::clone(&shared)));
        }
        let mut govern = tokio::time::interval(governor::PERIOD);
        govern.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut end = End::Complete;
        loop {
            tokio::select! {
                () = shared.stop.cancelled() => {
                    end = End::Cancelled;
                    break;
                }
                joined = workers.join_next() => match joined {
                    Some(Ok(())) => {}
                    // A connection that is gone without a word may have taken a file with it.
                    Some(Err(error)) => shared.fail(defect(&error)),
                    None => break,
                },
                _ = tick.tick() => shared.tick(),
                _ = govern.tick() => {
                    let carried = shared.carried.swap(0, Ordering::Relaxed).count_ones() as usize;
                    let advice = governor.observe(shared.arrived.swap(0, Ordering::Relaxed), carried);
                    shared.board.allow(governor.allowed());
                    if advice == Advice::Drop {
                        shared.board.drop_surplus();
                    }
                }
            }
        }
        workers.shutdown().await;
        shared.underway.close();
        shared.underway.wait().await;
        let root = Arc::clone(&shared.root);
        match tokio::task::spawn_blocking(move || root.flush_names()).await {
            Ok(flushed) => flushed?,
            Err(error) => return Err(defect(&error)),
        }
        if let Some(failure) = shared.fatal.get() {
            return Err(failure.clone());
        }
        Ok(Summary {
            placed: shared.count.placed.load(Ordering::Relaxed),
            failed: shared.count.failed.load(Ordering::Relaxed),
            removed: 0,
            fetched: shared.count.fetched.load(Ordering::Relaxed),
            end,
        })
    }

    /// Better to say so now than at 99 %.
    fn check_space(&self) -> Result<(), Failure> {
        let margin = (SMALLEST_MARGIN + self.needed / 8).min(LARGEST_MARGIN);
        let (needed, free) = (self.needed.saturating_add(margin), self.shared.root.free());
        if self.needed == 0 || needed <= free {
            return Ok(());
        }
        let root = self.shared.root.path().display();
        let detail = format_args!("the disk of {root} is too small for what is missing and its bookkeeping");
        Err(Failure::new(FailureKind::NoSpace { needed, free }, detail))
    }
}

/// What is said when a part of the agent panicked.
pub(super) fn defect(error: &tokio::task::JoinError) -> Failure {
    Failure::new(FailureKind::Protocol, format_args!("the agent has a defect: {error}"))
}

fn on_disk(root: &Root, task: &Task) -> u64 {
    root.parts().map_or(0, |parts| Part::peek(parts, &task.part, task.wanted.size))
}

impl Shared {
    /// Lifecycle reports are lossless: this waits for room. Nobody listens only when the conversation is over.
    pub(super) async fn report(&self, report: Report) {
        let _ = self.network.reports.send(report).await;
    }

    pub(super) fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes have come over the network; the next ones may have to wait.
    pub(super) async fn arrived(&self, task: &Task, connection: usize, bytes: usize) {
        task.fetched.fetch_add(bytes as u64, Ordering::Relaxed);
        self.count.fetched.fetch_add(bytes as u64, Ordering::Relaxed);
        self.arrived.fetch_add(bytes as u64, Ordering::Relaxed);
        // Where more connections were asked for than there are bits, nothing is governed.
        self.carried.fetch_or(1 << (connection % 64), Ordering::Relaxed);
        self.throttle.take(bytes).await;
    }

    /// Does what a fault asks for, and says so.
    pub(super) async fn faulted(&self, slot: usize, task: &Task, piece: Option<&Piece>, fault: Fault) {
        match self.board.faulted(slot, piece, &fault) {
            Course::Again { attempt, wait } => {
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                self.report(Report::Retrying {
                    file: task.wanted.id,
                    attempt,
                    failure: fault.failure(),
                    wait_ms,
                })
                .await;
            }
            Course::Silently => {}
            Course::Lost => self.lost(task, &fault).await,
            Course::Stop => self.fail(fault.failure()),
        }
    }

    /// Runs something that touches the disk or hashes much, where it may block. Once begun it is seen through.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        worker::joined(self.underway.spawn_blocking(work).await)
    }

    /// Nothing can go on. The first reason counts; the others are its echo.
    pub(super) fn fail(&self, failure: Failure) {
        let _ = self.fatal.set(failure);
        self.stop.cancel();
    }

    /// A file could not be had.
    pub(super) async fn lost(&self, task: &Task, fault: &Fault) {
        task.abandoned.cancel();
        task.forget_source().await;
        self.count.failed.fetch_add(1, Ordering::Relaxed);
        let (file, failure, fetched) = (task.wanted.id, fault.failure(), task.fetched());
        self.report(Report::Failed { file, failure, fetched }).await;
    }

    /// A file has its final name.
    pub(super) async fn placed(&self, task: &Task) {
        self.count.placed.fetch_add(1, Ordering::Relaxed);
        self.report(Report::Placed { file: task.wanted.id, fetched: task.fetched() }).await;
    }

    /// A sample that nobody waits for: when the link is slow, the next one will do.
    fn tick(&self) {
        // Said while the board stands still: `Placed` and `Failed` are the last words on a file.
        self.board.look_at_flights(|files| {
            let files = files.into_iter().take(limits::ENTRIES);
            let files: Vec<_> = files.map(|(file, done)| Ticked { file, done }).collect();
            if !files.is_empty() {
                let _ = self.network.reports.try_send(Report::Tick { files });
            }
        });
    }
}
