//! An agent that is alive and has nothing new to say: for how long that may go on.

use std::time::Duration;

use super::error::SessionError;

/// An agent tells of every attempt, and an attempt takes a minute or so; what can take longer is work on the disk.
pub(super) const LONGEST: Duration = Duration::from_secs(60 * 60);
/// A disk that is read or flushed more slowly than this, in bytes per second, is taken for one that hangs.
pub(super) const SLOWEST_DISK: u64 = 10_000_000;

/// How long nothing new has been heard, and may be.
#[derive(Debug)]
pub(super) struct Lull {
    /// Where there is nothing to be done on the disk.
    least: Duration,
    /// As much as is listened to: while the controller is stopped, nothing is missed.
    so_far: Duration,
    /// Without end while a folder is waited for that another run holds, or while a user watches.
    longest: Option<Duration>,
}

impl Default for Lull {
    fn default() -> Self {
        Self { least: LONGEST, so_far: Duration::ZERO, longest: None }
    }
}

impl Lull {
    /// A server may be silent for so long.
    pub(super) fn allow_silence_of(&mut self, time: Duration) {
        self.least = self.least.max(time.saturating_mul(2));
    }

    /// From now on there must be news now and then. There is work on so many bytes.
    pub(super) fn begin(&mut self, bytes: u64) {
        self.so_far = Duration::ZERO;
        self.longest = Some(self.least + Duration::from_secs(bytes / SLOWEST_DISK));
    }

    /// There is news.
    pub(super) fn end(&mut self) {
        self.so_far = Duration::ZERO;
    }

    /// So much time has passed without any.
    pub(super) fn goes_on(&mut self, time: Duration) -> Result<(), SessionError> {
        self.so_far += time;
        match self.longest.filter(|longest| self.so_far > *longest) {
            None => Ok(()),
            Some(longest) => {
                let minutes = longest.as_secs() / 60;
                Err(SessionError::Protocol(format!("it has had nothing new to say for {minutes} min")))
            }
        }
    }
}
