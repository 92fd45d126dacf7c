//! Where the hub cache of this agent's user is, as a login shell of that user has it: a profile may set `HF_HOME`, and a
//! command over SSH does not see that.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hfdown_protocol::{Failure, FailureKind};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, kill_process_group};

use super::location::{CacheVariables, DECIDING};
use crate::os_error::in_words;

/// How long a profile may take: some ask a network for things.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(10);
/// The most bytes of an environment, and of what a profile says before it.
const ENVIRONMENT: u64 = 4 << 20;

/// What the shell runs. Whatever a profile says stands before the first NUL. The same words mean the same to bash, dash,
/// zsh, fish, tcsh and mksh; an `env` that knows no `-0` writes lines.
const PRINT: &str = r"printf '\000'; env -0 || env";

/// The hub cache of the user that this program runs as. Blocks for a bounded time.
pub(crate) fn hub_cache_of_login() -> Result<PathBuf, Failure> {
    let shell = std::env::var_os("SHELL").filter(|shell| Path::new(shell).is_absolute());
    let shell = shell.as_deref().unwrap_or(OsStr::new("/bin/sh"));
    hub_cache_of(shell, PATIENCE)
}

fn hub_cache_of(shell: &OsStr, patience: Duration) -> Result<PathBuf, Failure> {
    let unknown = |why: &dyn Display| {
        let detail = format_args!("the login shell {} does not tell: {why}", shell.display());
        Failure::new(FailureKind::NoCache, detail)
    };
    let printed = ask(shell, patience).map_err(|error| unknown(&in_words(&error.to_string())))?;
    let environment = LoginEnvironment::of(&printed)
        .ok_or_else(|| unknown(&"it printed no environment (a profile may start another program)"))?;
    let variable = |name: &str| environment.variable(name);
    let cache = CacheVariables { variable: &variable, home: "HOME" }.hub_cache();
    cache.ok_or_else(|| unknown(&format_args!("none of {} and HOME is set", DECIDING.join(", "))))
}

/// What a login shell prints. It goes to memory: what a profile leaves running may keep a pipe open.
fn ask(shell: &OsStr, patience: Duration) -> io::Result<Vec<u8>> {
    let mut printed = File::from(memfd_create("environment", MemfdFlags::CLOEXEC)?);
    let name = Path::new(shell).file_name().unwrap_or(shell);
    // By a dash in front of its name every shell knows that it is a login shell.
    let mut arg0 = OsString::from("-");
    arg0.push(name);
    let mut child = Command::new(shell)
        .arg0(arg0)
        .args(["-c", PRINT])
        .stdin(Stdio::null())
        .stdout(printed.try_clone()?)
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let ended = wait(&mut child, &printed, patience);
    if ended.is_err() {
        // What it waits for goes as well. It may have ended just now.
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        let _ = child.wait();
    }
    ended?;
    let mut bytes = Vec::new();
    printed.rewind()?;
    printed.take(ENVIRONMENT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn wait(child: &mut Child, printed: &File, patience: Duration) -> io::Result<()> {
    let since = Instant::now();
    while child.try_wait()?.is_none() {
        if printed.metadata()?.len() > ENVIRONMENT {
            return Err(io::Error::other("it prints without end"));
        }
        if since.elapsed() >= patience {
            let silent = format!("it has not ended for {} s", patience.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, silent));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// What a login shell passes to its programs.
struct LoginEnvironment<'a> {
    entries: &'a [u8],
    /// What ends each of them.
    end: u8,
}

impl<'a> LoginEnvironment<'a> {
    /// `None` if there is none.
    fn of(printed: &'a [u8]) -> Option<Self> {
        let start = printed.iter().position(|byte| *byte == 0)? + 1;
        let entries = &printed[start..];
        let end = if entries.contains(&0) { 0 } else { b'\n' };
        entries.contains(&b'=').then_some(Self { entries, end })
    }

    /// A variable's value, if it is set and text.
    fn variable(&self, name: &str) -> Option<String> {
        let mut entries = self.entries.split(|byte| *byte == self.end);
        let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        String::from_utf8(value?.to_vec()).ok()
    }
}

#[cfg(test)]
#[path = "login_shell_tests.rs"]
mod tests;
