//! A later run to the same folder: what was detached there before is history.

use std::path::Path;

use hfdown_protocol::Verdict;

use super::place::Place;
use super::record::now;

/// What a later run is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Later {
    /// To fetch files.
    Fetches,
    /// There is nothing to fetch.
    Idles,
    /// Whatever it is, it leaves no traces, and none of earlier ones.
    Traceless,
}

/// Sees to it that nobody hears of an earlier transfer as if it were the last word on this folder, whose lock is held.
/// A run that finds nothing to fetch after one that left nothing to fetch leaves its record as it is: it is still true.
///
/// The records lie in the private folder that the agent was started from. One that can't be changed is no reason to
/// fail.
pub(crate) fn supersede(private: &Path, root: &str, later: Later) {
    let Ok(place) = Place::within(private.to_owned(), root) else { return };
    let Some(mut record) = place.read() else { return };
    // An agent that was killed leaves its socket behind.
    place.leave();
    let was_whole = record.verdict == Verdict::Finished && record.account.failures.is_empty();
    match later {
        Later::Traceless => return place.forget(),
        Later::Idles if was_whole => return,
        Later::Idles | Later::Fetches => {}
    }
    record.ended = Some(now());
    record.verdict = Verdict::Superseded;
    let _ = place.write(&record);
}
