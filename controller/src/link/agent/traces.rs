//! What there is of ours on a box, beside the model.

/// How `~/.no_auto_tmux` came to be on a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TmuxOptOut {
    /// By SFTP.
    BySftp,
    /// Typed into a terminal.
    ByTerminal,
}

/// Whether `~/.cache` is ours to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::link) enum CacheFolder {
    Existed,
    Created,
}

/// Whether anything of ours is still on the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    /// Nothing that was to be removed, or nothing was to be.
    Nothing,
    /// It could not be removed, or is not known to be removed: the agent's file, or `~/.no_auto_tmux`.
    Something,
}
