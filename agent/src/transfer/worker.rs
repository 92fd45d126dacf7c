//! One connection: takes assignments from the scheduler until there are none.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use hfdown_protocol::Report;
use tokio::time::Instant;

use super::delivery;
use super::file_state::{Assignment, Piece};
use super::file_transfer::{Body, FileTransfer};
use super::in_flight::Lease;
use super::request::{Asked, host_of, network};
use super::shared::{Shared, defect};
use crate::disk;
use crate::fault::Fault;
use crate::part::Part;

/// Bytes gathered before they are written: large enough to make system calls cheap, small enough that a killed process
/// has little to fetch again.
const WRITE: usize = 256 << 10;

/// Works until everything is settled. Connections are numbered from 0; how many of them may work changes.
pub(super) async fn work(number: usize, shared: Arc<Shared>) {
    while let Some(assignment) = shared.scheduler.next(number).await {
        match assignment {
            Assignment::Open(slot, task) => open(&shared, slot, task).await,
            Assignment::Small(slot, task, lease) => small(&shared, slot, task, &lease).await,
            Assignment::Piece(piece) => {
                let outcome = tokio::select! {
                    // Nothing more is asked for once the file is lost.
                    biased;
                    () = piece.task.abandoned.cancelled() => Ok(()),
                    () = piece.lease.taken_over() => Ok(()),
                    outcome = fetch(&shared, number, &piece) => outcome,
                };
                match outcome {
                    Ok(()) => shared.scheduler.fetched(&piece),
                    Err(fault) => shared.faulted(piece.slot, &piece.task, Some(&piece), fault).await,
                }
            }
        }
    }
}

async fn open(shared: &Arc<Shared>, slot: usize, task: Arc<FileTransfer>) {
    let opening = {
        let (world, task) = (Arc::clone(shared), Arc::clone(&task));
        shared.blocking(move || {
            let parts = world.root.parts().map_err(Fault::Disk)?;
            let attempt = || format!("cannot begin {}", task.wanted.path);
            Part::open(parts, &task.part, task.wanted.size)
                .map_err(|error| Fault::Disk(disk::failure(&attempt(), &error)))
        })
    };
    match opening.await {
        Ok(part) => {
            let part = Arc::new(part);
            task.done.store(part.total(), Ordering::Relaxed);
            announce(shared, &task, part.total()).await;
            shared.underway.spawn(delivery::deliver(Arc::clone(shared), slot, task, Arc::clone(&part)));
            shared.scheduler.opened(slot, part);
        }
        Err(fault) => shared.faulted(slot, &task, None, fault).await,
    }
}

/// Says once that a file is begun.
async fn announce(shared: &Shared, task: &FileTransfer, resumed: u64) {
    if !task.is_announced.swap(true, Ordering::Relaxed) {
        shared.report(Report::Started { file: task.wanted.id, resumed }).await;
    }
}

/// Fetches a range, a buffer at a time.
async fn fetch(shared: &Arc<Shared>, number: usize, piece: &Piece) -> Result<(), Fault> {
    let Piece { task, lease, .. } = piece;
    let response = match task.request(&shared.network, &piece.asked).await? {
        Body::Network(response) => response,
        Body::Inline(bytes) => {
            let (start, end) = (lease.start, lease.end().max(lease.start));
            let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
            let (from, to) =
                range.filter(|(_, to)| *to <= bytes.len()).ok_or_else(|| inline_is_short(&bytes))?;
            return write(shared, piece, start, vec![bytes.slice(from..to)]).await;
        }
    };
    lease.answered(Instant::now());
    let from = host_of(response.url());
    let mut response = response.bytes_stream();
    let mut received = lease.start;
    let mut gathered = Vec::new();
    let mut size = 0;
    loop {
        let mut chunk = match tokio::time::timeout(shared.network.stall, response.next()).await {
            Err(_) => Err(Fault::Stalled { host: from.clone(), after: shared.network.stall }),
            Ok(Some(Err(error))) => Err(network(from.clone(), &error)),
            Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
            Ok(None) => Ok(None),
        };
        let end = lease.end();
        let mut surplus = 0;
        if let Ok(Some(chunk)) = &mut chunk {
            shared.arrived(task, number, chunk.len()).await;
            let wanted = usize::try_from(end.saturating_sub(received)).unwrap_or(usize::MAX);
            surplus = chunk.len().saturating_sub(wanted);
            chunk.truncate(wanted);
            size += chunk.len();
            received += chunk.len() as u64;
            gathered.push(std::mem::take(chunk));
        }
        let is_over = !matches!(chunk, Ok(Some(_))) || received >= end;
        // What has arrived is kept whatever happened then.
        if size >= WRITE || (is_over && size > 0) {
            // Let go of before the next one is read: into the same memory, as long as nobody else holds it.
            write(shared, piece, received - size as u64, std::mem::take(&mut gathered)).await?;
            size = 0;
        }
        if is_over {
            let end = lease.end();
            return match chunk {
                Err(fault) => Err(fault),
                Ok(Some(_)) if piece.asked == Asked::Whole && surplus > 0 => Err(too_long(from)),
                Ok(None) if received < end => {
                    Err(Fault::Broken { host: from, why: format!("{} bytes are missing", end - received) })
                }
                Ok(_) => Ok(()),
            };
        }
    }
}

/// Writes what has arrived.
async fn write(shared: &Arc<Shared>, piece: &Piece, start: u64, chunks: Vec<Bytes>) -> Result<(), Fault> {
    if let Some(turn) = shared.inline_writes.turn().await {
        let written = write_here(shared, piece, start, &chunks);
        drop(turn);
        return written;
    }
    let (world, piece) = (Arc::clone(shared), piece.clone());
    shared.blocking(move || write_here(&world, &piece, start, &chunks)).await
}

fn write_here(shared: &Shared, piece: &Piece, start: u64, chunks: &[Bytes]) -> Result<(), Fault> {
    let Piece { task, part, lease, .. } = piece;
    let written = part.write(start, chunks).map_err(|error| {
        let failure = disk::failure(&format!("cannot write {}", task.wanted.path), &error);
        Fault::Disk(shared.root.with_space(failure))
    })?;
    lease.advance(written.end);
    task.done.store(part.total(), Ordering::Relaxed);
    task.advanced.notify_one();
    Ok(())
}

/// Fetches a small file, proves it in memory, and places it.
async fn small(shared: &Arc<Shared>, slot: usize, task: Arc<FileTransfer>, lease: &Arc<Lease>) {
    announce(shared, &task, 0).await;
    let bytes = tokio::select! {
        () = lease.taken_over() => return,
        bytes = read_whole(shared, &task, lease) => bytes,
    };
    if !shared.scheduler.carried(lease) {
        return;
    }
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(fault) => return shared.faulted(slot, &task, None, fault).await,
    };
    let proving = {
        let (world, task) = (Arc::clone(shared), Arc::clone(&task));
        shared.blocking(move || delivery::prove_small(&world, &task, &bytes))
    };
    match proving.await {
        Ok(None) => {
            let world = Arc::clone(shared);
            // On its own, so that what is placed while everything stops is counted as well.
            let placing = shared.underway.spawn(async move { delivery::place(&world, slot, &task).await });
            if let Err(error) = placing.await {
                shared.fail(defect(&error));
            }
        }
        Ok(Some(digest)) => delivery::corrupt(shared, slot, &task, digest).await,
        Err(fault) => shared.faulted(slot, &task, None, fault).await,
    }
}

async fn read_whole(shared: &Arc<Shared>, task: &Arc<FileTransfer>, lease: &Lease) -> Result<Bytes, Fault> {
    let size = usize::try_from(task.wanted.size).unwrap_or(usize::MAX);
    if size == 0 {
        return Ok(Bytes::new());
    }
    let response = match task.request(&shared.network, &Asked::Whole).await? {
        Body::Inline(bytes) => return Ok(bytes),
        Body::Network(response) => response,
    };
    lease.answered(Instant::now());
    let from = host_of(response.url());
    let mut response = response.bytes_stream();
    let mut bytes = BytesMut::with_capacity(size);
    loop {
        let chunk = match tokio::time::timeout(shared.network.stall, response.next()).await {
            Err(_) => return Err(Fault::Stalled { host: from, after: shared.network.stall }),
            Ok(Some(Err(error))) => return Err(network(from, &error)),
            Ok(Some(Ok(chunk))) => chunk,
            Ok(None) if bytes.len() == size => return Ok(bytes.freeze()),
            Ok(None) => {
                return Err(Fault::Broken {
                    host: from,
                    why: format!("{} bytes are missing", size - bytes.len()),
                });
            }
        };
        shared.arrived(task, lease.connection, chunk.len()).await;
        if bytes.len() + chunk.len() > size {
            return Err(too_long(from));
        }
        bytes.extend_from_slice(&chunk);
        lease.advance(bytes.len() as u64);
    }
}

fn too_long(host: String) -> Fault {
    Fault::Nonsense { host, what: "sends more bytes than the Hub lists".to_owned() }
}

fn inline_is_short(bytes: &Bytes) -> Fault {
    Fault::Nonsense {
        host: "the controller".to_owned(),
        what: format!("sent {} bytes, too few", bytes.len()),
    }
}
