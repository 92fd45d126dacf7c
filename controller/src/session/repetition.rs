//! How often an agent may say the same of one file. What it says is shown, or costs a question: without end it would be a
//! run without end.

use super::error::SessionError;

/// How often one file's source may be asked for. Each is a question to the Hub with the token; addresses last an hour.
const MOST_QUESTIONS: u32 = 1000;
/// Of how many ranges of one file terms may be asked for. Each is a question to the Xet store, at least.
const MOST_RANGES: u32 = 10_000;
/// How often a file may be begun or verified. An agent says each once; a client that joins it may hear it again, and a file
/// that another program changed is proved anew.
const MOST_REPEATS: u32 = 10;
/// How often it may be said that another program fetches a file: every ten minutes, for a week.
const MOST_WAITS: u32 = 1000;
/// Failed attempts without progress. An agent gives a file up after ten; samples of its progress may be late.
const MOST_RETRIES: u32 = 1000;
/// So much more of a file than ever before is progress, as for the agent.
const PROGRESS: u64 = 256 << 10;
/// How often a file may begin anew, so that its progress counts anew: wrong bytes are fetched once more.
const MOST_RESTARTS: u32 = 10;

/// What has been said of one file.
#[derive(Debug)]
pub(super) struct Repetitions {
    asked: u32,
    ranges: u32,
    started: u32,
    waited: u32,
    verified: u32,
    retries: u32,
    fell_back: u32,
    restarts: u32,
    /// Bytes of it that were there when attempts were last counted anew.
    counted_at: u64,
}

impl Repetitions {
    /// Nothing yet, of a file that is there so far.
    pub(super) fn of_file_at(done: u64) -> Self {
        Self {
            asked: 0,
            ranges: 0,
            started: 0,
            waited: 0,
            verified: 0,
            retries: 0,
            fell_back: 0,
            restarts: 0,
            counted_at: done,
        }
    }

    /// Its source is asked for.
    pub(super) fn ask(&mut self) -> Result<(), SessionError> {
        count(&mut self.asked, MOST_QUESTIONS, "it asks for one file without end")
    }

    /// Terms of so many ranges of it are asked for.
    pub(super) fn ask_for_terms(&mut self, ranges: usize) -> Result<(), SessionError> {
        let ranges = u32::try_from(ranges).unwrap_or(u32::MAX);
        add(&mut self.ranges, ranges, MOST_RANGES, "it asks for the terms of one file without end")
    }

    /// It is begun.
    pub(super) fn start(&mut self) -> Result<(), SessionError> {
        count(&mut self.started, MOST_REPEATS, "it begins one file without end")
    }

    /// It waits for another program.
    pub(super) fn wait(&mut self) -> Result<(), SessionError> {
        count(&mut self.waited, MOST_WAITS, "it waits for one file without end")
    }

    /// It is verified.
    pub(super) fn verify(&mut self) -> Result<(), SessionError> {
        count(&mut self.verified, MOST_REPEATS, "it verifies one file without end")
    }

    /// An attempt at it has failed.
    pub(super) fn retry(&mut self) -> Result<(), SessionError> {
        count(&mut self.retries, MOST_RETRIES, "it tries one file without end")
    }

    /// It comes otherwise than was planned. Of a basis and of the Xet store, an agent says so once each.
    pub(super) fn fall_back(&mut self) -> Result<(), SessionError> {
        count(&mut self.fell_back, MOST_REPEATS, "it falls back with one file without end")
    }

    /// It is there so far.
    pub(super) fn stands_at(&mut self, done: u64) {
        if done >= self.counted_at.saturating_add(PROGRESS) {
            (self.retries, self.counted_at) = (0, done);
        } else if done.saturating_add(PROGRESS) <= self.counted_at && self.restarts < MOST_RESTARTS {
            (self.restarts, self.counted_at) = (self.restarts + 1, done);
        }
    }
}

fn count(times: &mut u32, most: u32, complaint: &str) -> Result<(), SessionError> {
    add(times, 1, most, complaint)
}

fn add(times: &mut u32, more: u32, most: u32, complaint: &str) -> Result<(), SessionError> {
    *times = times.saturating_add(more);
    if *times > most { Err(SessionError::protocol(complaint)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_not_asked_for_without_end() {
        let mut file = Repetitions::of_file_at(0);
        let failed = (0..u32::MAX).find(|_| file.ask_for_terms(64).is_err());
        assert_eq!(failed, Some(MOST_RANGES / 64));
        assert!(Repetitions::of_file_at(0).ask_for_terms(usize::MAX).is_err());
    }

    #[test]
    fn attempts_count_anew_with_progress_and_not_for_ever() {
        let mut file = Repetitions::of_file_at(0);
        for attempt in 0..10 * MOST_RETRIES {
            file.stands_at(u64::from(attempt) * PROGRESS);
            file.retry().unwrap();
        }
        // To and fro.
        let mut file = Repetitions::of_file_at(0);
        let failed = (0..u32::MAX).find(|attempt| {
            file.stands_at(u64::from(attempt % 2) * 100 * PROGRESS);
            file.retry().is_err()
        });
        assert!(failed.is_some_and(|failed| failed < 2 * MOST_RETRIES), "{failed:?}");
        // A byte at a time.
        let mut file = Repetitions::of_file_at(7);
        let failed = (0..PROGRESS).find(|attempt| {
            file.stands_at(7 + attempt);
            file.retry().is_err()
        });
        assert_eq!(failed, Some(MOST_RETRIES.into()));
    }
}
