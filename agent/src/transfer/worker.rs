//! One connection: takes assignments from the scheduler until there are none.

use std::sync::Arc;

use bytes::Bytes;
use hfdown_protocol::Report;

use super::claim::claim;
use super::context::{TransferContext, defect};
use super::delivery::{self, SmallProof};
use super::file_state::{Assignment, Turn};
use super::file_transfer::FileTransfer;
use super::lease::{Lease, Piece};
use super::part_sink::PartSink;
use super::receive::{MemorySink, receive};
use super::seed::seed;
use crate::fault::FetchFault;
use crate::part::Part;
use crate::source::Extent;

/// Works until everything is settled. Connections are numbered from 0; how many of them may work changes.
pub(super) async fn work(connection: usize, context: Arc<TransferContext>) {
    while let Some(assignment) = context.scheduler.next(connection).await {
        match assignment {
            Assignment::Open(index, file, turn) => open(&context, index, file, turn).await,
            Assignment::Small(index, file, lease, turn) => {
                if !claim(&context, index, &file, turn).await {
                    continue;
                }
                announce(&context, &file, turn, 0).await;
                small(&context, index, file, &lease).await;
            }
            Assignment::Piece(piece) => fetch(&context, &piece).await,
        }
    }
}

/// Says once that a file is begun.
async fn announce(context: &TransferContext, file: &FileTransfer, turn: Turn, resumed: u64) {
    if turn == Turn::First {
        context.report(Report::Started { file: file.wanted.id, resumed }).await;
    }
}

/// Opens the part of a large file.
async fn open(context: &Arc<TransferContext>, index: usize, file: Arc<FileTransfer>, turn: Turn) {
    if !claim(context, index, &file, turn).await {
        return;
    }
    let opening = {
        let (world, file) = (Arc::clone(context), Arc::clone(&file));
        context.blocking(move || {
            let parts = world.root.parts().map_err(FetchFault::Disk)?;
            let attempt = || format!("cannot begin {}", file.wanted.path);
            Part::open(parts, &world.guard, &file.part, file.wanted.size)
                .map_err(|error| FetchFault::Disk(world.root.failure(&attempt(), &error)))
        })
    };
    match opening.await {
        Ok(part) => {
            file.counts.set_done(part.total());
            announce(context, &file, turn, part.total()).await;
            if file.basis.is_some() {
                // A connection would wait for its turn.
                context.underway.spawn(seeded(Arc::clone(context), index, file, Arc::new(part)));
            } else {
                begin(context, index, file, Arc::new(part)).await;
            }
        }
        Err(fault) => context.faulted(index, &file, None, fault).await,
    }
}

/// Seeds a part from the file's basis, then has the rest fetched. One at a time: each takes the room of a whole file at
/// once, and gives back that of its basis only when it is placed.
async fn seeded(context: Arc<TransferContext>, index: usize, file: Arc<FileTransfer>, part: Arc<Part>) {
    let beginning = async {
        if !file.may_be_seeded()
            // Never closed, so there always is a permit in the end.
            && let Ok(permit) = Arc::clone(&context.seeds).acquire_owned().await
        {
            file.let_be_seeded(permit);
        }
        match seed(&context, &file, &part).await {
            Ok(()) => begin(&context, index, Arc::clone(&file), part).await,
            Err(fault) => context.faulted(index, &file, None, fault).await,
        }
    };
    tokio::select! {
        () = beginning => {}
        () = context.stop.cancelled() => {}
        () = file.abandoned.cancelled() => {}
    }
}

/// Has what is missing of a part fetched.
async fn begin(context: &Arc<TransferContext>, index: usize, file: Arc<FileTransfer>, part: Arc<Part>) {
    let prepared = file.source.prepare(&context.network, || part.missing()).await;
    if let Err(fault) = prepared {
        return context.faulted(index, &file, None, fault).await;
    }
    file.counts.set_done(part.total());
    // First: what the delivery says of the file is about this part.
    context.scheduler.opened(index, Arc::clone(&part));
    context.underway.spawn(delivery::deliver(Arc::clone(context), index, file, part));
}

/// Fetches a range of a large file.
async fn fetch(context: &Arc<TransferContext>, piece: &Piece) {
    let Piece { index, file, lease, extent, .. } = piece;
    let mut sink = PartSink::new(context, piece);
    let outcome = tokio::select! {
        // Nothing more is asked for once the file is lost.
        biased;
        () = file.abandoned.cancelled() => Ok(()),
        () = lease.taken_over() => Ok(()),
        outcome = receive(context, file, lease, extent, &mut sink) => outcome,
    };
    match outcome {
        Ok(()) => context.scheduler.fetched(piece),
        Err(fault) => {
            let fault = file.source.judge(&context.network, fault, file.counts.done()).await;
            context.faulted(*index, file, Some(piece), fault).await;
        }
    }
}

/// Fetches a small file, proves it in memory, and places it.
async fn small(context: &Arc<TransferContext>, index: usize, file: Arc<FileTransfer>, lease: &Arc<Lease>) {
    if let Some(bytes) = delivery::kept_small(context, &file).await {
        return prove_and_place(context, index, file, lease, bytes).await;
    }
    let mut sink = MemorySink::new(lease, file.wanted.size);
    let outcome = tokio::select! {
        () = lease.taken_over() => return,
        outcome = receive_small(context, &file, lease, &mut sink) => outcome,
    };
    match outcome {
        Ok(()) => prove_and_place(context, index, file, lease, sink.into_bytes()).await,
        Err(fault) => {
            if context.scheduler.carried(index, lease) {
                let fault = file.source.judge(&context.network, fault, 0).await;
                context.faulted(index, &file, None, fault).await;
            }
        }
    }
}

/// Proves the bytes of a small file, and places it.
async fn prove_and_place(
    context: &Arc<TransferContext>,
    index: usize,
    file: Arc<FileTransfer>,
    lease: &Arc<Lease>,
    bytes: Bytes,
) {
    if !context.scheduler.carried(index, lease) {
        return;
    }
    let proving = {
        let (world, file) = (Arc::clone(context), Arc::clone(&file));
        context.blocking(move || delivery::prove_small(&world, &file, &bytes))
    };
    match proving.await {
        Ok(SmallProof::Proved(part)) => {
            let world = Arc::clone(context);
            // On its own, so that what is placed while everything stops is counted as well.
            let placing =
                context.underway.spawn(async move { delivery::place(&world, index, &file, part).await });
            if let Err(error) = placing.await {
                context.fail(defect(&error));
            }
        }
        Ok(SmallProof::Wrong(digest)) => delivery::corrupt(context, index, &file, digest).await,
        Err(fault) => context.faulted(index, &file, None, fault).await,
    }
}

async fn receive_small(
    context: &TransferContext,
    file: &FileTransfer,
    lease: &Lease,
    sink: &mut MemorySink<'_>,
) -> Result<(), FetchFault> {
    // An empty file has nothing to ask for.
    if file.wanted.size == 0 { Ok(()) } else { receive(context, file, lease, &Extent::Whole, sink).await }
}
