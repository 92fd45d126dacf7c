//! What a disk can't do: what is lost by that, and its name in `--json`.

use hfdown_protocol::{DiskWarning, NoticedRuns};

/// A lower-case fragment.
pub(super) fn text(root: &str, warning: &DiskWarning) -> String {
    match warning {
        DiskWarning::NoLocks { noticed: NoticedRuns::OnThisMachine } => format!(
            "the disk of {root} can't lock files: another hfdown that writes there at the same time, from another machine or \
             container, would not be noticed"
        ),
        DiskWarning::NoLocks { noticed: NoticedRuns::None } => format!(
            "the disk of {root} can't lock files: another hfdown that writes there at the same time would not be noticed"
        ),
        DiskWarning::NoFlush => format!(
            "the disk of {root} can't flush files: after a power loss, a file there may be incomplete under its own name; \
             --checksum finds such files"
        ),
        DiskWarning::NoReplace => format!(
            "the disk of {root} can't replace a file in one step: each file that was replaced was missing for a moment"
        ),
        DiskWarning::NoModes => {
            format!(
                "the disk of {root} can't change the modes of files: others may not be able to read the new ones"
            )
        }
        DiskWarning::NoLinks => format!(
            "the disk of {root} has no symbolic links: the snapshot consists of files of its own, as `hf` does it there, and \
             shares none with other revisions"
        ),
        DiskWarning::HubMetadata { failure } => format!(
            "the files are complete, but `.cache/huggingface` in {root} is not up to date, so that `hf` will look at them \
             again: {failure}"
        ),
    }
}

/// Its name, which is kept when the warning is renamed.
pub(super) fn kind(warning: &DiskWarning) -> &'static str {
    match warning {
        DiskWarning::NoLocks { .. } => "no_locks",
        DiskWarning::NoFlush => "no_flush",
        DiskWarning::NoReplace => "no_replace",
        DiskWarning::NoModes => "no_modes",
        DiskWarning::NoLinks => "no_links",
        DiskWarning::HubMetadata { .. } => "hub_metadata",
    }
}
