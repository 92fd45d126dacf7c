//! The one loop that brings bytes from a source into a sink, for ranges of large files and for small files alike.

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::context::TransferContext;
use super::file_transfer::FileTransfer;
use super::lease::Lease;
use super::waiting::Patience;
use crate::fault::FetchFault;
use crate::part::RangeSet;
use crate::source::{Chunk, Extent};

/// Where received bytes go.
pub(super) trait Sink {
    /// Takes the next bytes. It may gather them before it says to the lease that they are there.
    async fn take(&mut self, chunk: Chunk) -> Result<(), FetchFault>;

    /// Brings to its place what was gathered.
    async fn flush(&mut self) -> Result<(), FetchFault>;

    /// What of the whole file has no place yet.
    fn missing(&self) -> RangeSet;
}

/// Receives what a lease is for, to its end, which may come closer while another connection takes over. What has
/// arrived is kept whatever happens then.
pub(super) async fn receive(
    context: &TransferContext,
    file: &FileTransfer,
    lease: &Lease,
    extent: &Extent,
    sink: &mut impl Sink,
) -> Result<(), FetchFault> {
    let mut stream = file.source.open(&context.network, extent, || sink.missing()).await?;
    let mut patience = None;
    if stream.is_over_network() {
        lease.answered(Instant::now());
        patience = Some(Patience::new(&context.network, &context.receiving));
    }
    let mut position = lease.start;
    loop {
        let next = match &mut patience {
            Some(patience) => patience.next(&mut stream, lease).await,
            None => stream.next().await,
        };
        let outcome = match next {
            Ok(Some(mut chunk)) => {
                debug_assert_eq!(chunk.offset, position, "chunks follow one another");
                if chunk.wire > 0 {
                    context.arrived(file, lease.connection, chunk.wire).await;
                }
                let wanted = usize::try_from(lease.end().saturating_sub(position)).unwrap_or(usize::MAX);
                let is_too_long = position + chunk.bytes.len() as u64 > file.wanted.size;
                chunk.bytes.truncate(wanted);
                position += chunk.bytes.len() as u64;
                // Of what comes in larger pieces than can be used, nothing is had at times.
                if !chunk.bytes.is_empty() {
                    sink.take(chunk).await?;
                }
                match extent {
                    Extent::Whole if is_too_long => Some(Err(too_long(stream.host()))),
                    // The end of the answer says whether there is a surplus. That of a large file is not waited for:
                    // its digest tells.
                    Extent::Whole if file.is_small() && lease.end() == file.wanted.size => None,
                    Extent::Whole | Extent::Range(_) => (position >= lease.end()).then_some(Ok(())),
                }
            }
            Ok(None) => Some(complete(position, lease, stream.host())),
            Err(fault) => Some(Err(fault)),
        };
        if outcome.is_some() || position >= lease.end() {
            sink.flush().await?;
        }
        if let Some(outcome) = outcome {
            return outcome;
        }
    }
}

/// What the end of an answer means.
fn complete(position: u64, lease: &Lease, host: &str) -> Result<(), FetchFault> {
    match lease.end().saturating_sub(position) {
        0 => Ok(()),
        missing => {
            Err(FetchFault::Broken { host: host.to_owned(), why: format!("{missing} bytes are missing") })
        }
    }
}

fn too_long(host: &str) -> FetchFault {
    FetchFault::Nonsense { host: host.to_owned(), what: "sends more bytes than the Hub lists".to_owned() }
}

/// A small file in memory.
#[derive(Debug)]
pub(super) struct MemorySink<'a> {
    lease: &'a Lease,
    size: usize,
    copied: BytesMut,
    /// All of it, as it was handed over.
    whole: Option<Bytes>,
}

impl<'a> MemorySink<'a> {
    pub(super) fn new(lease: &'a Lease, size: u64) -> Self {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        Self { lease, size, copied: BytesMut::new(), whole: None }
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.whole.unwrap_or_else(|| self.copied.freeze())
    }
}

impl Sink for MemorySink<'_> {
    async fn take(&mut self, chunk: Chunk) -> Result<(), FetchFault> {
        let Chunk { offset, bytes, wire } = chunk;
        let end = offset + bytes.len() as u64;
        if wire == 0 && bytes.len() == self.size {
            self.whole = Some(bytes);
        } else {
            // Copied, so that the connection receives the next bytes into the same memory.
            self.copied.reserve(self.size.saturating_sub(self.copied.len()));
            self.copied.extend_from_slice(&bytes);
        }
        self.lease.advance(end);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), FetchFault> {
        Ok(())
    }

    fn missing(&self) -> RangeSet {
        let mut all = RangeSet::default();
        all.insert(0..self.size as u64);
        all
    }
}
