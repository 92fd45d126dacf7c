//! Processes of this machine, as `/proc` shows them.

use std::fs;
use std::process::Command;

/// A process that ran when it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
}

/// All processes. Empty where there is no `/proc`.
pub fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.map(|pid| Process { pid }).collect()
}

impl Process {
    fn read(self, file: &str) -> Vec<u8> {
        // A process that has ended reads as nothing.
        fs::read(format!("/proc/{}/{file}", self.pid)).unwrap_or_default()
    }

    fn words(self, file: &str) -> Vec<String> {
        let bytes = self.read(file);
        let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    /// Its command line.
    pub fn arguments(self) -> Vec<String> {
        self.words("cmdline")
    }

    /// Its environment, each as `NAME=value`.
    pub fn environment(self) -> Vec<String> {
        self.words("environ")
    }

    /// The most it has had resident, in bytes.
    pub fn peak_memory(self) -> u64 {
        1024 * self.number("status", "VmHWM:")
    }

    /// Bytes it has read by system calls for files, sockets not included.
    pub fn bytes_read(self) -> u64 {
        self.number("io", "rchar:")
    }

    /// Bytes it has written by system calls for files, sockets not included.
    pub fn bytes_written(self) -> u64 {
        self.number("io", "wchar:")
    }

    /// The number in a line that begins so. Zero where there is none.
    fn number(self, file: &str, name: &str) -> u64 {
        let text = String::from_utf8(self.read(file)).unwrap_or_default();
        let rest = text.lines().find_map(|line| line.strip_prefix(name));
        rest.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    }

    /// Whether a thread of it waits in a function of the kernel with such a name.
    pub fn waits_in(self, kernel_function: &str) -> bool {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid));
        threads.into_iter().flatten().flatten().any(|thread| {
            std::fs::read_to_string(thread.path().join("wchan"))
                .is_ok_and(|waits| waits.contains(kernel_function))
        })
    }

    /// Whether it leads a session, so that no terminal's end and no login's end is its own.
    pub fn leads_a_session(self) -> bool {
        let stat = String::from_utf8(self.read("stat")).unwrap_or_default();
        // `pid (name) state parent group session …`
        let session =
            stat.rsplit_once(')').and_then(|(_, after)| after.split_whitespace().nth(3)?.parse().ok());
        session == Some(self.pid)
    }

    /// The name of its program, and the process that started it.
    fn name_and_parent(self) -> Option<(String, u32)> {
        let stat = String::from_utf8(self.read("stat")).ok()?;
        // `pid (name) state parent …`; the name may have brackets and spaces in it.
        let (before, after) = stat.rsplit_once(')')?;
        let name = before.split_once('(')?.1.to_owned();
        Some((name, after.split_whitespace().nth(1)?.parse().ok()?))
    }
}

/// The descendants of a process that run a program of this name.
pub fn descendants(pid: u32, name: &str) -> Vec<u32> {
    let all: Vec<_> =
        all().into_iter().filter_map(|process| Some((process.pid, process.name_and_parent()?))).collect();
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        let children = all.iter().filter(|(_, (program, above))| *above == parent && program == name);
        found.extend(children.map(|(child, _)| *child));
        next += 1;
    }
    found.split_off(1)
}

/// Ends a process at once. One that has ended already is fine.
pub fn kill(pid: u32) {
    signal(pid, "KILL");
}

/// Sends a process a signal, by its name without `SIG`. One that has ended already is fine.
pub fn signal(pid: u32, name: &str) {
    let (name, pid) = (format!("-{name}"), pid.to_string());
    _ = Command::new("kill").args([&name, &pid]).stderr(std::process::Stdio::null()).status();
}

/// Stops a process until it is told to go on.
pub fn stop(pid: u32) {
    _ = Command::new("kill").args(["-STOP", &pid.to_string()]).status();
}

/// What Ctrl-C does to a process.
pub fn interrupt(pid: u32) {
    _ = Command::new("kill").args(["-INT", &pid.to_string()]).status();
}
