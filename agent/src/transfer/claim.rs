//! Bytes that another program may be fetching into the same place: `hf download`, into the same cache. While it does, the
//! file waits and others go on; when it has, its bytes are proved and cost none.

use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use hfdown_protocol::{Digest, Failure, FailureKind, FileId, Report, Stamp, Wanted};
use tokio::time::Instant;

use super::context::TransferContext;
use super::file_state::Turn;
use super::file_transfer::FileTransfer;
use crate::fault::FetchFault;
use crate::folder::{self, Claim, Occupant, Origin, Root};
use crate::hasher::Hasher;
use crate::system;

/// How often it is tried again.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is told that a file is waited for: a controller that hears nothing new for an hour gives up.
const REMINDER: Duration = Duration::from_secs(600);
const READ: usize = 256 << 10;
/// Who else fetches the bytes.
const HOLDER: &str = "it holds the lock that huggingface_hub has for it";

/// What a transfer has to do with files and programs that want the same bytes.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    /// Files of this run that get their names with it, and what each may replace.
    pub(super) others: Vec<(Wanted, Option<Stamp>)>,
    claim: Mutex<ClaimState>,
    waiting_since: OnceLock<Instant>,
    /// How often it was told.
    told: AtomicU64,
}

#[derive(Debug, Default)]
enum ClaimState {
    #[default]
    Unclaimed,
    /// Other programs wait while the file is open.
    #[expect(dead_code, reason = "to be open is all that it does")]
    Ours(Option<File>),
    /// They were there.
    Settled,
}

/// What a claim has come to.
enum Claimed {
    Ours,
    Busy,
    /// They are there and right. Whether each file of them has its name.
    There {
        named: Result<(), Failure>,
        others: Vec<Named>,
    },
    /// Another connection has found that.
    Settled,
}

/// A file that was to get its name, and whether it has.
pub(super) type Named = (FileId, Result<(), Failure>);

impl Sharing {
    fn state(&self) -> MutexGuard<'_, ClaimState> {
        self.claim.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Other programs need not wait any more.
    pub(super) fn release(&self) {
        let mut state = self.state();
        if matches!(*state, ClaimState::Ours(_)) {
            *state = ClaimState::Unclaimed;
        }
    }

    fn is_ours(&self) -> bool {
        self.claim.try_lock().is_ok_and(|state| matches!(*state, ClaimState::Ours(_)))
    }
}

/// Whether a file is this connection's to fetch now. Otherwise all has been done that is to be done about that.
pub(super) async fn claim(
    context: &Arc<TransferContext>,
    index: usize,
    file: &Arc<FileTransfer>,
    turn: Turn,
) -> bool {
    let Some(sharing) = &file.sharing else { return true };
    if sharing.is_ours() {
        return true;
    }
    let claiming = {
        let (world, file) = (Arc::clone(context), Arc::clone(file));
        context.blocking(move || try_claim(&world, &file))
    };
    match claiming.await {
        Ok(Claimed::Ours) => return true,
        Ok(Claimed::Settled) => {}
        Ok(Claimed::Busy) => wait(context, index, file, sharing, turn).await,
        Ok(Claimed::There { named, others }) => {
            context.report(Report::Verified { file: file.wanted.id }).await;
            if context.scheduler.settled(index) {
                context.placed(file, named, others).await;
            }
        }
        Err(fault) => context.faulted(index, file, None, fault).await,
    }
    false
}

async fn wait(context: &TransferContext, index: usize, file: &FileTransfer, sharing: &Sharing, turn: Turn) {
    let waited = sharing.waiting_since.get_or_init(Instant::now).elapsed();
    if context.lock_wait.is_some_and(|longest| waited >= longest) {
        return context.faulted(index, file, None, FetchFault::Unplaceable(held())).await;
    }
    let times = waited.as_secs() / REMINDER.as_secs() + 1;
    if sharing.told.fetch_max(times, Ordering::Relaxed) < times {
        let (holder, file) = (HOLDER.to_owned(), Some(file.wanted.id));
        context.report(Report::Waiting { holder, file }).await;
    }
    context.scheduler.put_off(index, turn, Instant::now() + LOOK);
}

fn held() -> Failure {
    let detail = format_args!("another program is fetching it into the same cache ({HOLDER})");
    Failure::new(FailureKind::Held, detail)
}

/// Blocks.
fn try_claim(context: &TransferContext, file: &FileTransfer) -> Result<Claimed, FetchFault> {
    let Some(sharing) = &file.sharing else { return Ok(Claimed::Ours) };
    // Another connection may be at it.
    let mut state = sharing.state();
    match *state {
        ClaimState::Unclaimed => {}
        ClaimState::Ours(_) => return Ok(Claimed::Ours),
        ClaimState::Settled => return Ok(Claimed::Settled),
    }
    let (root, wanted) = (&context.root, &file.wanted);
    let failed = |error: &io::Error| {
        let failure = root.failure(&format!("cannot begin {}", wanted.path), error);
        if system::stops_all(error) { FetchFault::Disk(failure) } else { FetchFault::Unplaceable(failure) }
    };
    let at = root.writable().map_err(FetchFault::Disk)?;
    let lock = match root.layout().claim(at, wanted).map_err(|error| failed(&error))? {
        Claim::Busy => return Ok(Claimed::Busy),
        Claim::Ours(lock) => lock,
    };
    let Some(stamp) = find(context, file).map_err(|error| failed(&error))? else {
        *state = ClaimState::Ours(lock);
        return Ok(Claimed::Ours);
    };
    let named = folder::name(root, wanted, file.replaces);
    let remembered = context.records().remember(root, wanted, stamp, Origin::Seen, None);
    remembered.map_err(FetchFault::Disk)?;
    *state = ClaimState::Settled;
    Ok(Claimed::There { named, others: name_others(root, sharing) })
}

/// Looks for bytes that have come since the plan was made. Those that the plan knew are not right.
fn find(context: &TransferContext, file: &FileTransfer) -> io::Result<Option<Stamp>> {
    let (root, wanted) = (&context.root, &file.wanted);
    let Some(place) = root.layout().shared_place(wanted) else { return Ok(None) };
    let Occupant::File(stamp) = root.occupant(&place) else { return Ok(None) };
    if stamp.size != wanted.size || Some(stamp) == file.replaces {
        return Ok(None);
    }
    let is_right = digest(context, wanted, root.read(&place)?)? == Some(wanted.digest);
    let is_still = matches!(root.occupant(&place), Occupant::File(now) if now == stamp);
    Ok((is_right && is_still).then_some(stamp))
}

/// None if everything stops.
fn digest(context: &TransferContext, wanted: &Wanted, mut bytes: File) -> io::Result<Option<Digest>> {
    let mut hasher = Hasher::like(wanted.digest, wanted.size);
    let mut buffer = vec![0; READ];
    while !context.stop.is_cancelled() {
        match bytes.read(&mut buffer)? {
            0 => return Ok(Some(hasher.finish())),
            read => hasher.update(&buffer[..read]),
        }
    }
    Ok(None)
}

/// Gives the other files of these bytes their names. Blocks.
pub(super) fn name_others(root: &Root, sharing: &Sharing) -> Vec<Named> {
    let name =
        |(wanted, replaces): &(Wanted, Option<Stamp>)| (wanted.id, folder::name(root, wanted, *replaces));
    sharing.others.iter().map(name).collect()
}
