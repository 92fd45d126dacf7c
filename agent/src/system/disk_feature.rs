//! What a disk may have or not.

/// Something that a run can do without. Which errors say that a disk has no such thing is up to the system: see `lacks`.
/// What it has and fails at is never among these: a broken, full or read-only disk, a quota that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFeature {
    /// Locks of files.
    Locks,
    /// A way to wait until the bytes of a file would survive a crash of the machine.
    Flush,
    /// The same for the names in a folder.
    FolderFlush,
    /// Modes of files that can be changed.
    Modes,
    /// A file's name that can be given to another one in one step.
    Replace,
    /// Files that can be cut short.
    Truncate,
}
