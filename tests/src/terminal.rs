//! A terminal for programs that need one: a pty, with a test that reads and types.

#![expect(clippy::missing_panics_doc, reason = "what can't be set up fails its test")]

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use pty_process::{Command, Pty, Size};
use rustix::termios::{LocalModes, tcgetattr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;

/// Not a measurement: what never comes fails its test instead of holding everything up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program on a terminal of its own.
pub struct TestTerminal {
    pty: Pty,
    /// The program.
    pub child: Child,
    seen: String,
}

impl TestTerminal {
    /// Starts a command on a new terminal, which is its standard output and error as well. Its standard input is none.
    pub fn start(command: &tokio::process::Command) -> Self {
        Self::start_sized(command, 24, 100)
    }

    /// The same on a terminal of so many lines and columns.
    pub fn start_sized(command: &tokio::process::Command, lines: u16, columns: u16) -> Self {
        let command = command.as_std();
        let (pty, pts) = pty_process::open().expect("there are terminals");
        pty.resize(Size::new(lines, columns)).expect("a terminal has a size");
        let environment = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut started = Command::new(command.get_program())
            .args(command.get_args())
            .env_clear()
            .envs(environment)
            .env("TERM", "xterm")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(folder) = command.get_current_dir() {
            started = started.current_dir(folder);
        }
        let child = started.spawn(pts).expect("the program starts");
        Self { pty, child, seen: String::new() }
    }

    /// Reads until this is on the screen, and forgets what came before it.
    pub async fn until(&mut self, words: &str) -> String {
        loop {
            if let Some(at) = self.seen.find(words) {
                let rest = self.seen.split_off(at + words.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            assert!(self.read().await, "it ended without {words:?}: {}", self.seen);
        }
    }

    /// False at the end.
    async fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(PATIENCE, self.pty.read(&mut buffer)).await;
        // A terminal that no process holds any more is an error to read from.
        match read.unwrap_or_else(|_| panic!("nothing more is said: {}", self.seen)) {
            Ok(read) if read > 0 => self.seen.push_str(&String::from_utf8_lossy(&buffer[..read])),
            _ => return false,
        }
        true
    }

    /// Waits until what is typed is no longer shown.
    pub async fn until_it_hides(&self) {
        tokio::time::timeout(PATIENCE, async {
            while self.shows_what_is_typed() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("it hides what is typed");
    }

    /// Whether what is typed is shown.
    pub fn shows_what_is_typed(&self) -> bool {
        tcgetattr(&self.pty).expect("a terminal has a state").local_modes.contains(LocalModes::ECHO)
    }

    /// Types.
    pub async fn enter(&mut self, keys: &str) {
        self.pty.write_all(keys.as_bytes()).await.expect("a terminal can be written to");
    }

    /// Waits for the end. What is on the screen since the last [`Self::until`], and how it ended.
    pub async fn ended(&mut self) -> (String, ExitStatus) {
        while self.read().await {}
        let status = self.child.wait().await.expect("the program ends");
        (std::mem::take(&mut self.seen), status)
    }
}
