//! Linux, macOS and their relatives.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use russh::keys::agent::client::AgentClient;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};

use super::{FileOwner, SshAgent};

/// The variable that names the user's own folder.
pub(crate) const HOME: &str = "HOME";

/// What an owner alone may do with a file, and with a folder.
const FILE: u32 = 0o600;
const FOLDER: u32 = 0o700;

/// The terminal that a process was started from: what is read, and what is written.
pub(crate) const TERMINAL: (&str, &str) = ("/dev/tty", "/dev/tty");

/// Returns at the next Ctrl-C or `SIGTERM`; `false` when neither can be heard.
pub(crate) async fn asked_to_stop() -> bool {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return tokio::signal::ctrl_c().await.is_ok();
    };
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.is_ok(),
        seen = terminate.recv() => seen.is_some(),
    }
}

/// A file that is made is for its owner alone. A link is not followed, and a FIFO not waited for.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.mode(FILE).custom_flags(flags.bits().cast_signed())
}

/// A folder that is made is for its owner alone.
pub(crate) fn private_folder(builder: &mut DirBuilder) -> &mut DirBuilder {
    builder.mode(FOLDER)
}

/// Whose a file is.
pub(crate) fn ownership(metadata: &Metadata) -> FileOwner {
    if metadata.uid() == geteuid().as_raw() { FileOwner::Ours } else { FileOwner::Others }
}

/// How many names a file has.
pub(crate) fn names(metadata: &Metadata) -> u64 {
    metadata.nlink()
}

/// Closes a folder of this user's to all others. One of another user's is left as it is: it is not ours to change. So is
/// one on a disk without permissions, as FAT is.
pub(crate) fn close_folder(folder: &Path) {
    let closed = std::fs::metadata(folder).ok().and_then(|metadata| closed(&metadata, FOLDER));
    if let Some(permissions) = closed {
        _ = std::fs::set_permissions(folder, permissions);
    }
}

/// The same of a file.
pub(crate) fn close_file(file: &File, metadata: &Metadata) {
    if let Some(permissions) = closed(metadata, FILE) {
        _ = file.set_permissions(permissions);
    }
}

/// The permissions that it should have, of those that are its owner's alone, where it has others.
fn closed(metadata: &Metadata, owners: u32) -> Option<Permissions> {
    let mode = metadata.mode() & 0o7777;
    let is_open = mode & !owners != 0 && ownership(metadata) == FileOwner::Ours;
    is_open.then(|| Permissions::from_mode(mode & owners))
}

/// The ssh-agent that listens there.
pub(crate) async fn connect_ssh_agent(socket: &Path) -> Result<SshAgent, russh::keys::Error> {
    Ok(AgentClient::connect_uds(socket).await?.dynamic())
}

/// Splits a command line as the user's own shell does.
pub(crate) fn split_words(text: &str) -> Result<Vec<String>, shell_words::ParseError> {
    shell_words::split(text)
}

/// Lets this process have so many descriptors at once, as far as it may: shells often grant 1,024, and more to those that
/// ask. What is short all the same is an error where it is.
pub(crate) fn allow_descriptors(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    let count = limit.maximum.map_or(count, |most| most.min(count));
    if limit.current.is_some_and(|current| current < count) {
        _ = setrlimit(Resource::Nofile, Rlimit { current: Some(count), ..limit });
    }
}

/// Whether this process, or the system, has as many descriptors as it may.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Where an ssh-agent listens that no variable names: nowhere.
pub(crate) fn usual_ssh_agent() -> Option<PathBuf> {
    None
}

/// A terminal, and how it was. A prompt for a passphrase puts it back afterwards, but can't when it is dropped:
/// it still reads.
pub(crate) struct Terminal(Option<(File, Termios)>);

impl Terminal {
    /// Looks at how it is; when this is dropped it will be so again.
    pub(crate) fn remember() -> Self {
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
        Self(terminal.ok().and_then(|terminal| {
            let state = tcgetattr(&terminal).ok()?;
            Some((terminal, state))
        }))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let Some((terminal, state)) = &mut self.0 else { return };
        let is_changed = tcgetattr(&*terminal).is_ok_and(|now| now.local_modes != state.local_modes);
        if is_changed {
            // A terminal that is gone needs nothing any more.
            let _ = tcsetattr(&*terminal, OptionalActions::Now, state);
            let _ = terminal.write_all(b"\n");
        }
    }
}
