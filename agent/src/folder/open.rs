//! A folder that is open and, where it may be changed, locked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hfdown_protocol::{Access, Failure, FailureKind, Layout, Nonce, Report, Traces, WantedFiles, limits};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::file_set::FileSet;
use super::lock;
use super::records::Records;
use super::root::Root;
use crate::cache_place::hub_cache_of_login;
use crate::predecessor::AgentIdentity;

/// How often a held lock is tried again.
const LOCK_RETRY: Duration = Duration::from_millis(200);
/// How long an earlier agent of the same run is waited for. Where it can't be ended (another user's, another container's),
/// it ends by itself when it has heard nothing for [`limits::SILENCE_SECONDS`] and has flushed what it had in its hands.
const PREDECESSOR: Duration = Duration::from_secs(limits::SILENCE_SECONDS + 40);

/// How a folder is to be opened.
pub(crate) struct Opening {
    pub(crate) access: Access,
    pub(crate) layout: Layout,
    pub(crate) traces: Traces,
    /// What this agent can be known by.
    pub(crate) identity: Option<AgentIdentity>,
    /// How long another run is waited for; none is for as long as it takes.
    pub(crate) wait: Option<Duration>,
}

/// An open folder and what is known of it.
#[derive(Clone)]
pub(crate) struct Folder {
    pub(crate) root: Arc<Root>,
    pub(crate) records: Arc<Mutex<Records>>,
    /// The wanted files that were found or placed as they are to be.
    pub(crate) intact: Arc<Mutex<FileSet>>,
    /// Bytes that were free when it was opened.
    pub(crate) free: u64,
}

impl Folder {
    /// Opens a folder; where it may be changed, waits for its lock and says so. What an earlier agent of the same run
    /// has left of itself is ended first. A disk that does not answer is not waited for once this is to stop.
    pub(crate) async fn open(
        root: Option<String>,
        opening: Opening,
        reports: &mpsc::Sender<Report>,
        stop: &CancellationToken,
    ) -> Result<Self, Failure> {
        let Opening { access, layout, traces, identity, wait } = opening;
        let left = match identity {
            Some(identity) => tokio::select! {
                left = identity.end_predecessors() => left,
                () = stop.cancelled() => return Err(cancelled()),
            },
            None => Vec::new(),
        };
        let opened = move || {
            let root = root.map_or_else(own_cache, Ok)?;
            Root::open(&root, access, layout, traces)
        };
        let mut root = blocking(stop, opened).await?;
        if access == Access::ReadWrite {
            let run = identity.map(|identity| identity.run);
            root = locked(root, LockWait { run, left, wait }, reports, stop).await?;
        }
        blocking(stop, move || {
            if root.is_ours() {
                let prepared = root.layout().prepare(root.writable()?);
                prepared.map_err(|error| {
                    root.failure(&format!("cannot use {}", root.path().display()), &error)
                })?;
            }
            let free = root.free();
            Ok(Self { root: Arc::new(root), records: Arc::default(), intact: Arc::default(), free })
        })
        .await
    }

    /// Reads the records for a listing, unless they have been. Blocks.
    pub(crate) fn load_records(&self, wanted: &WantedFiles) {
        if let Ok(own) = self.root.own() {
            self.records().load(own, wanted);
        }
    }

    /// The records, for as long as the guard lives.
    pub(crate) fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The files that were found intact, for as long as the guard lives.
    pub(crate) fn intact(&self) -> MutexGuard<'_, FileSet> {
        self.intact.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hub cache of this user, which is the destination where none is named.
fn own_cache() -> Result<String, Failure> {
    hub_cache_of_login().map(|cache| cache.display().to_string())
}

/// Who is waited for, and how long.
struct LockWait {
    run: Option<Nonce>,
    /// Earlier agents of this run that could not be ended.
    left: Vec<u32>,
    wait: Option<Duration>,
}

/// Waits for the folder's lock, and says so.
async fn locked(
    mut root: Root,
    waiting: LockWait,
    reports: &mpsc::Sender<Report>,
    stop: &CancellationToken,
) -> Result<Root, Failure> {
    let since = Instant::now();
    let mut said = None;
    loop {
        let run = waiting.run;
        let attempt = move || {
            let holder = root.try_lock()?;
            if let (None, Some(run)) = (&holder, run) {
                root.sign_lock(run);
            }
            Ok((root, holder))
        };
        let holder;
        (root, holder) = blocking(stop, attempt).await?;
        let Some(holder) = holder else { return Ok(root) };
        waiting.may_go_on(&holder, since.elapsed())?;
        let shown = lock::shown(&holder);
        if said.as_deref() != Some(shown) {
            let gone = |_| Failure::new(FailureKind::Cancelled, "the conversation ended");
            let waiting = Report::Waiting { holder: shown.to_owned(), file: None };
            reports.send(waiting).await.map_err(gone)?;
            said = Some(shown.to_owned());
        }
        tokio::select! {
            () = tokio::time::sleep(LOCK_RETRY) => {}
            () = stop.cancelled() => return Err(cancelled()),
        }
    }
}

impl LockWait {
    fn may_go_on(&self, holder: &str, waited: Duration) -> Result<(), Failure> {
        let Self { run, left, wait } = self;
        let shown = lock::shown(holder);
        if run.is_some() && lock::run_of(holder) == *run || !left.is_empty() {
            if waited < PREDECESSOR {
                return Ok(());
            }
            let processes: Vec<_> = left.iter().map(|pid| format!("process {pid}")).collect();
            let which = if left.is_empty() { shown.to_owned() } else { processes.join(", ") };
            return Err(Failure::new(
                FailureKind::Held,
                format_args!(
                    "an earlier agent of this run ({which}) holds the folder; it could not be ended, and did not end within {} s",
                    PREDECESSOR.as_secs()
                ),
            ));
        }
        match wait {
            Some(limit) if waited >= *limit => {
                let waited = if limit.is_zero() {
                    String::new()
                } else {
                    format!(", and did so for {} s", limit.as_secs())
                };
                Err(Failure::new(
                    FailureKind::Held,
                    format_args!("another run holds the folder ({shown}){waited}"),
                ))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Does something where it may block: the threads that keep the conversation alive are two.
async fn blocking<T: Send + 'static>(
    stop: &CancellationToken,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::select! {
        done = tokio::task::spawn_blocking(work) => done.unwrap_or_else(|error| {
            Err(Failure::new(FailureKind::Protocol, format_args!("the agent has a defect: {error}")))
        }),
        () = stop.cancelled() => Err(cancelled()),
    }
}

fn cancelled() -> Failure {
    Failure::new(FailureKind::Cancelled, "cancelled")
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::FailureKind::Held;

    use super::*;

    async fn open(
        root: &str,
        identity: Option<AgentIdentity>,
        wait: Option<Duration>,
    ) -> Result<Folder, Failure> {
        let (reports, _kept) = mpsc::channel(100);
        let (access, layout, traces) = (Access::ReadWrite, Layout::Bare, Traces::Keep);
        let opening = Opening { access, layout, traces, identity, wait };
        Folder::open(Some(root.to_owned()), opening, &reports, &CancellationToken::new()).await
    }

    fn agent(run: Nonce) -> AgentIdentity {
        AgentIdentity { nonce: Nonce(rand::random()), run }
    }

    #[tokio::test(start_paused = true)]
    async fn another_run_is_waited_for_as_long_as_was_asked_for_and_the_same_run_for_a_bounded_time() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        let (ours, other) = (Nonce(rand::random()), Nonce(rand::random()));
        let _held = open(root, Some(agent(ours)), None).await.unwrap();
        for (wait, expected) in [(0, ")"), (7, ", and did so for 7 s")] {
            let since = Instant::now();
            let failure =
                open(root, Some(agent(other)), Some(Duration::from_secs(wait))).await.err().unwrap();
            assert_eq!(failure.kind, Held);
            let holder = format!("another run holds the folder (process {}", std::process::id());
            assert!(failure.detail.starts_with(&holder), "{failure}");
            assert!(failure.detail.ends_with(expected), "{failure}");
            assert!(since.elapsed().as_secs().abs_diff(wait) <= 1);
        }
        let since = Instant::now();
        let failure = open(root, Some(agent(ours)), None).await.err().unwrap();
        assert_eq!(failure.kind, Held);
        assert!(failure.detail.contains(&format!("(process {})", std::process::id())), "{failure}");
        assert!(since.elapsed().saturating_sub(PREDECESSOR) <= Duration::from_secs(1));
    }
}
