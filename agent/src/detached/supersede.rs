//! A later run to the same folder: what was detached there before is history.

use std::path::Path;

use hfdown_protocol::Conclusion;

use super::control_files::ControlFiles;
use super::transfer_record::now;

/// What a later run is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextRun {
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
pub(crate) fn supersede(private: &Path, root: &str, later: NextRun) {
    let Ok(place) = ControlFiles::within(private.to_owned(), root) else { return };
    let Some(mut record) = place.read() else { return };
    // An agent that was killed leaves its socket behind.
    place.leave();
    let was_whole = record.conclusion == Conclusion::Finished && record.status.failures.is_empty();
    match later {
        NextRun::Traceless => return place.forget(),
        NextRun::Idles if was_whole => return,
        NextRun::Idles | NextRun::Fetches => {}
    }
    record.ended = Some(now());
    record.conclusion = Conclusion::Superseded;
    let _ = place.write(&record);
}
