//! Questions whose answers nobody else may see: on the terminal itself, whatever standard input is, or by a program that
//! opens a window (`SSH_ASKPASS`).

use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use zeroize::Zeroizing;

use crate::link::Asked;
use crate::output::sanitize::sanitize;

/// The longest answer of a program, in bytes. OpenSSH takes 1,023.
const LONGEST: usize = 4096;

/// Asks on the terminal. When the future is dropped, the terminal is as it was before.
pub async fn on_terminal(prompt: String) -> Asked {
    let _as_it_was = as_it_was::Terminal::remember();
    match tokio::task::spawn_blocking(move || rpassword::prompt_password(prompt).map(Zeroizing::new)).await {
        Ok(Ok(answer)) => Asked::Said(answer),
        // Ctrl-D.
        Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => Asked::Nothing,
        // Ctrl-C, which has been passed on to the process: whoever waits here is about to be dropped.
        Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => std::future::pending().await,
        // A terminal that can't be opened is none.
        Ok(Err(_)) | Err(_) => Asked::Nobody,
    }
}

/// Has a program ask, which prints the answer. What it says on standard error is for the person.
pub async fn by_program(program: &Path, prompt: &str) -> Asked {
    let unable = |error: std::io::Error| {
        let program = sanitize(program.display().to_string(), 200);
        Asked::Unable(format!("{program} (SSH_ASKPASS) can't be run: {error}"))
    };
    let mut command = Command::new(program);
    command.arg(prompt).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return unable(error),
    };
    let mut answer = Zeroizing::new(Vec::with_capacity(LONGEST));
    if let Some(mut output) = child.stdout.take() {
        // Room for the longest answer was made, so that no part of it is left behind by growing.
        while answer.len() < LONGEST && output.read_buf(&mut *answer).await.is_ok_and(|read| read > 0) {}
    }
    match child.wait().await {
        Ok(status) if status.success() => {
            let line = answer.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
            match std::str::from_utf8(line) {
                Ok(line) => Asked::Said(Zeroizing::new(line.to_owned())),
                Err(_) => Asked::Nothing,
            }
        }
        // Its window was closed.
        Ok(_) => Asked::Nothing,
        Err(error) => unable(error),
    }
}

#[cfg(unix)]
mod as_it_was {
    //! The reader of the terminal puts it back when it has read. It can't when the question is taken back: it still reads.

    use std::fs::{File, OpenOptions};
    use std::io::Write as _;

    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

    /// A terminal, and how it was.
    pub(super) struct Terminal(Option<(File, Termios)>);

    impl Terminal {
        pub(super) fn remember() -> Self {
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
}

#[cfg(not(unix))]
mod as_it_was {
    //! Elsewhere the reader is left to put it back.

    /// Nothing.
    pub(super) struct Terminal;

    impl Terminal {
        pub(super) fn remember() -> Self {
            Self
        }
    }
}
