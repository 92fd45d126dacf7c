//! Questions, whose answers mostly are secret: on the terminal itself, whatever standard input is, or by a program that
//! opens a window (`SSH_ASKPASS`).

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use zeroize::Zeroizing;

use crate::link::{Echo, UserAnswer};
use crate::system::{TERMINAL, Terminal};
use crate::text::sanitize;

/// The longest answer of a program, in bytes. OpenSSH takes 1,023.
const LONGEST: usize = 4096;

/// Asks on the terminal. When the future is dropped, the terminal is as it was before.
pub(crate) async fn on_terminal(prompt: String, echo: Echo) -> UserAnswer {
    let _as_it_was = Terminal::remember();
    let asking = move || match echo {
        Echo::Hidden => rpassword::prompt_password(prompt).map(Zeroizing::new),
        Echo::Shown => ask_openly(&prompt),
    };
    match tokio::task::spawn_blocking(asking).await {
        Ok(Ok(answer)) => UserAnswer::Given(answer),
        // Ctrl-D.
        Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => UserAnswer::Declined,
        // Ctrl-C, which has been passed on to the process: the question is about to be dropped.
        Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => std::future::pending().await,
        // A terminal that can't be opened is none.
        Ok(Err(_)) | Err(_) => UserAnswer::NoPrompt,
    }
}

/// Shows what is typed. The end of the input is an error of that kind.
fn ask_openly(prompt: &str) -> io::Result<Zeroizing<String>> {
    let (input, output) = TERMINAL;
    let mut output = OpenOptions::new().write(true).open(output)?;
    output.write_all(prompt.as_bytes())?;
    let mut line = Zeroizing::new(String::new());
    if BufReader::new(File::open(input)?).read_line(&mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Has a program ask, which prints the answer. What it says on standard error is for the person.
pub(super) async fn by_program(program: &Path, prompt: &str) -> UserAnswer {
    let unable = |error: io::Error| {
        let program = sanitize(program.display().to_string(), 200);
        UserAnswer::Failed(format!("{program} (SSH_ASKPASS) can't be run: {error}"))
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
                Ok(line) => UserAnswer::Given(Zeroizing::new(line.to_owned())),
                Err(_) => UserAnswer::Declined,
            }
        }
        // Its window was closed.
        Ok(_) => UserAnswer::Declined,
        Err(error) => unable(error),
    }
}
