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

/// Marks the record of an earlier transfer to this folder, whose lock is held, as superseded, so that no user takes it
/// for the folder's state.
/// A run that finds nothing to fetch after one that left nothing to fetch leaves its record as it is: it is still true.
///
/// The records lie in the private folder that the agent was started from. One that can't be changed is no reason to
/// fail.
pub(crate) fn supersede(private: &Path, root: &str, next: NextRun) {
    let Ok(files) = ControlFiles::for_destination(private.to_owned(), root) else { return };
    let Some(mut record) = files.read_record() else { return };
    // An agent that was killed leaves its socket behind.
    files.remove_socket();
    let was_whole = record.conclusion == Conclusion::Finished && record.status.failures.is_empty();
    match next {
        NextRun::Traceless => return files.remove_record(),
        NextRun::Idles if was_whole => return,
        NextRun::Idles | NextRun::Fetches => {}
    }
    record.ended = Some(now());
    record.conclusion = Conclusion::Superseded;
    let _ = files.write_record(&record);
}
