//! For how long a server has owed us an answer: russh asks for no sign of life before the login is over.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Shared by a stream and those who wait for what comes over it. While the user is asked, the server owes nothing.
#[derive(Clone, Default)]
pub(super) struct ReplyClock(Arc<Mutex<Option<Instant>>>);

impl ReplyClock {
    /// Something was sent.
    pub(super) fn sent(&self) {
        self.unanswered_since().get_or_insert_with(Instant::now);
    }

    /// Something was heard.
    pub(super) fn heard(&self) {
        *self.unanswered_since() = None;
    }

    /// Waits until what was sent has had no answer for so long.
    pub(super) async fn overdue(&self, patience: Duration) {
        loop {
            let since = *self.unanswered_since();
            let due = since.unwrap_or_else(Instant::now) + patience;
            if due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }

    fn unanswered_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
