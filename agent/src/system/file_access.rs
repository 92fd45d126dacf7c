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

/// Who may have written to a file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looks {
    pub(crate) uid: u32,
    /// The twelve bits of its mode.
    pub(crate) mode: u32,
    /// How many names it has.
    pub(crate) links: u64,
}
