//! Whose it is to find the files of a public repository.

/// What one small public file may cost this machine's line up to all boxes together. Beyond it, boxes fetch a file by
/// themselves: 64 MiB are a minute at 10 Mbit/s. What fits one frame is sent to any number of boxes: requests are what
/// the Hub counts.
const UPLOADED: u64 = 64 << 20;

/// Who finds out where the files of a public repository are.
///
/// A box that does it by itself asks the Hub once per file: `boxes × files` requests, and 200 boxes with 200 files are
/// 40,000 of them, where the Hub grants one address 3,000 in five minutes. Found out here, a file costs one request, or
/// two where the Hub sends it itself, whatever the number of boxes: no more from the second box on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicFiles {
    /// Each agent by itself.
    FoundThere,
    /// This machine, for so many targets.
    FoundHere(usize),
    /// This machine in advance, for so many targets that are then left alone. What turns stale they find by themselves.
    HandedOver(usize),
}

impl PublicFiles {
    /// What costs the Hub fewer requests.
    pub fn for_targets(targets: usize) -> Self {
        if targets < 2 { Self::FoundThere } else { Self::FoundHere(targets) }
    }

    /// The same for those that are left alone.
    #[must_use]
    pub fn in_advance(self) -> Self {
        match self {
            Self::FoundHere(targets) => Self::HandedOver(targets),
            other => other,
        }
    }

    /// For how many targets this machine does it.
    pub(super) fn targets(self) -> Option<usize> {
        match self {
            Self::FoundThere => None,
            Self::FoundHere(targets) | Self::HandedOver(targets) => Some(targets),
        }
    }

    /// The size up to which a small file is read here for so many targets.
    pub(super) fn largest_read_here(targets: usize) -> u64 {
        UPLOADED / targets.max(1) as u64
    }
}
