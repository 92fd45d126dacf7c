//! What surrounds the programs: the disk, what is in memory beforehand, and how much of the machine they have.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::options::Options;
use crate::say;

/// Where the kernel is told to forget what it has of files.
const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";
/// Where control groups are.
const CONTROL_GROUPS: &str = "/sys/fs/cgroup";
/// What [`write_rate`] writes, in MiB.
const WRITTEN: u64 = 512;

/// What all programs run in.
pub(crate) struct Circumstances {
    /// The kind of file system that the destinations are on.
    kind: String,
    is_cold: bool,
    core: Option<usize>,
    memory: Option<MemoryLimit>,
}

/// A control group whose processes have so much memory, page cache included.
struct MemoryLimit {
    folder: PathBuf,
    megabytes: u64,
}

impl Circumstances {
    /// As they were asked for. What this machine can't do is said, or refused where the figures would mislead.
    pub(crate) fn of(options: &Options) -> io::Result<Self> {
        let output = Command::new("stat").args(["-f", "-c", "%T"]).arg(&options.on).output()?;
        let kind = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let is_cold = options.cold && can_drop_caches();
        if options.cold && !is_cold {
            say("left out: a cold cache, since only root may empty it");
        }
        let memory = options.memory.map(MemoryLimit::new).transpose()?;
        let circumstances = Self { kind, is_cold, core: options.core, memory };
        if circumstances.memory.is_some() && !circumstances.is_on_disk() {
            return Err(io::Error::other("files of a tmpfs are memory: --memory needs --on a disk"));
        }
        Ok(circumstances)
    }

    pub(crate) fn is_on_disk(&self) -> bool {
        !matches!(self.kind.as_str(), "tmpfs" | "ramfs")
    }

    /// What is the same for each program before it starts: nothing left to be written, and nothing in memory where
    /// that is wanted.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        Command::new("sync").status()?;
        if self.is_cold { fs::write(DROP_CACHES, "3") } else { Ok(()) }
    }

    /// Words that come before a program.
    pub(crate) fn before(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(memory) = &self.memory {
            words.extend(["sh", "-c", "echo $$ > \"$0\" && exec \"$@\""].map(OsString::from));
            words.push(memory.folder.join("cgroup.procs").into());
        }
        if let Some(core) = self.core {
            words.extend(["taskset".into(), "-c".into(), core.to_string().into()]);
        }
        words
    }

    /// For the head of a table.
    pub(crate) fn describe(&self, on: &Path) -> String {
        let mut text = format!("on {} ({})", on.display(), self.kind);
        text += if self.is_cold { ", cold cache" } else { ", warm cache" };
        if let Some(core) = self.core {
            _ = write!(text, ", on core {core} alone");
        }
        if let Some(memory) = &self.memory {
            _ = write!(text, ", {} MB of memory with the page cache", memory.megabytes);
        }
        text
    }
}

fn can_drop_caches() -> bool {
    fs::OpenOptions::new().write(true).open(DROP_CACHES).is_ok()
}

/// What the disk writes in a second where each 16 MiB are waited for, by `dd`, in bytes.
pub(crate) fn write_rate(folder: &Path) -> io::Result<f64> {
    let file = folder.join("written");
    let mut of = OsString::from("of=");
    of.push(&file);
    let count = format!("count={}", WRITTEN / 16);
    let begun = Instant::now();
    let dd = Command::new("dd")
        .args(["if=/dev/zero", "bs=16M", "oflag=dsync", "status=none", &count])
        .arg(of)
        .status()?;
    let took = begun.elapsed();
    fs::remove_file(file)?;
    if dd.success() {
        Ok((WRITTEN << 20) as f64 / took.as_secs_f64())
    } else {
        Err(io::Error::other("dd failed"))
    }
}

/// Removes what a benchmark that ends early would leave.
pub(crate) fn clean_up() {
    // It is there only where memory is limited.
    _ = fs::remove_dir(MemoryLimit::folder());
}

impl MemoryLimit {
    /// This program's own.
    fn folder() -> PathBuf {
        let (root, name) = (Path::new(CONTROL_GROUPS), format!("hfdown-bench-{}", std::process::id()));
        let memory = root.join("memory");
        if memory.exists() { memory.join(name) } else { root.join(name) }
    }

    /// In the first hierarchy that counts memory: that of version 1, or the unified one.
    fn new(megabytes: u64) -> io::Result<Self> {
        let root = Path::new(CONTROL_GROUPS);
        let limit = if root.join("memory").exists() {
            "memory.limit_in_bytes"
        } else {
            fs::write(root.join("cgroup.subtree_control"), "+memory")?;
            "memory.max"
        };
        let made = Self { folder: Self::folder(), megabytes };
        fs::create_dir(&made.folder)?;
        fs::write(made.folder.join(limit), (megabytes << 20).to_string())?;
        Ok(made)
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // One with a process in it stays, and there is none any more.
        _ = fs::remove_dir(&self.folder);
    }
}
