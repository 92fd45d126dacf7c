//! What the connections and the deliveries of one transfer share, and what they say through it.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use hfdown_protocol::{End, Failure, FailureKind, FileId, Report, Summary, Ticked, limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::claim::Named;
use super::file_transfer::FileTransfer;
use super::inline_writes::InlineWrites;
use super::lease::Piece;
use super::retries::NextStep;
use super::scheduler::Scheduler;
use super::throttle::Throttle;
use crate::fault::FetchFault;
use crate::folder::{Records, Root};
use crate::part::Guard;
use crate::source::Network;

/// Files flushed at once. A disk is no faster for more, and each holds a thread for as long as the disk takes.
const FLUSHES: usize = 2;
/// Written bytes that are kept in memory for the digests, in KiB.
const RECENT: usize = 4 << 10;
/// Where more connections than this receive, as only a user asks for, their buffers have that memory.
const MOST_THAT_KEEP: usize = 16;
/// Files hashed at once, each on a thread.
pub(super) const HASHES: usize = 6;

/// What every part of a transfer sees.
#[derive(Debug)]
pub(super) struct TransferContext {
    pub(super) root: Arc<Root>,
    pub(super) scheduler: Scheduler,
    pub(super) network: Arc<Network>,
    pub(super) throttle: Throttle,
    pub(super) inline_writes: InlineWrites,
    pub(super) guard: Guard,
    /// Bytes that have come over the network since [`Concurrency`](super::concurrency::Concurrency) was last told, and a bit for each connection that
    /// brought some.
    arrived: AtomicU64,
    carried: AtomicU64,
    /// Connections that receive at present.
    pub(super) receiving: AtomicUsize,
    /// Deliveries, and steps on the disk: a transfer ends when these have, also when the connection that began one was
    /// told to stop.
    pub(super) underway: TaskTracker,
    pub(super) stop: CancellationToken,
    /// How long another program is waited for that fetches the same bytes; none is for as long as it takes.
    pub(super) lock_wait: Option<Duration>,
    pub(super) flushes: Semaphore,
    pub(super) hashes: Semaphore,
    /// A permit for each KiB of written bytes that may be kept for the digests.
    recent: Arc<Semaphore>,
    /// Whose holder may seed a part from a basis.
    pub(super) seeds: Arc<Semaphore>,
    records: Arc<Mutex<Records>>,
    fatal: OnceLock<Failure>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    placed: AtomicU32,
    failed: AtomicU32,
    /// Bytes on the wire, and bytes of files.
    fetched: AtomicU64,
    written: AtomicU64,
}

impl TransferContext {
    pub(super) fn new(
        root: Arc<Root>,
        records: Arc<Mutex<Records>>,
        scheduler: Scheduler,
        network: Arc<Network>,
        throttle: Throttle,
        stop: CancellationToken,
        lock_wait: Option<Duration>,
    ) -> Self {
        Self {
            root,
            scheduler,
            network,
            throttle,
            inline_writes: InlineWrites::default(),
            guard: Guard::default(),
            arrived: AtomicU64::new(0),
            carried: AtomicU64::new(0),
            receiving: AtomicUsize::new(0),
            underway: TaskTracker::new(),
            stop,
            lock_wait,
            flushes: Semaphore::new(FLUSHES),
            hashes: Semaphore::new(HASHES),
            recent: Arc::new(Semaphore::new(RECENT)),
            seeds: Arc::new(Semaphore::new(1)),
            records,
            fatal: OnceLock::new(),
            counts: Counts::default(),
        }
    }

    /// Bytes that have come since this was last asked, and how many connections brought them.
    pub(super) fn take_arrived(&self) -> (u64, usize) {
        let carried = self.carried.swap(0, Ordering::Relaxed).count_ones() as usize;
        (self.arrived.swap(0, Ordering::Relaxed), carried)
    }

    /// Bytes that have come over the network in the whole transfer.
    pub(super) fn fetched(&self) -> u64 {
        self.counts.fetched.load(Ordering::Relaxed)
    }

    /// The summary, when nothing is under way any more.
    pub(super) fn outcome(&self, end: End) -> Result<Summary, Failure> {
        if let Some(failure) = self.fatal.get() {
            return Err(failure.clone());
        }
        Ok(Summary {
            placed: self.counts.placed.load(Ordering::Relaxed),
            failed: self.counts.failed.load(Ordering::Relaxed),
            removed: 0,
            fetched: self.counts.fetched.load(Ordering::Relaxed),
            written: self.counts.written.load(Ordering::Relaxed),
            end,
        })
    }

    /// Lifecycle reports are lossless: this waits for room. It fails only when the conversation is over.
    pub(super) async fn report(&self, report: Report) {
        let _ = self.network.reports.send(report).await;
    }

    pub(super) fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes have come over the network; the next ones may have to wait.
    pub(super) async fn arrived(&self, file: &FileTransfer, connection: usize, wire: u64) {
        file.counts.add_fetched(wire);
        self.counts.fetched.fetch_add(wire, Ordering::Relaxed);
        self.arrived.fetch_add(wire, Ordering::Relaxed);
        // Where more connections were asked for than there are bits, nothing is measured.
        self.carried.fetch_or(1 << (connection % 64), Ordering::Relaxed);
        self.throttle.take(wire).await;
    }

    /// Room for so many written bytes in memory, if there is.
    pub(super) fn room_for(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        if self.receiving.load(Ordering::Relaxed) > MOST_THAT_KEEP {
            return None;
        }
        let kib = u32::try_from(bytes.div_ceil(1 << 10)).ok()?;
        Arc::clone(&self.recent).try_acquire_many_owned(kib).ok()
    }

    /// Bytes of a file have been written.
    pub(super) fn wrote(&self, file: &FileTransfer, bytes: u64) {
        file.counts.add_written(bytes);
        self.counts.written.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Does what a fault asks for, and says so.
    pub(super) async fn faulted(
        &self,
        index: usize,
        file: &FileTransfer,
        piece: Option<&Piece>,
        fault: FetchFault,
    ) {
        if piece.is_none() {
            // For as long as no connection works on it.
            file.release();
        }
        match self.scheduler.faulted(index, piece, &fault) {
            NextStep::Again { attempt, wait } => {
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                self.report(Report::Retrying {
                    file: file.wanted.id,
                    attempt,
                    failure: fault.failure(),
                    wait_ms,
                })
                .await;
            }
            NextStep::Silently => {}
            NextStep::Lost => self.lost(file, &fault).await,
            NextStep::Stop => self.fail(fault.failure()),
        }
    }

    /// Runs something that touches the disk or hashes much, where it may block. Once begun it is seen through.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, FetchFault> + Send + 'static,
    ) -> Result<T, FetchFault> {
        joined(self.underway.spawn_blocking(work).await)
    }

    /// Nothing can go on. The first reason counts; the others are its echo.
    pub(super) fn fail(&self, failure: Failure) {
        let _ = self.fatal.set(failure);
        self.stop.cancel();
    }

    /// A file could not be had.
    pub(super) async fn lost(&self, file: &FileTransfer, fault: &FetchFault) {
        file.abandoned.cancel();
        file.source.forget().await;
        file.release();
        self.counts.failed.fetch_add(1, Ordering::Relaxed);
        let (fetched, written) = (file.counts.fetched(), file.counts.written());
        let failure = fault.failure();
        self.report(Report::Failed { file: file.wanted.id, failure: failure.clone(), fetched, written })
            .await;
        let others = file.sharing.iter().flat_map(|sharing| &sharing.others);
        for (other, _) in others {
            self.named(other.id, Err(failure.clone()), (0, 0)).await;
        }
    }

    /// A file's bytes have their place: it was to get its name, and so were others of the same bytes.
    pub(super) async fn placed(&self, file: &FileTransfer, named: Result<(), Failure>, others: Vec<Named>) {
        file.release();
        self.named(file.wanted.id, named, (file.counts.fetched(), file.counts.written())).await;
        for (other, named) in others {
            if named.is_ok() {
                self.report(Report::Verified { file: other }).await;
            }
            self.named(other, named, (0, 0)).await;
        }
    }

    /// A file has its name, or can't have it. So many bytes of it were fetched and written.
    async fn named(&self, file: FileId, named: Result<(), Failure>, (fetched, written): (u64, u64)) {
        let report = match named {
            Ok(()) => {
                self.counts.placed.fetch_add(1, Ordering::Relaxed);
                Report::Placed { file, fetched, written }
            }
            Err(failure) => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                Report::Failed { file, failure, fetched, written }
            }
        };
        self.report(report).await;
    }

    /// A sample: when the link is slow, it is left out, and the next one will do.
    pub(super) fn tick(&self) {
        // Said while the scheduler stands still: `Placed` and `Failed` are the last words on a file.
        self.scheduler.look_at_flights(|files| {
            let files = files.into_iter().take(limits::ENTRIES);
            let files: Vec<_> = files.map(|(file, done)| Ticked { file, done }).collect();
            if !files.is_empty() {
                let _ = self.network.reports.try_send(Report::Tick { files });
            }
        });
    }
}

/// What is said when a part of the agent panicked.
pub(super) fn defect(error: &tokio::task::JoinError) -> Failure {
    Failure::new(FailureKind::Protocol, format_args!("the agent has a defect: {error}"))
}

/// The outcome of a step on a thread of its own.
pub(super) fn joined<T>(
    joined: Result<Result<T, FetchFault>, tokio::task::JoinError>,
) -> Result<T, FetchFault> {
    joined.unwrap_or_else(|error| Err(FetchFault::Disk(defect(&error))))
}
