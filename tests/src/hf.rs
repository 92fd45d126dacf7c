//! The real `hf`, which we did not write.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::counterpart::Counterpart;
use crate::hub::TestHub;

/// The real `hf` with a home of its own, pointed at a test Hub.
pub struct Hf {
    program: PathBuf,
    home: TempDir,
    endpoint: String,
}

impl Hf {
    /// `None` where there is no `hf`; that has been said then.
    ///
    /// # Panics
    /// Under `CI=true`, where there is none.
    pub fn at(hub: &TestHub) -> Option<Self> {
        let program = Counterpart::Hf.require()?;
        Some(Self {
            program,
            home: tempfile::tempdir().expect("a temporary folder"),
            endpoint: hub.endpoint(),
        })
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If it can't be started.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        self.prepared(&mut command).args(arguments).output().expect("hf can be started")
    }

    /// The same with `hf_xet`, which it uses where the Hub has a Xet store.
    ///
    /// # Panics
    /// If it can't be started.
    pub fn run_with_xet(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        let command = self.prepared(&mut command).env_remove("HF_HUB_DISABLE_XET").args(arguments);
        command.output().expect("hf can be started")
    }

    /// The same, not started yet.
    fn prepared<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let home = self.home.path();
        // From nothing, so that no proxy, token or cache of the user who runs the tests has a say.
        command.env_clear().current_dir(home).env("HOME", home).env("HF_HOME", home.join("hf"));
        command.env("HF_ENDPOINT", &self.endpoint);
        for switch in ["TELEMETRY", "UPDATE_CHECK", "XET", "PROGRESS_BARS"] {
            command.env(format!("HF_HUB_DISABLE_{switch}"), "1");
        }
        command
    }

    /// Asks the library itself, with a program in Python that prints JSON.
    ///
    /// # Panics
    /// If it fails, or prints something else.
    #[track_caller]
    pub fn library(&self, program: &str, arguments: &[&str]) -> serde_json::Value {
        let mut command = Command::new(self.program.with_file_name("python"));
        let output = self.prepared(&mut command).args(["-c", program]).args(arguments).output();
        let output = output.expect("Python can be started");
        assert!(output.status.success(), "{}", words(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", words(&output)))
    }

    /// Its home, where it runs.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs it, and insists.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn succeeds(&self, arguments: &[&str]) {
        let output = self.run(arguments);
        assert!(output.status.success(), "hf {arguments:?}: {}", words(&output));
    }

    /// Runs it, and insists that it fails, with these words.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn fails_with(&self, arguments: &[&str], reason: &str) {
        let output = self.run(arguments);
        let words = words(&output);
        assert!(!output.status.success() && words.contains(reason), "hf {arguments:?}: {words}");
    }
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
