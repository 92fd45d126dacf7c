//! From bytes on disk to a file with its final name: followed by a digest, flushed, placed, recorded.

use std::sync::Arc;

use bytes::Bytes;
use hfdown_protocol::{Digest, RepoPath, Report};
use tokio::task::JoinHandle;

use super::context::{TransferContext, joined};
use super::file_transfer::FileTransfer;
use crate::disk;
use crate::fault::FetchFault;
use crate::folder::{self, Durable, Origin, Root};
use crate::hasher::Hasher;
use crate::part::Part;

/// How much is hashed before the next look at whether it still matters.
const STRIDE: u64 = 16 << 20;
/// So much is flushed at a time while more arrives.
const FLUSH: u64 = 128 << 20;
/// Read from the page cache in pieces that stay in the processor's cache.
const READ: usize = 256 << 10;

/// Follows a large file's front with its digest, then places it.
pub(super) async fn deliver(
    context: Arc<TransferContext>,
    index: usize,
    file: Arc<FileTransfer>,
    part: Arc<Part>,
) {
    let digest = tokio::select! {
        digest = follow(&context, index, &file, &part) => digest,
        () = file.abandoned.cancelled() => return,
        () = context.stop.cancelled() => return,
    };
    match digest {
        Ok(digest) if digest == file.wanted.digest => {
            if !context.scheduler.proved(index) {
                return;
            }
        }
        Ok(digest) => return corrupt(&context, index, &file, digest).await,
        Err(fault) => return context.faulted(index, &file, None, fault).await,
    }
    let permit = context.flushes.acquire().await;
    if context.stop.is_cancelled() {
        // All of it is on disk; the next run only proves it again.
        return;
    }
    let flushing = {
        let (root, path) = (Arc::clone(&context.root), file.wanted.path.clone());
        context.blocking(move || flush(&part, &path, &root))
    };
    let flushed = flushing.await;
    drop(permit);
    match flushed {
        Ok(()) => place(&context, index, &file).await,
        Err(fault) => context.faulted(index, &file, None, fault).await,
    }
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
        if front == position {
            context.scheduler.digest_waits(index);
            file.advanced.notified().await;
            continue;
        }
        let end = front.min(position + STRIDE);
        // Never closed, so there always is a permit in the end.
        let _permit = context.hashes.acquire().await;
        let (bytes, path) = (Arc::clone(part), file.wanted.path.clone());
        let stride = context.blocking(move || {
            hash(&mut hasher, &bytes, position, end).map_err(|error| {
                FetchFault::Disk(disk::failure(&format!("cannot read {path} back"), &error))
            })?;
            Ok(hasher)
        });
        hasher = stride.await?;
        position = end;
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
    part.flush().map_err(|error| {
        FetchFault::Disk(root.with_space(disk::failure(&format!("cannot flush {path}"), &error)))
    })
}

fn hash(hasher: &mut Hasher, part: &Part, mut position: u64, end: u64) -> std::io::Result<()> {
    let mut buffer = vec![0; READ];
    while position < end {
        let longest = usize::try_from(end - position).unwrap_or(READ).min(READ);
        let read = part.read_at(&mut buffer[..longest], position)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(&buffer[..read]);
        position += read as u64;
    }
    Ok(())
}

/// Proves a small file's bytes and writes them to its part, flushed; or says what their digest is instead.
pub(super) fn prove_small(
    context: &TransferContext,
    file: &FileTransfer,
    bytes: &Bytes,
) -> Result<Option<Digest>, FetchFault> {
    let mut hasher = Hasher::like(file.wanted.digest, file.wanted.size);
    hasher.update(bytes);
    let digest = hasher.finish();
    if digest != file.wanted.digest {
        return Ok(Some(digest));
    }
    let parts = context.root.parts().map_err(FetchFault::Disk)?;
    let write = || {
        let mut file = parts.dir().create(&file.part)?;
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()
    };
    write().map(|()| context.wrote(file, bytes.len() as u64)).map(|()| None).map_err(|error| {
        let failure = disk::failure(&format!("cannot write {}", file.wanted.path), &error);
        FetchFault::Disk(context.root.with_space(failure))
    })
}

/// Throws away what turned out wrong; once it is fetched again.
pub(super) async fn corrupt(
    context: &Arc<TransferContext>,
    index: usize,
    file: &Arc<FileTransfer>,
    got: Digest,
) {
    let expected = file.wanted.digest;
    let fault =
        FetchFault::Corrupt(format!("its {} is {got} where the Hub lists {expected}", expected.kind()));
    let discarding = {
        let (world, file) = (Arc::clone(context), Arc::clone(file));
        context.blocking(move || {
            let parts = world.root.parts().map_err(FetchFault::Disk)?;
            let attempt = || format!("cannot discard the part of {}", file.wanted.path);
            Part::discard(parts, &file.part)
                .map_err(|error| FetchFault::Disk(disk::failure(&attempt(), &error)))
        })
    };
    if let Err(fault) = discarding.await {
        return context.faulted(index, file, None, fault).await;
    }
    file.counts.set_done(0);
    file.source.forget().await;
    context.faulted(index, file, None, fault).await;
}

/// Gives a proved and flushed file its final name and remembers it.
pub(super) async fn place(context: &Arc<TransferContext>, index: usize, file: &Arc<FileTransfer>) {
    context.report(Report::Verified { file: file.wanted.id }).await;
    let placing = {
        let (world, file) = (Arc::clone(context), Arc::clone(file));
        context.blocking(move || {
            let wanted = &file.wanted;
            let is_small = file.is_small();
            let durable = if is_small { Durable::Later } else { Durable::Now };
            let stamp = folder::place(&world.root, &file.part, wanted, file.replaces, durable)
                .map_err(FetchFault::Disk)?;
            // A small file never had one.
            if let (false, Ok(parts)) = (is_small, world.root.parts()) {
                Part::forget_journal(parts, &file.part);
            }
            let mut records = world.records();
            records
                .remember(&world.root, wanted, stamp, Origin::Placed)
                .map_err(|failure| FetchFault::Disk(world.root.with_space(failure)))
        })
    };
    match placing.await {
        Ok(()) => {
            file.source.forget().await;
            if context.scheduler.settled(index) {
                context.placed(file).await;
            }
        }
        Err(fault) => context.faulted(index, file, None, fault).await,
    }
}
