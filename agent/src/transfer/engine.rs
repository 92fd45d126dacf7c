//! One transfer: begun, measured, and brought to its end.

use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hfdown_protocol::{End, Failure, FailureKind, Limits, Scarcity, Stamp, Summary};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::concurrency::{self, Advice, Concurrency};
use super::context::{HASHES, TransferContext, defect};
use super::jobs::FilesToFetch;
use super::scheduler::Scheduler;
use super::throttle::Throttle;
use super::waiting::TransferPatience;
use super::worker;
use crate::environment::RetryTiming;
use crate::folder::{Records, Root};
use crate::machine;
use crate::part::Part;
use crate::source::Network;

/// A few ticks a second, whatever the byte rate.
const TICK: Duration = Duration::from_millis(200);
/// The most that must stay free beside the files themselves: metadata, journals, records.
const LARGEST_MARGIN: u64 = 16 << 20;
/// The least of it. A small file must fit on a small disk.
const SMALLEST_MARGIN: u64 = 1 << 20;

/// A transfer that is ready to run.
#[derive(Debug)]
pub(crate) struct Engine {
    context: Arc<TransferContext>,
    concurrency: Concurrency,
}

/// The parts of the world that a transfer works with.
#[derive(Debug)]
pub(crate) struct Workshop {
    pub(crate) root: Arc<Root>,
    pub(crate) records: Arc<Mutex<Records>>,
    pub(crate) network: Arc<Network>,
    pub(crate) timing: RetryTiming,
    pub(crate) stop: CancellationToken,
}

impl Engine {
    /// Gets ready; an error if the disk is too small. Blocks.
    pub(crate) fn new(workshop: Workshop, mut files: FilesToFetch, limits: &Limits) -> Result<Self, Failure> {
        let Workshop { root, records, network, timing, stop } = workshop;
        let mut needed = DiskNeeds::default();
        for index in 0..files.len() {
            let Some((part, size, replaces)) = files.part(index) else { continue };
            let missing = size - root.parts().map_or(0, |parts| Part::peek(parts, &part, size));
            if missing == 0 && size > 0 {
                files.keep(index);
            }
            match replaces {
                Some(old) if files.has_basis(index) => needed.add_seeded(size, old, missing),
                _ => needed.add(size, replaces, missing),
            }
        }
        let concurrency = Concurrency::new(limits.connections.map(NonZeroU16::get).map(usize::from));
        let digests = machine::cpus().min(HASHES);
        let scheduler = Scheduler::new(files, concurrency.allowed(), digests, timing);
        let throttle = Throttle::new(limits.bytes_per_second);
        let lock_wait = limits.lock_seconds.map(|seconds| Duration::from_secs(seconds.into()));
        let context = TransferContext::new(root, records, scheduler, network, throttle, stop, lock_wait);
        let context = Arc::new(context);
        needed.check(&context.root)?;
        Ok(Self { context, concurrency })
    }

    /// Carries everything out, as far as it can be. An error ends the conversation.
    pub(crate) async fn run(self) -> Result<Summary, Failure> {
        let Self { context, mut concurrency, .. } = self;
        keep_freed_memory();
        let mut workers = JoinSet::new();
        for number in 0..concurrency.most() {
            workers.spawn(worker::work(number, Arc::clone(&context)));
        }
        let mut govern = tokio::time::interval(concurrency::PERIOD);
        govern.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut patience = TransferPatience::new(Arc::clone(&context.network));
        let mut end = End::Complete;
        loop {
            tokio::select! {
                () = context.stop.cancelled() => {
                    end = End::Cancelled;
                    break;
                }
                joined = workers.join_next() => match joined {
                    Some(Ok(())) => {}
                    // A connection that is gone without a word may have taken a file with it.
                    Some(Err(error)) => context.fail(defect(&error)),
                    None => break,
                },
                _ = tick.tick() => {
                    context.tick();
                    if let Some((bytes, waited)) = patience.note(TICK, context.fetched()) {
                        let seconds = waited.as_secs();
                        let detail = format_args!("only {bytes} bytes have come in {seconds} s of waiting");
                        context.fail(Failure::new(FailureKind::Unreachable, detail));
                    }
                }
                _ = govern.tick() => {
                    let (bytes, carrying) = context.take_arrived();
                    let advice = concurrency.observe(bytes, carrying);
                    context.scheduler.allow(concurrency.allowed());
                    if advice == Advice::Drop {
                        context.scheduler.drop_surplus();
                    }
                }
            }
        }
        workers.shutdown().await;
        context.underway.close();
        context.underway.wait().await;
        let root = Arc::clone(&context.root);
        match tokio::task::spawn_blocking(move || root.flush_names()).await {
            Ok(flushed) => flushed?,
            Err(error) => return Err(defect(&error)),
        }
        context.outcome(end)
    }
}

/// Has glibc keep some of what is freed for the next use: by itself it gives buffers of this size back to the system at once, and
/// each new one costs 64 page faults. It learns from an allocation that is freed, which is never touched: from here on it
/// gives back what is more than twice as much.
fn keep_freed_memory() {
    const LARGE: usize = 2 << 20;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE)));
}

/// What the files to fetch need of the disk, at least.
#[derive(Debug, Default)]
struct DiskNeeds {
    bytes: u64,
    /// The largest that takes the place of its basis: these are begun one after the other.
    largest_seeded: u64,
    /// Names that are not there yet.
    files: u64,
}

impl DiskNeeds {
    fn add(&mut self, size: u64, replaces: Option<Stamp>, missing: u64) {
        // The sizes are whatever the Hub says.
        self.bytes = self.bytes.saturating_add(missing);
        self.files += u64::from(replaces.is_none() && missing == size);
    }

    /// The same for a file that takes the place of its basis, whose room it has in the end.
    fn add_seeded(&mut self, size: u64, replaced: Stamp, missing: u64) {
        let given_back = missing.min(replaced.size);
        self.add(size, Some(replaced), missing - given_back);
        self.largest_seeded = self.largest_seeded.max(given_back);
    }

    /// Better to say so now than at 99 %.
    fn check(&self, root: &Root) -> Result<(), Failure> {
        let bytes = self.bytes.saturating_add(self.largest_seeded);
        let margin = (SMALLEST_MARGIN + bytes / 8).min(LARGEST_MARGIN);
        let needed = bytes.saturating_add(margin);
        let (space, shown) = (root.space(), root.path().display());
        // A disk that does not say how much is left is tried.
        if let Some(free) = space.bytes.filter(|free| bytes > 0 && needed > *free) {
            let detail =
                format_args!("the disk of {shown} is too small for what is missing and its bookkeeping");
            return Err(Failure::new(
                FailureKind::NoSpace { needed, free, scarcity: Scarcity::Bytes },
                detail,
            ));
        }
        if let Some(inodes) = space.inodes.filter(|inodes| self.files > *inodes) {
            let detail = format_args!(
                "the disk of {shown} can hold {inodes} more files (inodes), and {} are missing",
                self.files
            );
            let free = space.bytes.unwrap_or(u64::MAX);
            return Err(Failure::new(
                FailureKind::NoSpace { needed: 0, free, scarcity: Scarcity::Inodes },
                detail,
            ));
        }
        Ok(())
    }
}
