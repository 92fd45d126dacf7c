//! From bytes on disk to a file with its final name: followed by a digest, flushed, placed, recorded.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use hfdown_protocol::{Digest, Failure, FailureKind, RepoPath, Report};
use tokio::task::JoinHandle;

use super::claim::{Named, name_others};
use super::context::{TransferContext, joined};
use super::file_transfer::FileTransfer;
use crate::disk;
use crate::fault::FetchFault;
use crate::folder::{self, Durable, Origin, PlaceFault, Placed, Root};
use crate::hasher::Hasher;
use crate::part::{self, NextBytes, Part, ProvedPart};

/// How much is hashed before the next look at whether it still matters.
const STRIDE: u64 = 16 << 20;
/// So much is waited for before it is hashed: to be woken up for each write costs more.
const GATHERED: u64 = 1 << 20;
/// So much is flushed at a time while more arrives.
const FLUSH: u64 = 128 << 20;
/// A part that another program may have written to is read again, and again if it went on. Then the file is given up.
const READINGS: usize = 4;
/// Read from the page cache in pieces that stay in the processor's cache.
const READ: usize = 256 << 10;

/// Follows a large file's front with its digest, then places it.
pub(super) async fn deliver(
    context: Arc<TransferContext>,
    index: usize,
    file: Arc<FileTransfer>,
    part: Arc<Part>,
) {
    match prove(&context, index, &file, &part).await {
        Ok(PartProof::Proved(part)) => place(&context, index, &file, part).await,
        Ok(PartProof::Wrong(digest)) => {
            let also = if part.is_disturbed() { ", and another program has had its part open" } else { "" };
            let fault = FetchFault::Corrupt(wrong_digest(&file, digest) + also);
            begin_again(&context, index, &file, fault).await;
        }
        // It was cut short.
        Err(fault @ FetchFault::Corrupt(_)) => begin_again(&context, index, &file, fault).await,
        Ok(PartProof::Over) => {}
        Err(fault) => context.faulted(index, &file, None, fault).await,
    }
}

/// What a part's bytes turned out to be.
enum PartProof {
    Proved(ProvedPart),
    Wrong(Digest),
    /// The file was lost meanwhile, or everything stops.
    Over,
}

/// Follows a part with its digest, and flushes it. Where another program may have written behind the digest, all of it
/// is read again.
async fn prove(
    context: &Arc<TransferContext>,
    index: usize,
    file: &Arc<FileTransfer>,
    part: &Arc<Part>,
) -> Result<PartProof, FetchFault> {
    for reading in 0..READINGS {
        if reading > 0 {
            at_disk(context, file, part, "cannot read back", Part::rest).await?;
        }
        let digest = tokio::select! {
            digest = follow(context, index, file, part) => digest?,
            () = file.abandoned.cancelled() => return Ok(PartProof::Over),
            () = context.stop.cancelled() => return Ok(PartProof::Over),
        };
        if digest != file.wanted.digest {
            return Ok(PartProof::Wrong(digest));
        }
        if !context.scheduler.proved(index) {
            return Ok(PartProof::Over);
        }
        // Never closed, so there always is a permit in the end.
        let _permit = context.flushes.acquire().await;
        if context.stop.is_cancelled() {
            // All of it is on disk; the next run only proves it again.
            return Ok(PartProof::Over);
        }
        if let Some(proved) = at_disk(context, file, part, "cannot flush", Part::seal).await? {
            return Ok(PartProof::Proved(proved));
        }
    }
    Err(kept_changing(&file.wanted.path))
}

/// Another program does not leave a part alone: this run can't place the file, the next one may.
fn kept_changing(path: &RepoPath) -> FetchFault {
    let detail =
        format_args!("cannot prove {path}: another program keeps writing to it under .cache/hfdown/parts");
    FetchFault::Disk(Failure::new(FailureKind::ChangedMeanwhile, detail))
}

/// Does something with a part where it may block.
async fn at_disk<T: Send + 'static>(
    context: &TransferContext,
    file: &FileTransfer,
    part: &Arc<Part>,
    attempt: &'static str,
    act: impl FnOnce(&Part) -> io::Result<T> + Send + 'static,
) -> Result<T, FetchFault> {
    let (part, path, root) = (Arc::clone(part), file.wanted.path.clone(), Arc::clone(&context.root));
    context
        .blocking(move || {
            act(&part).map_err(|error| FetchFault::Disk(root.failure(&format!("{attempt} {path}"), &error)))
        })
        .await
}

/// One pass over the bytes, never ahead of what is on disk without a gap. What an earlier run left is read again: its
/// digest is computed, not believed.
async fn follow(
    context: &TransferContext,
    index: usize,
    file: &Arc<FileTransfer>,
    part: &Arc<Part>,
) -> Result<Digest, FetchFault> {
    let size = file.wanted.size;
    let mut hasher = Hasher::like(file.wanted.digest, size);
    let mut ahead = FlushAhead::default();
    let mut position = 0;
    while position < size {
        let front = part.front();
        if front < size.min(position + GATHERED) {
            context.scheduler.digest_waits(index);
            file.advanced.notified().await;
            continue;
        }
        let end = front.min(position + STRIDE);
        // Never closed, so there always is a permit in the end.
        let _permit = context.hashes.acquire().await;
        let (bytes, path) = (Arc::clone(part), file.wanted.path.clone());
        let stride = context.blocking(move || {
            let come = hash(&mut hasher, &bytes, position, end).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    FetchFault::Corrupt("another program has cut its part short".to_owned())
                }
                _ => FetchFault::Disk(disk::failure(&format!("cannot read {path} back"), &error)),
            })?;
            Ok((hasher, come))
        });
        (hasher, position) = stride.await?;
        context.scheduler.digested(index, position);
        ahead.advance(context, file, part, position).await?;
    }
    ahead.finish().await?;
    Ok(hasher.finish())
}

/// Has the disk write what has arrived while more arrives, so that the flush before the final name is a short one.
#[derive(Default)]
struct FlushAhead {
    position: u64,
    running: Option<JoinHandle<Result<(), FetchFault>>>,
}

impl FlushAhead {
    /// There are so many bytes now.
    async fn advance(
        &mut self,
        context: &TransferContext,
        file: &FileTransfer,
        part: &Arc<Part>,
        position: u64,
    ) -> Result<(), FetchFault> {
        let is_busy = self.running.as_ref().is_some_and(|running| !running.is_finished());
        if is_busy || position - self.position < FLUSH {
            return Ok(());
        }
        self.finish().await?;
        self.position = position;
        let (part, path, root) = (Arc::clone(part), file.wanted.path.clone(), Arc::clone(&context.root));
        self.running = Some(context.underway.spawn_blocking(move || flush(&part, &path, &root)));
        Ok(())
    }

    /// A disk says only once that it could not write, so every answer is heard.
    async fn finish(&mut self) -> Result<(), FetchFault> {
        match self.running.take() {
            Some(running) => joined(running.await),
            None => Ok(()),
        }
    }
}

fn flush(part: &Part, path: &RepoPath, root: &Root) -> Result<(), FetchFault> {
    part.flush().map_err(|error| FetchFault::Disk(root.failure(&format!("cannot flush {path}"), &error)))
}

/// Hashes a range, or a little more where that is in memory. Says how far it came.
fn hash(hasher: &mut Hasher, part: &Part, mut position: u64, end: u64) -> io::Result<u64> {
    let mut buffer = Vec::new();
    while position < end {
        let written = match part.next_bytes(&(position..end)) {
            NextBytes::Kept(chunks) => {
                for chunk in chunks {
                    hasher.update(&chunk);
                    position += chunk.len() as u64;
                }
                continue;
            }
            NextBytes::Written(end) => end,
        };
        buffer.resize(READ, 0);
        while position < written {
            let longest = usize::try_from(written - position).unwrap_or(READ).min(READ);
            let read = part.read_at(&mut buffer[..longest], position)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            hasher.update(&buffer[..read]);
            position += read as u64;
        }
    }
    Ok(position)
}

/// What a small file's bytes turned out to be.
pub(super) enum SmallProof {
    Proved(ProvedPart),
    Wrong(Digest),
}

/// Proves a small file's bytes and writes them to its part, flushed; or says what their digest is instead.
pub(super) fn prove_small(
    context: &TransferContext,
    file: &FileTransfer,
    bytes: &Bytes,
) -> Result<SmallProof, FetchFault> {
    let mut hasher = Hasher::like(file.wanted.digest, file.wanted.size);
    hasher.update(bytes);
    let digest = hasher.finish();
    if digest != file.wanted.digest {
        return Ok(SmallProof::Wrong(digest));
    }
    let parts = context.root.parts().map_err(FetchFault::Disk)?;
    let written = part::write_small(parts, &context.guard, &file.part, bytes).map_err(|error| {
        FetchFault::Disk(context.root.failure(&format!("cannot write {}", file.wanted.path), &error))
    })?;
    context.wrote(file, bytes.len() as u64);
    written.map(SmallProof::Proved).ok_or_else(|| kept_changing(&file.wanted.path))
}

/// Throws away a small file that turned out wrong; once it is fetched again.
pub(super) async fn corrupt(
    context: &Arc<TransferContext>,
    index: usize,
    file: &Arc<FileTransfer>,
    got: Digest,
) {
    begin_again(context, index, file, FetchFault::Corrupt(wrong_digest(file, got))).await;
}

fn wrong_digest(file: &FileTransfer, got: Digest) -> String {
    let expected = file.wanted.digest;
    format!("its {} is {got} where the Hub lists {expected}", expected.kind())
}

/// Throws a part away, and has the file fetched once more.
async fn begin_again(
    context: &Arc<TransferContext>,
    index: usize,
    file: &Arc<FileTransfer>,
    fault: FetchFault,
) {
    let discarding = {
        let (world, file) = (Arc::clone(context), Arc::clone(file));
        context.blocking(move || {
            let parts = world.root.parts().map_err(FetchFault::Disk)?;
            let attempt = || format!("cannot discard the part of {}", file.wanted.path);
            Part::discard(parts, &file.part)
                .map_err(|error| FetchFault::Disk(world.root.failure(&attempt(), &error)))
        })
    };
    if let Err(fault) = discarding.await {
        return context.faulted(index, file, None, fault).await;
    }
    file.counts.set_done(0);
    // Bytes out of xorbs are no attempt at the file as its digest is of: that is made now.
    let mut fell_back = file.source.was_wrong(&context.network, &fault).await;
    if file.blame_basis() && !std::mem::replace(&mut fell_back, true) {
        let failure = fault.failure();
        context.report(Report::FellBack { file: file.wanted.id, failure }).await;
    }
    file.source.forget().await;
    let fault = if fell_back { FetchFault::CutElsewhere } else { fault };
    context.faulted(index, file, None, fault).await;
}

/// Gives a proved and flushed part its final name and remembers the file.
pub(super) async fn place(
    context: &Arc<TransferContext>,
    index: usize,
    file: &Arc<FileTransfer>,
    part: ProvedPart,
) {
    context.report(Report::Verified { file: file.wanted.id }).await;
    let placing = {
        let (world, file) = (Arc::clone(context), Arc::clone(file));
        context.blocking(move || {
            let wanted = &file.wanted;
            let is_small = file.is_small();
            let durable = if is_small { Durable::Later } else { Durable::Now };
            let Placed { stamp, named } =
                match folder::place(&world.root, &part, wanted, file.replaces, durable) {
                    Ok(placed) => placed,
                    Err(PlaceFault::PartChanged) => return Ok(Placing::PartChanged),
                    Err(PlaceFault::File(failure)) => {
                        keep(&world, &file);
                        return Err(FetchFault::Unplaceable(failure));
                    }
                    Err(PlaceFault::Disk(failure)) => return Err(FetchFault::Disk(failure)),
                };
            // Of the small ones only those have one that could not be placed before.
            if let (true, Ok(parts)) = (!is_small || file.was_kept, world.root.parts()) {
                Part::forget_journal(parts, &file.part);
            }
            let mut records = world.records();
            records
                .remember(&world.root, wanted, stamp, Origin::Placed, file.xet)
                .map_err(FetchFault::Disk)?;
            drop(records);
            let others = file.sharing.as_ref().map(|sharing| name_others(&world.root, sharing));
            Ok(Placing::Placed { named, others: others.unwrap_or_default() })
        })
    };
    match placing.await {
        Ok(Placing::Placed { named, others }) => {
            file.source.forget().await;
            if context.scheduler.settled(index) {
                context.placed(file, named, others).await;
            }
        }
        Ok(Placing::PartChanged) => {
            let why = "another program changed it under .cache/hfdown/parts while it was placed".to_owned();
            begin_again(context, index, file, FetchFault::Corrupt(why)).await;
        }
        Err(fault) => context.faulted(index, file, None, fault).await,
    }
}

/// Keeps the part of a file that could not be placed for a run that can. That of a large one has a journal already.
fn keep(context: &TransferContext, file: &FileTransfer) {
    if let (true, Ok(parts)) = (file.is_small(), context.root.parts()) {
        // Without it, the file is fetched again.
        let _ = part::keep_small(parts, &file.part, file.wanted.size);
    }
}

/// The bytes of a small file that an earlier run could not place. They are proved as those that come over the network.
pub(super) async fn kept_small(context: &Arc<TransferContext>, file: &Arc<FileTransfer>) -> Option<Bytes> {
    if !file.take_kept() {
        return None;
    }
    let (world, file) = (Arc::clone(context), Arc::clone(file));
    let reading = context.blocking(move || {
        let parts = world.root.parts().map_err(FetchFault::Disk)?;
        Ok(part::kept_small(parts, &file.part, file.wanted.size))
    });
    reading.await.ok().flatten()
}

/// What an attempt to place a part came to.
enum Placing {
    /// The bytes have their place. Whether the file has its name, and each of the others of the same bytes.
    Placed { named: Result<(), Failure>, others: Vec<Named> },
    /// Another program has changed the part since it was proved.
    PartChanged,
}
