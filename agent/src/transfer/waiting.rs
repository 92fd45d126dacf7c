//! Waiting for a server: how long it may be silent, how slow it may be, and when a whole transfer is not worth it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::lease::Lease;
use super::straggler::RECENT;
use crate::fault::FetchFault;
use crate::http::{RecentSpeed, SLICE, SpeedFloor};
use crate::source::{ByteStream, Chunk, Network};

/// How often as long as one connection a whole transfer may be too slow: longer than a file's attempts take, which are
/// ended one by one, so that this is for a transfer of many files.
const TRANSFER_TIMES: u32 = 20;

/// One connection's patience with the server that it has asked.
#[derive(Debug)]
pub(super) struct Patience<'a> {
    network: &'a Network,
    /// How many connections receive at present: the floor is for all of them together.
    receiving: &'a AtomicUsize,
    speed: RecentSpeed,
    recent: RecentSpeed,
    fault: Option<(u64, Duration)>,
}

impl<'a> Patience<'a> {
    pub(super) fn new(network: &'a Network, receiving: &'a AtomicUsize) -> Self {
        receiving.fetch_add(1, Ordering::Relaxed);
        let (speed, recent) = (RecentSpeed::over(network.floor.time), RecentSpeed::over(RECENT));
        Self { network, receiving, speed, recent, fault: None }
    }

    /// The next chunk of a stream; none at its end. A fault where nothing, or too little, has come for too long.
    pub(super) async fn next(
        &mut self,
        stream: &mut ByteStream,
        lease: &Lease,
    ) -> Result<Option<Chunk>, FetchFault> {
        let Network { stall, floor, .. } = *self.network;
        let slice = SLICE.min(stall).min(floor.time);
        let mut silent = Duration::ZERO;
        loop {
            if let Some((bytes, after)) = self.fault {
                let host = stream.host().to_owned();
                return Err(stream.at_fault(match bytes {
                    0 => FetchFault::Stalled { host, after },
                    bytes => FetchFault::Slow { host, bytes, after },
                }));
            }
            let since = Instant::now();
            let next = {
                let _waits = self.network.waiting.enter();
                tokio::time::timeout(slice, stream.next()).await
            };
            let bytes = match &next {
                Ok(Ok(Some(chunk))) => chunk.wire,
                _ => 0,
            };
            self.note(bytes, since.elapsed().min(slice), floor, lease);
            match next {
                Ok(next) => return next,
                Err(_) => silent += slice,
            }
            if silent >= stall {
                let host = stream.host().to_owned();
                return Err(stream.at_fault(FetchFault::Stalled { host, after: stall }));
            }
        }
    }

    fn note(&mut self, bytes: u64, waited: Duration, floor: SpeedFloor, lease: &Lease) {
        let sharing = self.receiving.load(Ordering::Relaxed);
        let slow = self.speed.note(bytes, waited).filter(|recent| floor.is_above(*recent, sharing));
        // What has come is taken first.
        self.fault = self.fault.or(slow);
        if let Some((bytes, waited)) = self.recent.note(bytes, waited) {
            lease.comes_at(
                bytes.saturating_mul(1_000) / u64::try_from(waited.as_millis()).unwrap_or(u64::MAX).max(1),
            );
        }
    }
}

impl Drop for Patience<'_> {
    fn drop(&mut self) {
        self.receiving.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A whole transfer's patience: many files that are too slow one after the other would take days.
#[derive(Debug)]
pub(super) struct TransferPatience {
    network: Arc<Network>,
    speed: RecentSpeed,
    fetched: u64,
}

impl TransferPatience {
    pub(super) fn new(network: Arc<Network>) -> Self {
        let time = network.floor.time.max(network.stall);
        Self { network, speed: RecentSpeed::over(time.saturating_mul(TRANSFER_TIMES)), fetched: 0 }
    }

    /// So much time has passed, and so much has come over the network so far. Where that has been less than the floor for
    /// too long: how much has come in which time.
    pub(super) fn note(&mut self, passed: Duration, fetched: u64) -> Option<(u64, Duration)> {
        let bytes = fetched.saturating_sub(std::mem::replace(&mut self.fetched, fetched));
        // Where no connection waits for a server, none is slow.
        let waited = if self.network.waiting.is_any() { passed } else { Duration::ZERO };
        self.speed.note(bytes, waited).filter(|recent| self.network.floor.is_above(*recent, 1))
    }
}
