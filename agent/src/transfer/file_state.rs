//! One file on the scheduler: how it is asked for, what is under way for it, and how often it has failed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::file_transfer::FileTransfer;
use super::in_flight::{InFlight, Lease};
use super::request::Asked;
use crate::environment::RetryTiming;
use crate::fault::{Fault, RetryDecision};
use crate::part::Part;

/// Attempts without progress before a file is given up. With the waits between them, more than a minute, also when
/// every one of them happens to be the shortest.
pub(super) const ATTEMPTS: u32 = 10;
/// Attempts without progress at a server that makes no sense or is not trusted: a minute will hardly mend it.
const NONSENSE_ATTEMPTS: u32 = 3;
/// Whoever brought this much more to the disk since its last failure has made progress. Bytes that came and were thrown
/// away are none: a server that always ends at the same place would be asked for ever.
const PROGRESS: u64 = 256 << 10;

/// One file's place on the scheduler.
#[derive(Debug)]
pub(super) struct FileState {
    pub(super) task: Arc<FileTransfer>,
    pub(super) flight: Option<InFlight>,
    pub(super) asks: Asks,
    pub(super) failed_attempts: u32,
    /// Those of them that are worth a few attempts only.
    nonsense_attempts: u32,
    /// Bytes on disk at the last failure.
    pub(super) done_before: u64,
    pub(super) not_before: Option<Instant>,
    pub(super) was_corrupt: bool,
    /// How often a connection that was too slow for it was taken over from.
    pub(super) takeovers: u32,
    pub(super) is_settled: bool,
}

/// How a large file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    Ranges,
    /// Its server ignores ranges.
    Whole,
}

/// What a connection is to do next.
#[derive(Debug)]
pub(super) enum Assignment {
    /// Open the part of a large file and hand it to [`Scheduler::opened`](super::scheduler::Scheduler::opened).
    Open(usize, Arc<FileTransfer>),
    /// Fetch a small file whole, and ask [`Scheduler::carried`](super::scheduler::Scheduler::carried) whether it is still one's
    /// own.
    Small(usize, Arc<FileTransfer>, Arc<Lease>),
    /// Fetch a range.
    Piece(Piece),
}

/// A range of a large file.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) slot: usize,
    pub(super) task: Arc<FileTransfer>,
    pub(super) part: Arc<Part>,
    pub(super) lease: Arc<Lease>,
    pub(super) asked: Asked,
}

/// What follows from a fault.
#[derive(Debug)]
pub(super) enum NextStep {
    /// Another attempt follows after this wait.
    Again { attempt: u32, wait: Duration },
    /// Another attempt follows, and was announced already.
    Silently,
    /// The file is lost.
    Lost,
    /// Everything stops.
    Stop,
}

impl FileState {
    pub(super) fn new(task: Arc<FileTransfer>) -> Self {
        Self {
            task,
            flight: None,
            asks: Asks::Ranges,
            failed_attempts: 0,
            nonsense_attempts: 0,
            done_before: 0,
            not_before: None,
            was_corrupt: false,
            takeovers: 0,
            is_settled: false,
        }
    }

    pub(super) fn is_ready(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|wake| wake <= now)
    }

    pub(super) fn lease(
        &mut self,
        index: usize,
        connection: usize,
        range: std::ops::Range<u64>,
    ) -> Assignment {
        let lease = Arc::new(Lease::new(connection, range.clone()));
        let asked = match self.asks {
            Asks::Ranges => Asked::Range(range),
            Asks::Whole => Asked::Whole,
        };
        let Some(flight) = &mut self.flight else { return Assignment::Open(index, Arc::clone(&self.task)) };
        flight.leases.push(Arc::clone(&lease));
        let part = Arc::clone(&flight.part);
        Assignment::Piece(Piece { slot: index, task: Arc::clone(&self.task), part, lease, asked })
    }

    /// What a connection no longer works on and did not fetch is there for everyone again.
    pub(super) fn give_back(&mut self, piece: &Piece) {
        let Some(flight) = &mut self.flight else { return };
        let leases = flight.leases.len();
        flight.leases.retain(|lease| !Arc::ptr_eq(lease, &piece.lease));
        // A lease of a part that was thrown away meanwhile says nothing of the new one.
        if flight.leases.len() == leases {
            return;
        }
        match self.asks {
            Asks::Ranges => flight.unleased.insert(piece.lease.position()..piece.lease.end()),
            Asks::Whole => flight.unleased = flight.part.missing(),
        }
    }

    pub(super) fn next_step(&mut self, fault: &Fault, now: Instant, patience: &RetryTiming) -> NextStep {
        if self.is_settled {
            return NextStep::Silently;
        }
        let verdict = fault.retry_decision();
        match verdict {
            RetryDecision::GiveUp => return NextStep::Lost,
            RetryDecision::StopAll => return NextStep::Stop,
            RetryDecision::RetryWhole => return NextStep::Silently,
            RetryDecision::Retry | RetryDecision::RetryBriefly | RetryDecision::RetryWithNewAddress => {}
        }
        // Several connections of one file usually fail together, and that is one failure.
        if !self.is_ready(now) {
            // Whatever else went wrong at the same time: who asks for patience gets it.
            let asked = fault.asked_wait().map(|wait| now + wait);
            self.not_before = self.not_before.max(asked);
            return NextStep::Silently;
        }
        let done = self.task.done.load(Ordering::Relaxed);
        // A part that was thrown away has fewer than before.
        if done.saturating_sub(self.done_before) >= PROGRESS {
            self.failed_attempts = 0;
            self.nonsense_attempts = 0;
        }
        self.done_before = done;
        self.failed_attempts += 1;
        self.nonsense_attempts += u32::from(verdict == RetryDecision::RetryBriefly);
        if self.failed_attempts >= ATTEMPTS || self.nonsense_attempts >= NONSENSE_ATTEMPTS {
            return NextStep::Lost;
        }
        let wait = fault.asked_wait().unwrap_or_else(|| patience.backoff.wait_after(self.failed_attempts));
        self.not_before = Some(now + wait);
        NextStep::Again { attempt: self.failed_attempts, wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hfdown_protocol::{Digest, FileId, RepoPath, Source, Wanted};

    fn slot() -> FileState {
        let path = RepoPath::new("model.safetensors").unwrap();
        let wanted = Wanted { id: FileId(0), path, size: 1, digest: Digest::Sha256([0; 32]) };
        FileState::new(Arc::new(FileTransfer::new(wanted, None, "part".to_owned(), Source::OnRequest)))
    }

    /// Fails until the file is lost. Each attempt comes when its wait is over and takes no time.
    fn until_lost(fault: &Fault, patience: &RetryTiming) -> (u32, Duration) {
        let (mut slot, start) = (slot(), Instant::now());
        let mut now = start;
        let mut attempts = 1;
        while let NextStep::Again { wait, .. } = slot.next_step(fault, now, patience) {
            now += wait;
            attempts += 1;
        }
        (attempts, now - start)
    }

    #[test]
    fn a_server_may_be_away_for_a_minute() {
        let fault = Fault::Connect { host: "cdn.example".to_owned(), why: "refused".to_owned() };
        // The waits have chance in them: even a hundred files find the minute bridged.
        for _ in 0..100 {
            let (attempts, patience) = until_lost(&fault, &RetryTiming::default());
            assert_eq!(attempts, ATTEMPTS);
            assert!(patience > Duration::from_secs(60), "{patience:?}");
        }
        let waits = (1..ATTEMPTS).map(|failures| RetryTiming::default().backoff.even_wait_after(failures));
        let shortest = waits.sum::<Duration>().mul_f64(RetryTiming::default().backoff.jitter.least);
        assert!(shortest > Duration::from_secs(60), "{shortest:?}");
    }

    #[test]
    fn answers_without_sense_and_strangers_are_given_up_within_seconds() {
        let (host, why) = ("cdn.example".to_owned(), "UnknownIssuer".to_owned());
        let nonsense = Fault::Nonsense { host: host.clone(), what: "redirects for ever".to_owned() };
        for fault in [nonsense, Fault::Untrusted { host, why }] {
            let (attempts, patience) = until_lost(&fault, &RetryTiming::default());
            assert_eq!(attempts, NONSENSE_ATTEMPTS);
            assert!(patience < Duration::from_secs(5), "{patience:?}");
        }
    }
}
