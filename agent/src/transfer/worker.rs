//! One connection: takes assignments from the scheduler until there are none.

use std::sync::Arc;

use hfdown_protocol::Report;

use super::delivery;
use super::file_state::{Assignment, Turn};
use super::file_transfer::FileTransfer;
use super::lease::{Lease, Piece};
use super::part_sink::PartSink;
use super::receive::{MemorySink, receive};
use super::shared::{Shared, defect};
use crate::disk;
use crate::fault::Fault;
use crate::part::Part;
use crate::source::Extent;

/// Works until everything is settled. Connections are numbered from 0; how many of them may work changes.
pub(super) async fn work(connection: usize, shared: Arc<Shared>) {
    while let Some(assignment) = shared.scheduler.next(connection).await {
        match assignment {
            Assignment::Open(index, file, turn) => open(&shared, index, file, turn).await,
            Assignment::Small(index, file, lease, turn) => {
                announce(&shared, &file, turn, 0).await;
                small(&shared, index, file, &lease).await;
            }
            Assignment::Piece(piece) => fetch(&shared, &piece).await,
        }
    }
}

/// Says once that a file is begun.
async fn announce(shared: &Shared, file: &FileTransfer, turn: Turn, resumed: u64) {
    if turn == Turn::First {
        shared.report(Report::Started { file: file.wanted.id, resumed }).await;
    }
}

/// Opens the part of a large file.
async fn open(shared: &Arc<Shared>, index: usize, file: Arc<FileTransfer>, turn: Turn) {
    let opening = {
        let (world, file) = (Arc::clone(shared), Arc::clone(&file));
        shared.blocking(move || {
            let parts = world.root.parts().map_err(Fault::Disk)?;
            let attempt = || format!("cannot begin {}", file.wanted.path);
            Part::open(parts, &file.part, file.wanted.size)
                .map_err(|error| Fault::Disk(disk::failure(&attempt(), &error)))
        })
    };
    match opening.await {
        Ok(part) => {
            let part = Arc::new(part);
            file.counts.set_done(part.total());
            announce(shared, &file, turn, part.total()).await;
            shared.underway.spawn(delivery::deliver(Arc::clone(shared), index, file, Arc::clone(&part)));
            shared.scheduler.opened(index, part);
        }
        Err(fault) => shared.faulted(index, &file, None, fault).await,
    }
}

/// Fetches a range of a large file.
async fn fetch(shared: &Arc<Shared>, piece: &Piece) {
    let Piece { index, file, lease, extent, .. } = piece;
    let mut sink = PartSink::new(shared, piece);
    let outcome = tokio::select! {
        // Nothing more is asked for once the file is lost.
        biased;
        () = file.abandoned.cancelled() => Ok(()),
        () = lease.taken_over() => Ok(()),
        outcome = receive(shared, file, lease, extent, &mut sink) => outcome,
    };
    match outcome {
        Ok(()) => shared.scheduler.fetched(piece),
        Err(fault) => shared.faulted(*index, file, Some(piece), fault).await,
    }
}

/// Fetches a small file, proves it in memory, and places it.
async fn small(shared: &Arc<Shared>, index: usize, file: Arc<FileTransfer>, lease: &Arc<Lease>) {
    let mut sink = MemorySink::new(lease, file.wanted.size);
    let outcome = tokio::select! {
        () = lease.taken_over() => return,
        outcome = receive_small(shared, &file, lease, &mut sink) => outcome,
    };
    if !shared.scheduler.carried(index, lease) {
        return;
    }
    if let Err(fault) = outcome {
        return shared.faulted(index, &file, None, fault).await;
    }
    let bytes = sink.into_bytes();
    let proving = {
        let (world, file) = (Arc::clone(shared), Arc::clone(&file));
        shared.blocking(move || delivery::prove_small(&world, &file, &bytes))
    };
    match proving.await {
        Ok(None) => {
            let world = Arc::clone(shared);
            // On its own, so that what is placed while everything stops is counted as well.
            let placing = shared.underway.spawn(async move { delivery::place(&world, index, &file).await });
            if let Err(error) = placing.await {
                shared.fail(defect(&error));
            }
        }
        Ok(Some(digest)) => delivery::corrupt(shared, index, &file, digest).await,
        Err(fault) => shared.faulted(index, &file, None, fault).await,
    }
}

async fn receive_small(
    shared: &Shared,
    file: &FileTransfer,
    lease: &Lease,
    sink: &mut MemorySink<'_>,
) -> Result<(), Fault> {
    // An empty file has nothing to ask for.
    if file.wanted.size == 0 { Ok(()) } else { receive(shared, file, lease, &Extent::Whole, sink).await }
}
