//! A sandbox for a scenario: a test Hub, a destination here or on an SSH host, and the real program between them.

#![expect(clippy::missing_panics_doc, reason = "what can't be set up fails its test")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use hfdown::link::{AgentImages, Cpu};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::counterpart::leave_out;
use crate::hub::TestHub;
use crate::ssh_host::{HostOptions, SshHost, SshServerKind};

/// Where a scenario's files are to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DestinationKind {
    /// A folder of this machine, by an agent in the program itself.
    Here,
    /// A box whose SSH server is russh, in the test's process.
    InProcess,
    /// A box whose SSH server is the real OpenSSH.
    Sshd,
}

/// Everything a scenario needs.
pub struct Sandbox {
    /// The Hub.
    pub hub: TestHub,
    /// The box, unless the files stay here.
    pub host: Option<SshHost>,
    program: &'static str,
    folder: TempDir,
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// What it printed on standard output.
    pub stdout: String,
    /// What it printed on standard error.
    pub stderr: String,
}

impl Sandbox {
    /// Sets it up. `program` is `env!("CARGO_BIN_EXE_hfdown-tested")`. `None` where the machine has no `sshd` and one
    /// is needed; what is left out has then been said.
    pub async fn start(place: DestinationKind, program: &'static str) -> Option<Self> {
        Self::start_with(place, program, HostOptions::default()).await
    }

    /// The same with a box of a certain kind.
    pub async fn start_with(
        place: DestinationKind,
        program: &'static str,
        options: HostOptions,
    ) -> Option<Self> {
        let host = match place {
            DestinationKind::Here => None,
            DestinationKind::InProcess => Some(SshHost::start(SshServerKind::InProcess, options).await?),
            DestinationKind::Sshd => Some(SshHost::start(SshServerKind::Sshd, options).await?),
        };
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("home")).expect("a home folder");
        Some(Self { hub: TestHub::start(), host, program, folder })
    }

    /// The destination, which does not exist at first. A box of this machine sees the same disk.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("models").join("model")
    }

    /// A folder for whatever else a scenario writes.
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// An agent of this sandbox's own: folders outside of home are the machine's, and other tests' agents are there
    /// too.
    /// `None` where the build carries none to make it of, after saying so.
    pub fn own_agent(&self) -> Option<PathBuf> {
        let images = AgentImages::embedded();
        let Some(image) = images.get(Cpu::X86_64) else {
            leave_out("this build embeds no agent for x86_64");
            return None;
        };
        // What follows a program in its file changes nothing.
        let mark = self.scratch().display().to_string();
        let path = self.scratch().join("agent");
        std::fs::write(&path, [image.bytes(), mark.as_bytes()].concat())
            .expect("the temporary folder can be written");
        Some(path)
    }

    /// The program with these arguments and an environment that knows this sandbox and nothing else.
    pub fn hfdown<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Command {
        let mut command = Command::new(self.program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path().join("home"))
            .env("HF_ENDPOINT", self.hub.endpoint())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// The program told to sync a model to this sandbox's destination, with more arguments behind.
    pub fn syncing(&self, model: &str, more: &[&str]) -> Command {
        let root = self.root();
        let root = root.to_str().expect("temporary folders have plain names");
        let ssh = self.host.as_ref().map(SshHost::command);
        let words: Vec<&str> = match &ssh {
            None => vec!["rsync-sync", model, root],
            Some(ssh) => vec!["rsync-to-vast", model, ssh, root],
        };
        self.hfdown(words.iter().chain(more))
    }

    /// The program told to verify a model at this sandbox's destination, with more arguments behind.
    pub fn verifying(&self, model: &str, more: &[&str]) -> Command {
        let root = self.root();
        let root = root.to_str().expect("temporary folders have plain names");
        let ssh = self.host.as_ref().map(SshHost::command);
        let words: Vec<&str> = match &ssh {
            None => vec!["verify", model, root],
            Some(ssh) => vec!["verify", model, ssh, root],
        };
        self.hfdown(words.iter().chain(more))
    }

    /// Verifies a model and waits for the end.
    pub async fn verify(&self, model: &str, more: &[&str]) -> Ended {
        run(self.verifying(model, more)).await
    }

    /// The same by way of another port of the box: a [`crate::proxy::Proxy`]'s.
    pub fn syncing_via(&self, port: u16, model: &str, more: &[&str]) -> Command {
        let root = self.root();
        let root = root.to_str().expect("temporary folders have plain names");
        let ssh = self.host.as_ref().expect("there is a box").command_via(port);
        self.hfdown(["rsync-to-vast", model, &ssh, root].iter().chain(more))
    }

    /// Syncs a model and waits for the end.
    pub async fn sync(&self, model: &str, more: &[&str]) -> Ended {
        run(self.syncing(model, more)).await
    }

    /// What a file of the destination contains; `None` if it is not there.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        std::fs::read(self.root().join(path)).ok()
    }

    /// Bytes that the journals of parts claim: entries of start, end and checksum, which may overlap.
    pub fn claimed(&self) -> u64 {
        let parts = self.root().join(".cache/hfdown/parts");
        let files = std::fs::read_dir(parts).into_iter().flatten().flatten().map(|entry| entry.path());
        files
            .filter(|path| path.extension().is_some_and(|end| end == "journal"))
            // A kill between the two leaves the journal of a part that has got its final name.
            .filter(|path| path.with_extension("").exists())
            .map(|path| claimed_by(&path))
            .sum()
    }

    /// The model's own files at the destination, sorted: without the records of hfdown or `hf`.
    pub fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        collect(&self.root(), "", &mut files);
        files.retain(|file| !file.starts_with(".cache/"));
        files.sort();
        files
    }
}

/// Runs a program to its end.
pub async fn run(mut command: Command) -> Ended {
    ended(command.spawn().expect("the program starts")).await
}

/// Waits for a program's end.
pub async fn ended(child: Child) -> Ended {
    let output = child.wait_with_output().await.expect("the program ends");
    Ended {
        // A process that a signal ended has no code.
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn claimed_by(journal: &Path) -> u64 {
    let entries = std::fs::read(journal).unwrap_or_default();
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let mut ranges: Vec<(u64, u64)> =
        entries.chunks_exact(20).map(|entry| (number(&entry[..8]), number(&entry[8..16]))).collect();
    ranges.sort_unstable();
    let mut claimed = 0;
    let mut counted = 0;
    for (start, end) in ranges {
        claimed += end.saturating_sub(start.max(counted));
        counted = counted.max(end);
    }
    claimed
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), &format!("{name}/"), files);
        } else {
            files.push(name);
        }
    }
}
