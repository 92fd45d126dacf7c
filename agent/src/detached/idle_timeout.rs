//! Whether a transfer may go on without a controller, and for how long it may wait for one.

use std::num::NonZeroU32;

/// The leave that a controller gives.
#[derive(Debug, Default)]
pub(super) enum IdleTimeout {
    /// None so far: the transfer ends with its link.
    #[default]
    NotGiven,
    /// It may go on.
    Given {
        /// How long it may wait for answers, in seconds.
        idle_timeout: NonZeroU32,
        /// Seconds for which questions have been open, nothing has moved and nobody was there.
        idle: u32,
        /// Bytes on disk when it was last looked.
        done: u64,
    },
}

/// How things stand, once a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Activity {
    /// Bytes on disk.
    pub(super) done: u64,
    /// Questions that nobody has answered.
    pub(super) unanswered: usize,
    /// Whether a controller is there.
    pub(super) is_watched: bool,
}

impl IdleTimeout {
    pub(super) fn new(idle_timeout: NonZeroU32) -> Self {
        Self::Given { idle_timeout, idle: 0, done: 0 }
    }

    pub(super) fn is_given(&self) -> bool {
        matches!(self, Self::Given { .. })
    }

    /// A second has passed. Why to give up, if it is time to: everything waits for answers, and nobody comes to give
    /// any. Seconds in which nobody looked, as those of a box that was stopped, don't count.
    pub(super) fn second(&mut self, now: Activity) -> Option<String> {
        let Self::Given { idle_timeout, idle, done } = self else { return None };
        let has_moved = std::mem::replace(done, now.done) != now.done;
        if has_moved || now.is_watched || now.unanswered == 0 {
            *idle = 0;
            return None;
        }
        *idle += 1;
        (*idle >= idle_timeout.get()).then(|| {
            format!(
                "the signed addresses have gone stale ({} files wait for new ones), and nobody came within {idle_timeout} s",
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
        let mut leave = IdleTimeout::new(NonZeroU32::new(3).unwrap());
        let alone = Activity { done: 0, unanswered: 1, is_watched: false };
        for moving in [
            Activity { done: 1, ..alone },
            Activity { done: 2, ..alone },
            Activity { done: 2, is_watched: true, ..alone },
            Activity { done: 2, unanswered: 0, ..alone },
        ] {
            assert_eq!(leave.second(moving), None);
        }
        let still = Activity { done: 2, ..alone };
        assert_eq!((leave.second(still), leave.second(still)), (None, None));
        assert!(leave.second(still).unwrap().contains("nobody came within 3 s"));
        assert_eq!(IdleTimeout::NotGiven.second(still), None);
    }
}
