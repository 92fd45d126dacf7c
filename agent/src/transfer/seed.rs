//! What a file has in common with an older version of it that is there is copied out of that into its part, before
//! anything is fetched. From then on it is a part like one that an earlier run left.
//!
//! The older version is only read. Nothing that is copied is believed: the digest goes over it like over all else.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use cap_std::fs::Metadata;
use hfdown_protocol::{Failure, FailureKind, Report};

use super::basis::Basis;
use super::context::TransferContext;
use super::file_transfer::FileTransfer;
use crate::disk;
use crate::fault::FetchFault;
use crate::folder::Occupant;
use crate::part::Part;
use crate::xet::{self, Copied};

/// The fewest bytes in a row that are copied. Fewer between two gaps would cost a request more than they save.
const SHORTEST_COPY: u64 = 256 << 10;
/// Bytes that are copied before the next look at whether it still matters, with a line in the journal each.
const STRIDE: u64 = 16 << 20;

/// Why a basis was not used.
enum Unused {
    /// It is not what it was taken for.
    Unfit(Failure),
    /// Everything stops, or the file is lost.
    Over,
}

/// Copies into a part what it shares with the file's basis, if it has one that was not tried yet. Says so where that is of
/// no use. An error is one of the part's disk.
pub(super) async fn seed(
    context: &Arc<TransferContext>,
    file: &Arc<FileTransfer>,
    part: &Arc<Part>,
) -> Result<(), FetchFault> {
    let Some(basis) = file.basis.as_ref().filter(|_| part.missing().total() > 0 && file.take_basis()) else {
        return Ok(());
    };
    let seeding = {
        let (world, file, part, basis) =
            (Arc::clone(context), Arc::clone(file), Arc::clone(part), Arc::clone(basis));
        context.blocking(move || {
            let plan = match plan(&world, &file, &basis) {
                Ok(copies) => copies,
                Err(unused) => return Ok(Err(unused)),
            };
            copy(&world, &file, &part, &plan)
        })
    };
    match seeding.await? {
        Ok(()) | Err(Unused::Over) => {}
        Err(Unused::Unfit(failure)) => {
            context.report(Report::FellBack { file: file.wanted.id, failure }).await;
        }
    }
    Ok(())
}

/// What is to be copied, and out of what.
struct Copies {
    source: std::fs::File,
    place: String,
    pieces: Vec<Copied>,
}

fn is_over(world: &TransferContext, file: &FileTransfer) -> bool {
    world.stop.is_cancelled() || file.abandoned.is_cancelled()
}

/// Looks at the basis, cuts it, and says what of it is wanted.
fn plan(world: &TransferContext, file: &FileTransfer, basis: &Basis) -> Result<Copies, Unused> {
    let Basis { place, stamp, hash, old, new } = basis;
    let unfit = |kind, why: &dyn std::fmt::Display| {
        let detail = format_args!("nothing of {} is copied out of {place}: {why}", file.wanted.path);
        Unused::Unfit(Failure::new(kind, detail))
    };
    let changed = || unfit(FailureKind::ChangedMeanwhile, &"it has changed since it was looked at");
    match world.root.occupant(place) {
        Occupant::File(now) if now == *stamp => {}
        Occupant::Obstacle(failure) => return Err(unfit(failure.kind, &failure.detail)),
        Occupant::File(_) | Occupant::Nothing => return Err(changed()),
    }
    let unreadable = |error: &io::Error| {
        let failure = disk::failure("", error);
        unfit(failure.kind, &failure.detail)
    };
    let source = world.root.read(place).map_err(|error| unreadable(&error))?;
    let now = || Metadata::from_file(&source).map(|metadata| disk::stamp(&metadata));
    if now().map_err(|error| unreadable(&error))? != *stamp {
        return Err(changed());
    }
    let going_on = |_| if is_over(world, file) { Err(io::Error::other("it is over")) } else { Ok(()) };
    let cut = match xet::cut(&source, going_on) {
        Ok(cut) => cut,
        Err(_) if is_over(world, file) => return Err(Unused::Over),
        Err(error) => return Err(unreadable(&error)),
    };
    if cut.hash != *hash {
        return Err(unfit(FailureKind::ChangedMeanwhile, &"it is not the file that the Hub had there"));
    }
    let pieces = xet::copies(&cut, old, new).map_err(|error| unfit(FailureKind::Nonsense, &error))?;
    Ok(Copies { source, place: place.to_string(), pieces })
}

/// Copies it, piece by piece.
fn copy(
    world: &TransferContext,
    file: &FileTransfer,
    part: &Part,
    Copies { source, place, pieces }: &Copies,
) -> Result<Result<(), Unused>, FetchFault> {
    let size = file.wanted.size;
    for Copied { from, to, length } in pieces.iter().filter(|copied| copied.length >= SHORTEST_COPY) {
        let (begin, end) = ((*to).min(size), to.saturating_add(*length).min(size));
        let mut at = begin;
        while at < end {
            if is_over(world, file) {
                return Ok(Err(Unused::Over));
            }
            let next = end.min(at + STRIDE);
            match part.copy_from(source, from + (at - to), at..next) {
                Ok(written) => world.wrote(file, written.added),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    let detail =
                        format_args!("{place} was cut short while {} was copied out of it", file.wanted.path);
                    return Ok(Err(Unused::Unfit(Failure::new(FailureKind::ChangedMeanwhile, detail))));
                }
                Err(error) => {
                    let attempt = format!("cannot write {}", file.wanted.path);
                    return Err(FetchFault::Disk(world.root.failure(&attempt, &error)));
                }
            }
            file.counts.set_done(part.total());
            at = next;
        }
    }
    Ok(Ok(()))
}
