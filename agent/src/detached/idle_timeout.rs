//! Whether a transfer may go on without a controller, and for how long it may wait for one.

use std::num::NonZeroU32;

/// For how long a transfer may wait for answers once no client is there to give them.
#[derive(Debug, Default)]
pub(super) enum IdleTimeout {
    /// It was not detached, and ends with its link.
    #[default]
    Attached,
    /// It goes on without a client.
    Detached {
        /// How long it may wait for answers, in seconds.
        idle_timeout: NonZeroU32,
        /// Seconds for which questions have been open, nothing has moved and no client was there.
        idle: u32,
        /// Bytes on disk when it was last looked.
        done: u64,
    },
}

/// How things stand, once a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct TransferActivity {
    /// Bytes on disk.
    pub(super) done: u64,
    /// Questions without an answer.
    pub(super) unanswered: usize,
    /// Whether a client is there.
    pub(super) has_client: bool,
}

impl IdleTimeout {
    pub(super) fn new(idle_timeout: NonZeroU32) -> Self {
        Self::Detached { idle_timeout, idle: 0, done: 0 }
    }

    pub(super) fn is_detached(&self) -> bool {
        matches!(self, Self::Detached { .. })
    }

    /// A second has passed. Why to give up, if it is time to: everything waits for answers, and no client
    /// comes to give any. Seconds of a box that was stopped don't count.
    pub(super) fn tick(&mut self, now: TransferActivity) -> Option<String> {
        let Self::Detached { idle_timeout, idle, done } = self else { return None };
        let has_moved = std::mem::replace(done, now.done) != now.done;
        if has_moved || now.has_client || now.unanswered == 0 {
            *idle = 0;
            return None;
        }
        *idle += 1;
        (*idle >= idle_timeout.get()).then(|| {
            format!(
                "the signed addresses have gone stale ({} files wait for new ones), and no controller came within \
                 {idle_timeout} s",
                now.unanswered
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_waiting_alone_for_answers_uses_up_the_idle_timeout() {
        let mut timeout = IdleTimeout::new(NonZeroU32::new(3).unwrap());
        let alone = TransferActivity { done: 0, unanswered: 1, has_client: false };
        for moving in [
            TransferActivity { done: 1, ..alone },
            TransferActivity { done: 2, ..alone },
            TransferActivity { done: 2, has_client: true, ..alone },
            TransferActivity { done: 2, unanswered: 0, ..alone },
        ] {
            assert_eq!(timeout.tick(moving), None);
        }
        let still = TransferActivity { done: 2, ..alone };
        assert_eq!((timeout.tick(still), timeout.tick(still)), (None, None));
        assert!(timeout.tick(still).unwrap().contains("no controller came within 3 s"));
        assert_eq!(IdleTimeout::Attached.tick(still), None);
    }
}
