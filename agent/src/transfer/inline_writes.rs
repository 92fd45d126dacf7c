//! Where bytes are written: on the thread that has received them, unless the disk makes writers wait.
//!
//! A write to the page cache is a copy. Handed to another thread it costs a fifth more CPU (measured), for the memory
//! that could have been used again, for cold caches, and for waking each other up. But the threads that move bytes are
//! two, and they keep the conversation alive as well: one of them at most ever waits for a disk, and not for long.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// A write that took longer has waited for the disk. A copy takes a fiftieth of it, on a busy machine a fifth.
const WAITED: Duration = Duration::from_millis(20);
/// How long a disk that made a writer wait is not trusted after that.
const DISTRUST: Duration = Duration::from_secs(10);

/// What the disk has shown.
#[derive(Debug)]
pub(super) struct InlineWrites {
    turn: Semaphore,
    distrusted_until: Mutex<Option<Instant>>,
}

/// The right to write on the spot; to be let go of right after that.
#[derive(Debug)]
pub(super) struct WriteTurn<'a> {
    inline_writes: &'a InlineWrites,
    began: Instant,
    _permit: SemaphorePermit<'a>,
}

impl Default for InlineWrites {
    fn default() -> Self {
        Self { turn: Semaphore::new(1), distrusted_until: Mutex::new(None) }
    }
}

impl InlineWrites {
    /// Waits for a turn to write on the spot. None when it is to be done where it may block.
    pub(super) async fn turn(&self) -> Option<WriteTurn<'_>> {
        if self.is_distrusted() {
            return None;
        }
        let permit = self.turn.acquire().await.ok()?;
        // The one before may have had to wait.
        (!self.is_distrusted()).then(|| WriteTurn {
            inline_writes: self,
            began: Instant::now(),
            _permit: permit,
        })
    }

    fn is_distrusted(&self) -> bool {
        let until = *self.distrusted_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }
}

impl Drop for WriteTurn<'_> {
    fn drop(&mut self) {
        if self.began.elapsed() > WAITED {
            let until = Instant::now() + DISTRUST;
            *self.inline_writes.distrusted_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_makes_a_writer_wait_is_given_threads_of_its_own_for_a_while() {
        let inline_writes = InlineWrites::default();
        let turn = inline_writes.turn().await.expect("nothing is known against it");
        tokio::time::advance(WAITED / 2).await;
        drop(turn);
        let turn = inline_writes.turn().await.expect("it was prompt");
        let (next, ()) = tokio::join!(inline_writes.turn(), async {
            tokio::time::advance(2 * WAITED).await;
            drop(turn);
        });
        assert!(next.is_none(), "a writer that waited for a turn hears of it as well");
        tokio::time::advance(DISTRUST).await;
        assert!(inline_writes.turn().await.is_some());
    }
}
