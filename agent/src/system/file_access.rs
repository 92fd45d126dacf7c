//! What is asked of a file, and what the system says of one, in the same words everywhere.

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileAccess {
    Read,
    ReadWrite,
    /// Whatever is written goes to its end.
    Append,
}

/// Who may do what with a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileMode {
    /// Its owner alone.
    Private,
    /// Whom the user's umask lets.
    Usual,
}

/// What a disk has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DiskSpace {
    /// Bytes that this user may still write; none where the disk does not say.
    pub(crate) bytes: Option<u64>,
    /// How many more files it can hold; none where there is no such number.
    pub(crate) inodes: Option<u64>,
    /// Whether nothing can be written to it.
    pub(crate) is_read_only: bool,
}

/// What keeps a file or a folder from being changed, by root as well (`lsattr`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Protection {
    /// Nothing of it may change.
    pub(crate) immutable: bool,
    /// It may only grow.
    pub(crate) append_only: bool,
    /// Another filesystem begins there.
    pub(crate) is_mount_point: bool,
}

/// Who may have written to a file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looks {
    pub(crate) uid: u32,
    /// The twelve bits of its mode.
    pub(crate) mode: u32,
    /// How many names it has.
    pub(crate) links: u64,
}
