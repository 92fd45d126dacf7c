//! A leased range of a large file on its way to the part.

use std::sync::Arc;

use bytes::Bytes;

use super::context::TransferContext;
use super::lease::Piece;
use super::receive::Sink;
use crate::fault::FetchFault;
use crate::part::RangeSet;
use crate::source::Chunk;

/// Bytes gathered before they are written: large enough to make system calls cheap, small enough that a killed process
/// has little to fetch again.
const WRITE: usize = 256 << 10;

/// Writes bytes to a part at their offsets, a buffer at a time.
#[derive(Debug)]
pub(super) struct PartSink<'a> {
    context: &'a Arc<TransferContext>,
    piece: &'a Piece,
    gathered: Vec<Bytes>,
    /// Where what is gathered begins, and how much it is.
    start: u64,
    size: usize,
}

impl<'a> PartSink<'a> {
    pub(super) fn new(context: &'a Arc<TransferContext>, piece: &'a Piece) -> Self {
        Self { context, piece, gathered: Vec::new(), start: piece.lease.start, size: 0 }
    }
}

impl Sink for PartSink<'_> {
    async fn take(&mut self, chunk: Chunk) -> Result<(), FetchFault> {
        if self.gathered.is_empty() {
            self.start = chunk.offset;
        }
        self.size += chunk.bytes.len();
        self.gathered.push(chunk.bytes);
        if self.size >= WRITE { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), FetchFault> {
        if std::mem::take(&mut self.size) == 0 {
            return Ok(());
        }
        // Let go of before the next one is read: into the same memory, as long as nothing else holds it.
        let (start, chunks) = (self.start, std::mem::take(&mut self.gathered));
        if let Some(turn) = self.context.inline_writes.turn().await {
            let written = write(self.context, self.piece, start, chunks);
            drop(turn);
            return written;
        }
        let (context, piece) = (Arc::clone(self.context), self.piece.clone());
        self.context.blocking(move || write(&context, &piece, start, chunks)).await
    }

    fn missing(&self) -> RangeSet {
        self.piece.part.missing()
    }
}

fn write(context: &TransferContext, piece: &Piece, start: u64, chunks: Vec<Bytes>) -> Result<(), FetchFault> {
    let Piece { file, part, lease, .. } = piece;
    let written = part.write(start, &chunks).map_err(|error| {
        FetchFault::Disk(context.root.failure(&format!("cannot write {}", file.wanted.path), &error))
    })?;
    if written.added == written.end - start
        && part.is_near(start)
        && let Some(room) = context.room_for(written.added)
    {
        part.keep(start, chunks, room);
    }
    lease.advance(written.end);
    file.counts.set_done(part.total());
    context.wrote(file, written.added);
    file.advanced.notify_one();
    Ok(())
}
