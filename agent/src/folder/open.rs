//! A folder that is open and, where it may be changed, locked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hfdown_protocol::{Access, Failure, FailureKind, Layout, Report, Traces};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::records::Records;
use super::root::Root;

/// How often a held lock is tried again.
const LOCK_RETRY: Duration = Duration::from_millis(200);

/// An open folder and what is known of it.
#[derive(Clone)]
pub(crate) struct Folder {
    pub(crate) root: Arc<Root>,
    pub(crate) records: Arc<Mutex<Records>>,
}

impl Folder {
    /// Opens a folder; where it may be changed, waits for its lock and says so.
    pub(crate) async fn open(
        root: &str,
        access: Access,
        layout: Layout,
        traces: Traces,
        reports: &mpsc::Sender<Report>,
        stop: &CancellationToken,
    ) -> Result<Self, Failure> {
        let mut root = Root::open(root, access, layout, traces)?;
        if access == Access::ReadWrite {
            let mut has_said_so = false;
            while let Some(holder) = root.try_lock()? {
                if !std::mem::replace(&mut has_said_so, true) {
                    let gone = |_| Failure::new(FailureKind::Cancelled, "the conversation ended");
                    reports.send(Report::Waiting { holder }).await.map_err(gone)?;
                }
                tokio::select! {
                    () = tokio::time::sleep(LOCK_RETRY) => {}
                    () = stop.cancelled() => return Err(Failure::new(FailureKind::Cancelled, "cancelled")),
                }
            }
        }
        let records = root.own().map(Records::load).unwrap_or_default();
        Ok(Self { root: Arc::new(root), records: Arc::new(Mutex::new(records)) })
    }

    /// The records, for as long as the guard lives.
    pub(crate) fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
